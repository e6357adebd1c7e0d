"""Who guesses waits: by login, by address, and strangers lock nobody out."""

import math

import pytest

from collector import attempts as module
from collector.attempts import Attempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(clock=clock)


def waits(attempts: Attempts, peer: str, login: str) -> int:
    """Whole seconds; 0 for one who may try."""
    return math.ceil(attempts.wait(peer, login))


def fail(attempts: Attempts, times: int, peer: str, login: str) -> None:
    for _ in range(times):
        attempts.fail(peer, login)


def test_the_fifth_failure_of_a_login_costs_a_second_and_each_further_one_twice_as_much(
    attempts: Attempts, clock: Clock
) -> None:
    fail(attempts, 4, "192.0.2.1", "ana")
    assert waits(attempts, "192.0.2.1", "ana") == 0
    told = []
    for _ in range(10):
        attempts.fail("192.0.2.1", "ana")
        told.append(waits(attempts, "192.0.2.1", "ana"))
    assert told == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert waits(attempts, "192.0.2.1", "ben") == 0
    assert waits(attempts, "192.0.2.2", "ana") == 0
    clock.now += 300
    assert waits(attempts, "192.0.2.1", "ana") == 0


@pytest.mark.parametrize("login", ["ANA", " ana ", "\uff21na"])
def test_spellings_of_a_login_count_together(attempts: Attempts, login: str) -> None:
    fail(attempts, 3, "192.0.2.1", "ana")
    fail(attempts, 2, "192.0.2.1", login)
    assert waits(attempts, "192.0.2.1", "ana") == 1


def test_an_address_has_twenty_failures_whatever_the_login(attempts: Attempts) -> None:
    for number in range(20):
        assert waits(attempts, "192.0.2.1", f"guess {number}") == 0
        attempts.fail("192.0.2.1", f"guess {number}")
    assert waits(attempts, "192.0.2.1", "another") == 1
    assert waits(attempts, "192.0.2.2", "another") == 0


def test_a_customers_ipv6_addresses_are_one(attempts: Attempts) -> None:
    for number in range(5):
        attempts.fail(f"2001:db8::{number}", "ana")
    assert waits(attempts, "2001:db8::ffff", "ana") == 1
    assert waits(attempts, "2001:db8:0:1::1", "ana") == 0


def test_a_success_forgives_its_login_and_not_its_address(attempts: Attempts) -> None:
    """Or whoever has a login could guess those of others for ever."""
    for _ in range(5):
        fail(attempts, 4, "192.0.2.1", "victim")
        attempts.succeed("192.0.2.1", "mallory")
    assert waits(attempts, "192.0.2.1", "victim") > 0
    assert waits(attempts, "192.0.2.1", "another") > 0
    fail(attempts, 4, "192.0.2.2", "ana")
    attempts.succeed("192.0.2.2", "ana")
    fail(attempts, 4, "192.0.2.2", "ana")
    assert waits(attempts, "192.0.2.2", "ana") == 0


def test_a_login_guessed_from_everywhere_waits_but_where_it_is_known(attempts: Attempts) -> None:
    attempts.succeed("192.0.2.1", "ana")
    for number in range(60):
        attempts.fail(f"198.51.100.{number}", "ana")
    assert waits(attempts, "203.0.113.1", "ana") == 300
    assert waits(attempts, "192.0.2.1", "ana") == 0
    assert waits(attempts, "203.0.113.1", "ben") == 0


def test_a_neighbours_forgotten_password_locks_nobody_out(attempts: Attempts) -> None:
    attempts.succeed("192.0.2.1", "ana")
    fail(attempts, 40, "192.0.2.1", "ben")
    assert waits(attempts, "192.0.2.1", "ana") == 0
    assert waits(attempts, "192.0.2.1", "cleo") == 300
    fail(attempts, 5, "192.0.2.1", "ana")
    assert waits(attempts, "192.0.2.1", "ana") == 1


def test_a_login_that_is_none_for_its_length_is_not_kept_whole(attempts: Attempts) -> None:
    fail(attempts, 5, "192.0.2.1", "a" * 9_000)
    assert waits(attempts, "192.0.2.1", "a" * 8_000) == 1
    assert "a" * 1_000 not in repr(vars(attempts._by_both))


def test_memory_is_bounded(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    for number in range(5):
        attempts.succeed("192.0.2.1", f"login {number}")
    assert len(attempts._known) == 3


def test_what_is_excused_counts_nowhere(attempts: Attempts) -> None:
    for _ in range(80):
        attempts.fail("192.0.2.1", "ana")
        attempts.excuse("192.0.2.1", "ana")
    assert waits(attempts, "192.0.2.1", "ana") == 0
    assert waits(attempts, "192.0.2.1", "ben") == 0
    assert waits(attempts, "192.0.2.2", "ana") == 0
