"""Who guesses waits: by login, by address, and strangers lock nobody out."""

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


def test_the_fifth_failure_of_a_login_costs_a_second_and_each_further_one_twice_as_much(
    guard: Guard, clock: Clock
) -> None:
    fail(guard, 4, "192.0.2.1", "ana")
    assert waits(guard, "192.0.2.1", "ana") == 0
    told = []
    for _ in range(10):
        guard.fail("192.0.2.1", "ana")
        told.append(waits(guard, "192.0.2.1", "ana"))
    assert told == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert waits(guard, "192.0.2.1", "ben") == 0
    assert waits(guard, "192.0.2.2", "ana") == 0
    clock.now += 300
    assert waits(guard, "192.0.2.1", "ana") == 0


@pytest.mark.parametrize("login", ["ANA", " ana ", "\uff21na"])
def test_spellings_of_a_login_count_together(guard: Guard, login: str) -> None:
    fail(guard, 3, "192.0.2.1", "ana")
    fail(guard, 2, "192.0.2.1", login)
    assert waits(guard, "192.0.2.1", "ana") == 1


def test_an_address_has_twenty_failures_whatever_the_login(guard: Guard) -> None:
    for number in range(20):
        assert waits(guard, "192.0.2.1", f"guess {number}") == 0
        guard.fail("192.0.2.1", f"guess {number}")
    assert waits(guard, "192.0.2.1", "another") == 1
    assert waits(guard, "192.0.2.2", "another") == 0


def test_a_customers_ipv6_addresses_are_one(guard: Guard) -> None:
    for number in range(5):
        guard.fail(f"2001:db8::{number}", "ana")
    assert waits(guard, "2001:db8::ffff", "ana") == 1
    assert waits(guard, "2001:db8:0:1::1", "ana") == 0


def test_a_success_forgives_its_login_and_not_its_address(guard: Guard) -> None:
    """Or whoever has a login could guess those of others for ever."""
    for _ in range(5):
        fail(guard, 4, "192.0.2.1", "victim")
        guard.succeed("192.0.2.1", "mallory")
    assert waits(guard, "192.0.2.1", "victim") > 0
    assert waits(guard, "192.0.2.1", "another") > 0
    fail(guard, 4, "192.0.2.2", "ana")
    guard.succeed("192.0.2.2", "ana")
    fail(guard, 4, "192.0.2.2", "ana")
    assert waits(guard, "192.0.2.2", "ana") == 0


def test_a_login_guessed_from_everywhere_waits_but_where_it_is_known(guard: Guard) -> None:
    guard.succeed("192.0.2.1", "ana")
    for number in range(60):
        guard.fail(f"198.51.100.{number}", "ana")
    assert waits(guard, "203.0.113.1", "ana") == 300
    assert waits(guard, "192.0.2.1", "ana") == 0
    assert waits(guard, "203.0.113.1", "ben") == 0


def test_a_neighbours_forgotten_password_locks_nobody_out(guard: Guard) -> None:
    guard.succeed("192.0.2.1", "ana")
    fail(guard, 40, "192.0.2.1", "ben")
    assert waits(guard, "192.0.2.1", "ana") == 0
    assert waits(guard, "192.0.2.1", "cleo") == 300
    fail(guard, 5, "192.0.2.1", "ana")
    assert waits(guard, "192.0.2.1", "ana") == 1


def test_a_login_that_is_none_for_its_length_is_not_kept_whole(guard: Guard) -> None:
    fail(guard, 5, "192.0.2.1", "a" * 9_000)
    assert waits(guard, "192.0.2.1", "a" * 8_000) == 1
    assert "a" * 1_000 not in repr(vars(guard._by_both))


def test_memory_is_bounded(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    for number in range(5):
        guard.succeed("192.0.2.1", f"login {number}")
    assert len(guard._known) == 3


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
