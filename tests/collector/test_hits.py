"""Hits are stored, judged and counted at one stroke."""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

import hits
import pytest
from sqlalchemy import delete, select, text

from collector.hits import Hit, HitMessage, JudgedHit, store_hits
from collector.keeping import DAY_MS, DEFAULT, Keeping
from collector.schema import agent, hit, message
from collector.store import Sent, Store
from collector.verdict import Verdict

PERSON = Verdict("person", "browser", 0.7)
SCANNER = Verdict("scanner", "safe-links", 0.9)
BURST = Verdict("scanner", "burst", 0.8)
HEAD = Verdict("tool", "head", 0.9)

Judge = Callable[[Hit, HitMessage], Verdict]


def make_hit(message_id: int, at_ms: int = 5_000, **changes: object) -> Hit:
    some = {"agent": "Firefox", "address": ip_address("203.0.113.77")}
    return hits.make_hit(message_id, at_ms, **{**some, **changes})


def click(message_id: int, at_ms: int = 5_000, link: int = 0, **changes: object) -> Hit:
    return make_hit(message_id, at_ms, kind="click", link=link, **changes)


@pytest.fixture
async def message_id(store: Store, make_sent: Callable[..., Sent]) -> int:
    sent = make_sent()
    await store.record_sent(sent)
    return sent.message_id


@pytest.fixture
def keep(store: Store) -> Callable[..., object]:
    """`await keep(hit, …, judge=PERSON)` stores hits that are all judged like that."""

    async def run(
        *hits: Hit, judge: Verdict | Judge = PERSON, keeping: Keeping = DEFAULT
    ) -> list[JudgedHit]:
        decide = judge if callable(judge) else lambda hit, message: judge
        kept = await store.write(partial(store_hits, hits=hits, judge=decide, keeping=keeping))
        return kept.judged

    return run


async def counts(store: Store) -> tuple[object, ...]:
    """Opens: believed, raw, first, last; then the same of clicks."""
    [row] = await store.read(
        select(
            *(message.c[f"{kind}_count"] for kind in ("open", "raw_open")),
            *(message.c[f"{end}_open_ms"] for end in ("first", "last")),
            *(message.c[f"{kind}_count"] for kind in ("click", "raw_click")),
            *(message.c[f"{end}_click_ms"] for end in ("first", "last")),
        )
    )
    return tuple(row)


async def test_a_hit_is_stored_reduced(store: Store, message_id: int, keep: Callable) -> None:
    await keep(click(message_id, link=3, recipient=2))
    [row] = await store.read(select(hit, agent.c.text).join(agent))
    assert row._asdict() == {
        "id": 1,
        "message_id": message_id,
        "at_ms": 5_000,
        "kind": "click",
        "recipient": 2,
        "link": 3,
        "verdict": "person",
        "rule": "browser",
        "network": bytes([203, 0, 113]),
        "agent_id": 1,
        "text": "Firefox",
    }


async def test_an_unknown_address_is_no_network(
    store: Store, message_id: int, keep: Callable
) -> None:
    await keep(make_hit(message_id, address=None))
    assert [row.network for row in await store.read(select(hit.c.network))] == [None]


@pytest.mark.parametrize(
    ("wished", "kept"),
    [
        ({"addresses": "none", "agents": "full"}, (None, "curl/8.5.0")),
        ({"addresses": "truncated", "agents": "family"}, (bytes([203, 0, 113]), "curl")),
        ({"addresses": "full", "agents": "full"}, (bytes([203, 0, 113, 77]), "curl/8.5.0")),
    ],
)
async def test_it_is_reduced_once_it_is_judged(
    store: Store, message_id: int, keep: Callable, wished: dict, kept: tuple[object, ...]
) -> None:
    seen: list[Hit] = []

    def judge(hit: Hit, _: HitMessage) -> Verdict:
        seen.append(hit)
        return PERSON

    made = make_hit(message_id, agent="curl/8.5.0")
    await keep(made, judge=judge, keeping=Keeping(**wished))
    assert seen == [made]
    [row] = await store.read(select(hit.c.network, agent.c.text).join(agent))
    assert tuple(row) == kept


async def test_a_hit_that_comes_too_late_leaves_no_trace(
    store: Store, make_sent: Callable[..., Sent], keep: Callable
) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    keeping = Keeping(window=2)
    end = sent.sent_at_ms + 2 * DAY_MS
    judged = await keep(
        make_hit(sent.message_id, end + 1, agent="late/1"),
        make_hit(sent.message_id, end),
        keeping=keeping,
    )
    assert [each.hit.at_ms for each in judged] == [end]
    assert await counts(store) == (1, 1, end, end, 0, 0, None, None)
    assert [row.text for row in await store.read(select(agent.c.text))] == ["Firefox"]


async def test_a_burst_spares_what_has_aged_out(
    store: Store, message_id: int, keep: Callable
) -> None:
    await keep(click(message_id, 1_000, link=9), click(message_id, 5_000, link=9))
    await store.change(delete(hit), {})  # as retention.py does
    await keep(click(message_id, 9_000, link=1), click(message_id, 9_100, link=2))
    await keep(click(message_id, 9_200, link=3), judge=BURST)
    # When the last of those that are left came is not known any more.
    assert await counts(store) == (0, 0, None, None, 2, 5, 1_000, 1_000)


async def test_agents_are_kept_once(store: Store, message_id: int, keep: Callable) -> None:
    await keep(make_hit(message_id), make_hit(message_id, agent=""), make_hit(message_id))
    await keep(make_hit(message_id, agent="curl/8.5.0"), make_hit(message_id))
    texts = {row.id: row.text for row in await store.read(select(agent))}
    rows = await store.read(select(hit.c.agent_id).order_by(hit.c.id))
    assert sorted(texts.values()) == ["", "Firefox", "curl"]
    assert [texts[row.agent_id] for row in rows] == ["Firefox", "", "Firefox", "curl", "Firefox"]


async def test_counters_follow(store: Store, message_id: int, keep: Callable) -> None:
    assert await counts(store) == (0, 0, None, None, 0, 0, None, None)
    await keep(make_hit(message_id, 10), judge=SCANNER)
    assert await counts(store) == (0, 1, None, None, 0, 0, None, None)
    await keep(make_hit(message_id, 30), make_hit(message_id, 20), click(message_id, 40))
    assert await counts(store) == (2, 3, 20, 30, 1, 1, 40, 40)
    await keep(make_hit(message_id, 50), click(message_id, 60))
    assert await counts(store) == (3, 4, 20, 50, 2, 2, 40, 60)
    await keep(make_hit(message_id, 70), click(message_id, 80), judge=HEAD)
    assert await counts(store) == (3, 4, 20, 50, 2, 2, 40, 60)
    assert len(await store.read(select(hit.c.id))) == 8


async def test_a_message_that_is_not_kept_leaves_no_trace(
    store: Store, message_id: int, keep: Callable
) -> None:
    judged = await keep(make_hit(99, agent="stranger"), make_hit(message_id))
    assert [each.hit.message_id for each in judged] == [message_id]
    assert [row.message_id for row in await store.read(select(hit.c.message_id))] == [message_id]
    assert [row.text for row in await store.read(select(agent.c.text))] == ["Firefox"]
    assert await keep(make_hit(99)) == []


async def test_the_judge_sees_the_message_as_it_is_then(
    store: Store, make_sent: Callable[..., Sent], keep: Callable
) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    await store.write(
        lambda connection: connection.execute(text("UPDATE message SET delivered_at_ms = 77"))
    )
    seen: list[HitMessage] = []

    def judge(hit: Hit, found: HitMessage) -> Verdict:
        seen.append(found)
        return PERSON

    [judged] = await keep(make_hit(sent.message_id), judge=judge)
    assert seen == [HitMessage(sent.message_id, sent.sender_id, sent.sent_at_ms, 77)]
    assert judged == JudgedHit(make_hit(sent.message_id), seen[0], PERSON)


async def test_a_burst_takes_back_what_was_believed(
    store: Store, make_sent: Callable[..., Sent], message_id: int, keep: Callable
) -> None:
    other = make_sent()
    await store.record_sent(other)
    await keep(
        click(message_id, 1_000, link=9),  # long before: stays
        click(message_id, 9_000, link=1),
        make_hit(message_id, 9_001),  # an open: stays
        click(message_id, 9_002, link=1, recipient=1),  # another's copy: stays
        click(other.message_id, 9_003, link=1),  # another message: stays
    )
    await keep(click(message_id, 9_500, link=2))
    await keep(click(message_id, 9_600, link=3), judge=BURST)
    rows = await store.read(select(hit.c.at_ms, hit.c.rule).order_by(hit.c.at_ms))
    assert {row.at_ms for row in rows if row.rule == "burst"} == {9_000, 9_500, 9_600}
    query = select(
        message.c.click_count,
        message.c.raw_click_count,
        message.c.first_click_ms,
        message.c.last_click_ms,
        message.c.open_count,
    ).order_by(message.c.id)
    assert [tuple(row) for row in await store.read(query)] == [
        (2, 5, 1_000, 9_002, 1),
        (1, 1, 9_003, 9_003, 0),
    ]


async def test_a_burst_can_take_back_everything(
    store: Store, message_id: int, keep: Callable
) -> None:
    await keep(click(message_id, 9_000, link=1))
    await keep(click(message_id, 9_100, link=2), click(message_id, 9_200, link=3), judge=BURST)
    assert await counts(store) == (0, 0, None, None, 0, 3, None, None)
