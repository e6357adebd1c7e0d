"""Today's rules over stored hits: what they change, what they leave; the counters follow."""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text

from collector import rejudge as module
from collector.client import truncate
from collector.counters import recounting
from collector.hits import Hit, store_hits
from collector.keeping import Keeping
from collector.rejudge import StoredHit, judge_message, rejudge
from collector.schema import hit, message
from collector.signs import AGENTS_FILE, NETWORKS_FILE, our_signs, read_signs
from collector.store import Sent, Store
from collector.verdict import BELIEVED, RULES, UNCOUNTED, Facts, Verdict, judge, judge_again

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
AHREFS = "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"
HOME, PROOFPOINT = "198.51.100.7", "67.231.152.9"
SENT_MS = 1_700_000_000_000
LATER = SENT_MS + 86_400_000
DATED = 'source = "a test"\ndate = 2026-01-02\n'


def stored(rule: str, kind: str = "open", **changes: object) -> StoredHit:
    verdict = next((each.kind for each in RULES if each.id == rule), "unknown")
    values: dict[str, object] = {
        "id": 1,
        "message_id": 7,
        "at_ms": LATER,
        "kind": kind,
        "recipient": 0,
        "link": 0 if kind == "click" else None,
        "verdict": verdict,
        "rule": rule,
        "network": truncate(ip_address(HOME)),
        "agent": FIREFOX,
        "sent_at_ms": SENT_MS,
        "delivered_at_ms": SENT_MS,
    }
    return StoredHit(**{**values, **changes})  # type: ignore[arg-type]


def rule_now(each: StoredHit) -> str | None:
    [(_, verdict)] = judge_message([each], our_signs())
    return verdict.rule if verdict else None


@pytest.mark.parametrize(
    ("before", "now"),
    [
        # As then.
        (stored("browser"), "browser"),
        (stored("unrecognised", agent="New/1"), "unrecognised"),
        # A rule or a list is newer than the hit.
        (stored("browser", agent=AHREFS), "crawler"),
        (stored("browser", network=truncate(ip_address(PROOFPOINT))), "proofpoint"),
        # A range has gone from a list.
        (stored("proofpoint"), "browser"),
        # The outcome became known later.
        (stored("browser", at_ms=SENT_MS - 1), "before-delivery"),
        (stored("browser", "click", at_ms=SENT_MS + 1), "early-click"),
        # What decided then is not kept: it stands.
        (stored("head"), "head"),
        (stored("purpose-prefetch", agent="curl/8"), "purpose-prefetch"),
        (stored("self-page", agent="curl/8"), "self-page"),
        (stored("proofpoint", network=None), "proofpoint"),
        (stored("preview", agent=None), "preview"),
        (stored("preview", agent="a family of them"), "preview"),
        (stored("browser", agent="Firefox on Linux"), "browser"),
        (stored("no-agent", agent=""), "no-agent"),
        (stored("gmail-prefetch", network=None), "gmail-prefetch"),
        # What is not kept did not decide then, as it was asked before: the rest is judged.
        (stored("browser", network=None), "browser"),
        (stored("browser", network=None, agent=AHREFS), "crawler"),
        (stored("browser", agent=None, at_ms=SENT_MS - 1), "before-delivery"),
        # Nobody knows what a rule that was not asked then would have said.
        (stored("apple-prefetch", network=None), None),
        (stored("before-delivery", agent=None), None),
        (stored("a rule of long ago"), None),
    ],
)
def test_what_becomes_of_a_hit(before: StoredHit, now: str | None) -> None:
    assert rule_now(before) == now


def test_half_a_network_decides_nothing(tmp_path: Path) -> None:
    """Of a /24 of which a part is theirs, nobody knows on which side the address was."""
    (tmp_path / NETWORKS_FILE).write_text(f'[barracuda]\n{DATED}networks = ["198.51.100.128/25"]\n')
    signs = read_signs(tmp_path)
    for before in ("barracuda", "browser"):
        [(_, verdict)] = judge_message([stored(before)], signs)
        assert verdict is not None
        assert verdict.rule == before


def test_a_burst_is_found_again_with_its_first_clicks() -> None:
    hits = [
        stored("browser", "click", id=number, link=number, at_ms=LATER + 500 * number)
        for number in range(4)
    ]
    hits.append(stored("browser", "click", id=9, link=1, recipient=2, at_ms=LATER + 700))
    hits.append(stored("browser", id=10, at_ms=LATER + 700))
    now = {each.id: verdict.rule for each, verdict in judge_message(hits, our_signs()) if verdict}
    assert now == {0: "burst", 1: "burst", 2: "burst", 3: "burst", 9: "browser", 10: "browser"}
    alone = stored("burst", "click", verdict="scanner")
    assert rule_now(alone) == "browser"


agents = st.sampled_from([FIREFOX, AHREFS, "curl/8", "", "Mozilla/5.0", "YahooMailProxy", "New/1"])
addresses = st.sampled_from([HOME, PROOFPOINT, "66.249.84.1", "40.92.0.1", None])


@given(
    agent=agents,
    address=addresses,
    kind=st.sampled_from(["open", "click"]),
    method=st.sampled_from(["GET", "HEAD"]),
    purpose=st.sampled_from(["", "prefetch"]),
    presence=st.sampled_from([None, "session", "submission", "page"]),
    at_ms=st.integers(SENT_MS - 5_000, SENT_MS + 20_000),
    delivered_at_ms=st.none() | st.just(SENT_MS + 1_000),
    lost=st.sets(st.sampled_from(["request", "presence", "agent", "address"])),
)
def test_the_same_rules_change_nothing(
    agent: str, address: str | None, lost: set[str], **others: object
) -> None:
    """Whatever is lost: a hit is judged as it was, or not at all."""
    signs = our_signs()
    network = signs.network(ip_address(address)) if address else None
    facts = Facts(agents=signs.families(agent), network=network, sent_at_ms=SENT_MS, **others)  # type: ignore[arg-type]
    before = judge(facts)
    assert judge_again(facts, before.rule, frozenset(lost)) in (before, None)
    assert judge_again(facts, before.rule, frozenset()) == before


@pytest.fixture
async def sent(store: Store, make_sent: Callable[..., Sent]) -> list[Sent]:
    """Five messages, delivered when they were sent."""
    made = [make_sent() for _ in range(5)]
    for each in made:
        await store.record_sent(each)
    await store.write(
        lambda connection: connection.execute(
            text("UPDATE message SET delivered_at_ms = sent_at_ms")
        )
    )
    return made


async def keep(store: Store, message_id: int, judged: Verdict, **changes: object) -> None:
    values: dict[str, object] = {
        "kind": "open",
        "message_id": message_id,
        "recipient": 0,
        "link": None,
        "at_ms": LATER,
        "method": "GET",
        "agent": FIREFOX,
        "purpose": "",
        "address": ip_address(HOME),
    }
    made = Hit(**{**values, **changes})  # type: ignore[arg-type]
    whole = Keeping(agents="full")
    await store.write(partial(store_hits, hits=[made], judge=lambda *_: judged, keeping=whole))


async def assert_counters_follow(store: Store) -> None:
    """Every counter is what the hits say, counted here by hand."""
    hits = await store.read(select(hit))
    for row in await store.read(select(message)):
        own = [each for each in hits if each.message_id == row.id]
        for kind in ("open", "click"):
            counted = [x for x in own if x.kind == kind and x.rule not in UNCOUNTED]
            times = [x.at_ms for x in own if x.kind == kind and x.verdict in BELIEVED]
            told = [getattr(row, f"{kind}_count"), getattr(row, f"raw_{kind}_count")]
            told += [getattr(row, f"first_{kind}_ms"), getattr(row, f"last_{kind}_ms")]
            assert told == [
                len(times),
                len(counted),
                min(times, default=None),
                max(times, default=None),
            ]


BROWSER = Verdict("person", "browser", 0.7)


@pytest.mark.parametrize("page", [1, 3, 1_000])
async def test_hits_change_page_by_page_with_their_counters(
    store: Store, sent: list[Sent], page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_HITS", page)
    monkeypatch.setattr(module, "PAGE_MESSAGES", page)
    for each in sent:
        await keep(store, each.message_id, BROWSER, at_ms=LATER + 1)
        await keep(store, each.message_id, BROWSER, agent=AHREFS)
        await keep(store, each.message_id, Verdict("tool", "head", 0.9), at_ms=LATER - 1)
        for link in range(3):
            await keep(store, each.message_id, BROWSER, kind="click", link=link)
    dry = await rejudge(store, our_signs(), dry_run=True)
    before = await store.read(select(hit))
    told = await rejudge(store, our_signs())
    assert told == dry
    assert told.hits == {"browser": 25, "head": 5}
    assert told.changed == {("browser", "crawler"): 5, ("browser", "burst"): 15}
    assert told.unjudged == {}
    after = await store.read(select(hit))
    assert len(after) == len(before)
    assert {each.rule for each in before} == {"browser", "head"}
    assert sorted(each.rule for each in after) == sorted(
        ["burst"] * 15 + ["crawler"] * 5 + ["browser", "head"] * 5
    )
    await assert_counters_follow(store)
    again = await rejudge(store, our_signs())
    assert again.changed == {}
    assert again.hits.total() == 30


async def test_mail_of_before_is_left_alone(store: Store, sent: list[Sent]) -> None:
    for each in sent:
        await keep(store, each.message_id, BROWSER, agent=AHREFS)
    told = await rejudge(store, our_signs(), sent_since_ms=sent[3].sent_at_ms)
    assert told.hits.total() == 2
    rows = await store.read(select(hit.c.rule).order_by(hit.c.message_id))
    assert [row.rule for row in rows] == ["browser"] * 3 + ["crawler"] * 2


async def test_a_hit_that_changed_meanwhile_is_left_alone(
    store: Store, sent: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(store, sent[0].message_id, BROWSER, agent=AHREFS)
    write = store.write

    def take_back(connection: Connection) -> None:
        with recounting(connection, [sent[0].message_id]):
            connection.execute(text("UPDATE hit SET rule = 'burst', verdict = 4"))

    async def late(call: Callable[..., object]) -> object:
        monkeypatch.setattr(store, "write", write)
        await write(take_back)
        return await write(call)

    monkeypatch.setattr(store, "write", late)
    await rejudge(store, our_signs())
    assert [row.rule for row in await store.read(select(hit.c.rule))] == ["burst"]
    await assert_counters_follow(store)


async def test_newer_lists_count(store: Store, sent: list[Sent], tmp_path: Path) -> None:
    await keep(store, sent[0].message_id, BROWSER, agent="Mozilla/5.0 (NewChat)")
    (tmp_path / AGENTS_FILE).write_text(f'[preview]\n{DATED}contains = ["NewChat"]\n')
    told = await rejudge(store, read_signs(tmp_path))
    assert told.changed == {("browser", "preview"): 1}
