"""One's own message can be stopped and erased, in pieces, and nobody else's."""

import asyncio
from collections.abc import Callable

import pytest
from hits import add_hits, make_hit
from sqlalchemy import func, select

from collector import erasing
from collector.erasing import erase, find_owner, stop
from collector.schema import hit, message
from collector.store import Sent, Store

MakeSent = Callable[..., Sent]


async def hits_by_message(store: Store) -> dict[int, int]:
    query = select(hit.c.message_id, func.count()).group_by(hit.c.message_id)
    return {row[0]: row[1] for row in await store.read(query)}


@pytest.fixture
async def two(store: Store, make_sent: MakeSent) -> tuple[Sent, Sent]:
    """Two messages with two hits each."""
    sent = make_sent(), make_sent()
    for each in sent:
        await store.record_sent(each)
        await add_hits(store, *[make_hit(each.message_id)] * 2)
    return sent


async def test_nothing_more_is_recorded_of_a_stopped_one(
    store: Store, two: tuple[Sent, Sent]
) -> None:
    stopped, other = two
    assert await stop(store, stopped.sender_id, stopped.message_id)
    assert await add_hits(store, make_hit(stopped.message_id)) == []
    assert len(await add_hits(store, make_hit(other.message_id))) == 1
    assert await hits_by_message(store) == {stopped.message_id: 2, other.message_id: 3}
    columns = (message.c.stopped_at_ms, message.c.open_count)
    [now, before] = await store.read(select(*columns).order_by(message.c.id))
    assert now.stopped_at_ms is not None
    assert (now.open_count, before.stopped_at_ms) == (2, None)
    assert await stop(store, stopped.sender_id, stopped.message_id)
    [again, _] = await store.read(select(*columns).order_by(message.c.id))
    assert again == now


async def test_an_erased_one_is_gone_with_its_hits(store: Store, two: tuple[Sent, Sent]) -> None:
    gone, other = two
    assert await erase(store, gone.sender_id, gone.message_id)
    assert await find_owner(store, gone.message_id) is None
    assert await add_hits(store, make_hit(gone.message_id)) == []
    assert await hits_by_message(store) == {other.message_id: 2}
    assert [row.id for row in await store.read(select(message.c.id))] == [other.message_id]
    assert not await erase(store, gone.sender_id, gone.message_id)
    assert not await stop(store, gone.sender_id, gone.message_id)


async def test_another_senders_are_out_of_reach(store: Store, two: tuple[Sent, Sent]) -> None:
    before = await store.read(select(message))
    for change in (stop, erase):
        assert not await change(store, two[0].sender_id + 1, two[0].message_id)
    assert await store.read(select(message)) == before
    assert await hits_by_message(store) == {each.message_id: 2 for each in two}


async def test_hits_go_in_pieces_while_others_come(
    store: Store, two: tuple[Sent, Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, no transaction takes more than so many rows."""
    monkeypatch.setattr(erasing, "ROWS", 10)
    gone, other = two
    await add_hits(store, *[make_hit(gone.message_id)] * 95)
    sizes: list[int] = []
    change = store.change

    async def watch(statement: object, values: object) -> int:
        changed = await change(statement, values)  # type: ignore[arg-type]
        sizes.append(changed)
        return changed

    monkeypatch.setattr(store, "change", watch)
    erased = asyncio.create_task(erase(store, gone.sender_id, gone.message_id))
    while not erased.done():
        # On the one until its message is gone.
        await add_hits(store, make_hit(gone.message_id), make_hit(other.message_id))
    assert await erased
    assert max(sizes) == 10
    assert sum(sizes) >= 97
    assert set(await hits_by_message(store)) == {other.message_id}
