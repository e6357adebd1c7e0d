"""What is too old goes, and nothing else: by a clock that is turned."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hits import add_hits, make_hit
from sqlalchemy import select

from collector import metrics, retention
from collector.erasing import ROWS
from collector.errors import StoreUnavailable
from collector.keeping import DAY_MS
from collector.retention import Ages, Retention
from collector.schema import hit, message, notification
from collector.store import Sent, Store
from collector.tokens import mint_message_id

MakeSent = Callable[..., Sent]
NOW_MS = 1_800_000_000_000


def at(days: float) -> int:
    """So many days ago."""
    return int(NOW_MS - days * DAY_MS)


async def add_message(store: Store, make_sent: MakeSent, days: float) -> int:
    at_ms = at(days)
    sent = make_sent(message_id=mint_message_id(at_ms, 7), sent_at_ms=at_ms)
    await store.record_sent(sent)
    return sent.message_id


async def add_opens(store: Store, message_id: int, *times: int) -> None:
    await add_hits(store, *(make_hit(message_id, at_ms) for at_ms in times))


async def sweep(store: Store, **ages: float) -> None:
    await Retention(store, Ages(**ages), now_ms=lambda: NOW_MS).sweep()


async def kept(store: Store) -> tuple[list[int], list[int]]:
    """The ids of messages, the times of hits."""
    messages = await store.read(select(message.c.id).order_by(message.c.id))
    hits = await store.read(select(hit.c.at_ms).order_by(hit.c.id))
    return [row.id for row in messages], [row.at_ms for row in hits]


async def test_nothing_goes_unless_it_is_asked_for(store: Store, make_sent: MakeSent) -> None:
    old = await add_message(store, make_sent, 9_000)
    await add_opens(store, old, at(8_000))
    await sweep(store)
    assert await kept(store) == ([old], [at(8_000)])


async def test_messages_go_with_their_hits(store: Store, make_sent: MakeSent) -> None:
    old, edge, new = [await add_message(store, make_sent, days) for days in (30.001, 30, 1)]
    for each in (old, edge, new):
        await add_opens(store, each, at(0.5))
    before = metrics.AGED_OUT.labels("message")._value.get()
    await sweep(store, messages=30)
    assert await kept(store) == ([edge, new], [at(0.5)] * 2)
    assert metrics.AGED_OUT.labels("message")._value.get() == before + 1


async def test_hits_go_by_their_own_age_and_stay_counted(store: Store, make_sent: MakeSent) -> None:
    sent = await add_message(store, make_sent, 100)
    # Out of their order: a clock was wrong for a while.
    await add_opens(store, sent, at(1), at(31), at(30), at(40), at(2))
    before = metrics.AGED_OUT.labels("hit")._value.get()
    await sweep(store, hits=30)
    assert await kept(store) == ([sent], [at(1), at(30), at(2)])
    assert metrics.AGED_OUT.labels("hit")._value.get() == before + 2
    [row] = await store.read(select(message.c.open_count, message.c.raw_open_count))
    assert tuple(row) == (5, 5)


@pytest.mark.parametrize(("hits", "days"), [(0, 90), (30, 30), (400, 90)])
async def test_notifications_age_by_themselves_and_with_hits(
    store: Store, make_sent: MakeSent, hits: float, days: float
) -> None:
    for age in (days - 0.1, days + 0.1):
        await add_opens(store, await add_message(store, make_sent, age), at(age))
    await sweep(store, hits=hits)
    rows = await store.read(select(notification.c.last_ms))
    assert [row.last_ms for row in rows] == [at(days - 0.1)]


async def test_many_go_in_pieces_while_hits_come(
    store: Store, make_sent: MakeSent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STRIDE", 2_300)
    sent = await add_message(store, make_sent, 100)
    await add_opens(store, sent, *[at(50)] * 5_000, at(1), *[at(50)] * 200)
    change, sizes = store.change, []

    async def watch(statement: object, values: dict[str, object]) -> int:
        sizes.append(await change(statement, values))  # type: ignore[arg-type]
        return sizes[-1]

    monkeypatch.setattr(store, "change", watch)
    sweeping = asyncio.create_task(sweep(store, hits=30))
    came = 0
    while not sweeping.done():
        await add_opens(store, sent, NOW_MS)
        came += 1
    await sweeping
    assert came > 1
    assert max(sizes) == ROWS
    assert sum(sizes) == 5_200 + 1  # hits, and the notification of the first
    assert (await kept(store))[1] == [at(1), *[NOW_MS] * came]


async def test_an_empty_store(store: Store) -> None:
    await sweep(store, messages=1, hits=1)
    assert await kept(store) == ([], [])


async def test_it_sweeps_by_itself_and_an_outage_is_waited_out(
    store: Store, make_sent: MakeSent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FIRST_SECONDS", 0)
    monkeypatch.setattr(retention, "SWEEP_SECONDS", 0)
    await add_message(store, make_sent, 9)
    read, swept = store.read, asyncio.Event()
    outages = iter([StoreUnavailable("it is away")])

    async def fail_once(statement: object, values: object = None) -> Sequence[object]:
        if outage := next(outages, None):
            raise outage
        rows = await read(statement, values)  # type: ignore[arg-type]
        if not rows:
            swept.set()
        return rows

    monkeypatch.setattr(store, "read", fail_once)
    running = asyncio.create_task(Retention(store, Ages(messages=1), lambda: NOW_MS).run())
    await asyncio.wait_for(swept.wait(), 20)
    running.cancel()
    monkeypatch.undo()
    assert await kept(store) == ([], [])
