"""Who guesses is told to wait, and few of an address are tried at a time."""

import asyncio

import pytest

from relay import guard as module
from relay.envelope import Refusal
from relay.guard import Guard
from relay.wire import Hangup

WAIT = "421 4.7.0 Too many wrong logins; try again in "


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Guard:
    return Guard(clock=clock)


def waits(guard: Guard, peer: str, login: str) -> int:
    """The seconds that the reply names; 0 for one who may try."""
    try:
        guard.check(peer, login)
    except Hangup as hangup:
        reply = hangup.reply.wire().decode()
        return int(reply.removeprefix(WAIT).removesuffix(" s\r\n"))
    return 0


def fail(guard: Guard, times: int, peer: str, login: str) -> None:
    for _ in range(times):
        guard.fail(peer, login)


def test_who_guesses_is_told_how_long_to_wait(guard: Guard, clock: Clock) -> None:
    """What counts as guessing is tests/collector/test_attempts.py's."""
    fail(guard, 4, "192.0.2.1", "ana")
    assert waits(guard, "192.0.2.1", "ana") == 0
    fail(guard, 2, "192.0.2.1", "ana")
    assert waits(guard, "192.0.2.1", "ana") == 2
    clock.now += 0.5
    assert waits(guard, "192.0.2.1", "ana") == 2
    guard.succeed("192.0.2.1", "ana")
    assert waits(guard, "192.0.2.1", "ana") == 0


async def test_few_of_an_address_are_tried_at_a_time(guard: Guard) -> None:
    within: list[str] = []
    go_on = asyncio.Event()

    async def log_in(peer: str) -> None:
        async with guard.turn(peer):
            within.append(peer)
            await go_on.wait()

    tasks = [asyncio.create_task(log_in("192.0.2.1")) for _ in range(9)]
    tasks.append(asyncio.create_task(log_in("192.0.2.2")))
    tasks.append(asyncio.create_task(log_in("192.0.2.1")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert sorted(within) == ["192.0.2.1"] * module.AT_ONCE + ["192.0.2.2"]
    tasks[-1].cancel()  # one who waits
    tasks[0].cancel()  # one who is within
    await asyncio.gather(tasks[0], tasks[-1], return_exceptions=True)
    go_on.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(within) == 10
    assert not guard._turns


async def test_a_turn_is_not_waited_for_for_ever(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    monkeypatch.setattr(module, "TURN_SECONDS", 0.01)
    async with guard.turn("192.0.2.1"):
        with pytest.raises(Refusal, match=r"454.*Too many logins at once"):
            async with guard.turn("192.0.2.1"):
                pytest.fail("it had its turn")
    async with guard.turn("192.0.2.1"):
        pass
