"""What is known of who is signed in, and how all of it ends."""

import asyncio

import pytest

from collector import sessions as module
from collector.sessions import Sessions
from collector.store import Store

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Clock:
    now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "_now_ms", clock)
    return clock


async def test_of_a_browser_its_family_is_kept(store: Store, sender_id: int) -> None:
    sessions = Sessions(store)
    token = await sessions.open(sender_id, 60, FIREFOX)
    [found] = await sessions.list(sender_id, token)
    assert (found.browser, found.is_this) == ("Firefox on Linux", True)
    assert found.created_at_ms == found.last_used_at_ms


async def test_this_one_first_then_the_latest_used(
    store: Store, sender_id: int, clock: Clock
) -> None:
    sessions = Sessions(store)
    tokens = []
    for _ in range(3):
        clock.now_ms += 1_000
        tokens.append(await sessions.open(sender_id, 60))
    found = await sessions.list(sender_id, tokens[0])
    assert [each.is_this for each in found] == [True, False, False]
    assert [each.last_used_at_ms - clock.now_ms for each in found] == [-2_000, 0, -1_000]


async def test_use_is_noted_by_the_hour(store: Store, sender_id: int, clock: Clock) -> None:
    sessions = Sessions(store)
    token = await sessions.open(sender_id, 86_400)
    opened_ms = clock.now_ms

    async def used() -> int | None:
        assert await sessions.owner(token) == sender_id
        await store.check()  # behind it in the writer's line
        [found] = await sessions.list(sender_id, token)
        return found.last_used_at_ms

    clock.now_ms += module.NOTE_MS - 1
    assert await used() == opened_ms
    clock.now_ms += 1
    assert await used() == clock.now_ms


async def test_one_senders_are_not_anothers(store: Store, sender_id: int, add_sender) -> None:
    sessions = Sessions(store)
    eve = await add_sender("eve")
    mine, hers = await asyncio.gather(sessions.open(sender_id, 60), sessions.open(eve, 60))
    assert [each.is_this for each in await sessions.list(eve, mine)] == [False]
    await sessions.close_all(sender_id)
    assert await sessions.owner(mine) is None
    assert await sessions.owner(hers) == eve
    assert await sessions.list(sender_id, mine) == ()


async def test_what_is_over_is_not_listed(store: Store, sender_id: int, clock: Clock) -> None:
    sessions = Sessions(store)
    token = await sessions.open(sender_id, 10)
    clock.now_ms += 10_000
    assert await sessions.owner(token) is None
    assert await sessions.list(sender_id, token) == ()
