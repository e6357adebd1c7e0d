from collector import throttle
from collector.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make(clock: Clock) -> Throttle:
    return Throttle(free=3, window=100, longest=60, clock=clock)


def test_the_first_failures_are_free() -> None:
    tries = make(Clock())
    for _ in range(2):
        tries.fail("ana")
    assert tries.wait("ana") == 0.0


def test_each_further_failure_doubles_the_wait_up_to_the_longest() -> None:
    clock = Clock()
    tries = make(clock)
    waits = []
    for _ in range(11):
        tries.fail("ana")
        waits.append(tries.wait("ana"))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_waiting_ends_the_wait_and_the_window_forgets() -> None:
    clock = Clock()
    tries = make(clock)
    for _ in range(4):
        tries.fail("ana")
    clock.now = 1.5
    assert tries.wait("ana") == 0.5
    clock.now = 2.0
    assert tries.wait("ana") == 0.0
    clock.now = 101.0
    tries.fail("ana")
    assert tries.wait("ana") == 0.0


def test_keys_are_apart_and_success_forgives() -> None:
    tries = make(Clock())
    for _ in range(5):
        tries.fail("ana")
    assert tries.wait("ben") == 0.0
    tries.forgive("ana")
    assert tries.wait("ana") == 0.0


def test_a_failure_that_was_none_is_taken_back() -> None:
    tries = make(Clock())
    tries.excuse("ana")
    for _ in range(4):
        tries.fail("ana")
        tries.excuse("ana")
    assert tries.wait("ana") == 0.0
    for _ in range(3):
        tries.fail("ana")
    assert tries.wait("ana") == 1.0


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(throttle, "REMEMBERED", 2)
    tries = make(Clock())
    for _ in range(4):
        tries.fail("ana")
    tries.fail("ben")
    tries.fail("cid")
    assert tries.wait("ana") == 0.0
