"""A refusal holds at once for what was sent before: nothing of such a hit is kept."""

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from collector import metrics
from collector.consent import Kind, Mode, Objected
from collector.consents import Consents
from collector.feed import Feed
from collector.hits import Hit, store_hits
from collector.recorder import Recorder
from collector.schema import agent, hit, message, sender
from collector.store import Sent, Store
from collector.verdict import Verdict

BOB, EVE = "bob@example.org", "eve@example.org"
Ask = Callable[..., Awaitable[list[tuple[Kind, int]]]]


@pytest.fixture
def consents(store: Store) -> Consents:
    return Consents(store)


def a_hit(message_id: int, kind: Kind, recipient: int) -> Hit:
    return Hit(
        kind=kind,
        message_id=message_id,
        recipient=recipient,
        link=0 if kind == "click" else None,
        at_ms=5,
        method="GET",
        agent="Firefox",
        purpose="",
        address=None,
    )


async def keep(store: Store, hits: list[Hit], mode: Mode = "unless-refused") -> list[Hit]:
    person = Verdict("person", "browser", 0.7)
    kept = await store.write(partial(store_hits, hits=hits, judge=lambda *_: person, consent=mode))
    known = [each.hit for each in kept.judged]
    assert kept.withheld == len([each for each in hits if each.message_id != 99]) - len(known)
    assert len(await store.read(select(hit.c.id))) >= len(known)
    return known


@pytest.fixture
async def ask(store: Store, make_sent: Callable[..., Sent]) -> Ask:
    """`await ask(mode, objected=…)`: what is kept of every hit on a mail to Bob and Eve that there
    may be, by kind and recipient."""

    async def run(
        mode: Mode = "unless-refused", objected: tuple[Objected, ...] = ()
    ) -> list[tuple[Kind, int]]:
        sent = make_sent(recipients=(BOB, "Eve@Example.org"), objected=objected)
        await store.record_sent(sent)
        kinds: tuple[Kind, ...] = ("open", "click")
        hits = [a_hit(sent.message_id, kind, who) for kind in kinds for who in (0, 1, 2)]
        return [(each.kind, each.recipient) for each in await keep(store, hits, mode)]

    return run


ALL = [("open", 0), ("open", 1), ("open", 2), ("click", 0), ("click", 1), ("click", 2)]


async def test_where_nobody_decided_all_is_kept_as_the_mode_says(ask: Ask) -> None:
    assert await ask("unless-refused") == ALL
    assert await ask("always") == ALL
    assert await ask("only-consented") == []


async def test_a_refusal_is_for_one_kind_and_for_the_shared_copy(
    ask: Ask, consents: Consents, sender_id: int
) -> None:
    await consents.decide(sender_id, EVE, {"open": False}, how="notice")
    assert await ask() == [("open", 1), ("click", 0), ("click", 1), ("click", 2)]
    assert await ask("always") == ALL
    await consents.decide(sender_id, EVE, {"open": True}, how="notice")
    assert await ask() == ALL
    assert await ask("only-consented") == [("open", 2)]


async def test_who_was_not_tracked_from_the_first_is_not_in_the_way_of_others(
    ask: Ask, consents: Consents, sender_id: int
) -> None:
    await consents.decide(sender_id, EVE, {"open": False, "click": False}, how="notice")
    before = (Objected(2, "open", "refused"),)
    assert await ask(objected=before) == [("open", 0), ("open", 1), ("open", 2), ("click", 1)]
    await consents.decide(sender_id, BOB, {"open": False}, how="notice")
    assert await ask(objected=before) == [("open", 2), ("click", 1)]


async def test_a_senders_own_mode_and_his_recipients_alone(
    ask: Ask, consents: Consents, sender_id: int, store: Store, add_sender: Callable
) -> None:
    await consents.decide(await add_sender("ben"), EVE, {"open": False}, how="notice")
    assert await ask() == ALL
    await consents.decide(sender_id, EVE, {"open": False}, how="notice")
    await store.write(lambda connection: connection.execute(update(sender), {"consent": "always"}))
    assert await ask("only-consented") == ALL


async def test_a_place_that_is_no_recipients_is_nobodys(
    store: Store, consents: Consents, sender_id: int, make_sent: Callable[..., Sent]
) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    await consents.decide(sender_id, EVE, {"open": False}, how="notice")
    hits = [a_hit(sent.message_id, "open", 7), a_hit(99, "open", 0)]
    assert await keep(store, hits) == hits[:1]


@pytest.mark.sqlite
async def test_without_refusals_it_costs_a_look_into_an_index_and_no_query(
    store: Store,
    consents: Consents,
    sender_id: int,
    make_sent: Callable[..., Sent],
    database: Path,
) -> None:
    await consents.decide(sender_id, EVE, {"open": True}, how="import")
    made = [make_sent() for _ in range(20)]
    for each in made:
        await store.record_sent(each)
    asked: list[str] = []
    engine = store._writer._connection.engine
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    hits = [a_hit(each.message_id, "open", 0) for each in made]
    assert await keep(store, hits) == hits
    [query] = [each for each in asked if re.match(r"SELECT .*\sFROM message\b", each, re.DOTALL)]
    with sqlite3.connect(database) as connection:
        values = [1] * query.count("?")
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    connection.close()
    assert not [step for step in plan if step.startswith("SCAN")], plan
    assert [step for step in plan if "ix_consent_sender_id (sender_id=? AND granted=?" in step]


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[Recorder]:
    made = Recorder(store, Feed())
    yield made
    await made.close()


async def test_of_what_is_withheld_nothing_is_kept_but_its_number(
    store: Store,
    consents: Consents,
    sender_id: int,
    recorder: Recorder,
    make_sent: Callable[..., Sent],
) -> None:
    sent = make_sent(recipients=(BOB,))
    await store.record_sent(sent)
    counters = (metrics.HITS_WITHHELD, metrics.HITS_UNKNOWN)
    before = [each._value.get() for each in counters]
    await recorder.record(a_hit(sent.message_id, "open", 0))
    await consents.decide(sender_id, BOB, {"open": False}, how="notice")
    for _ in range(3):
        await recorder.record(a_hit(sent.message_id, "open", 1))
    await recorder.record(a_hit(99, "open", 0))
    assert [each._value.get() for each in counters] == [before[0] + 3, before[1] + 1]
    assert len(await store.read(select(hit.c.id))) == 1
    assert len(await store.read(select(agent.c.id))) == 1
    [row] = await store.read(select(message.c.raw_open_count))
    assert row.raw_open_count == 1
