"""When something that is away is looked for: one probe at a time, ever later."""

from hypothesis import given
from hypothesis import strategies as st

from relay.health import Health


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_there_until_an_attempt_fails() -> None:
    health = Health(clock=Clock())
    assert health.may_try()
    assert not health.begin()
    assert not health.answered()
    assert (health.is_away, health.seconds_to_probe) == (False, 0)
    assert health.failed(probe=False)
    assert (health.is_away, health.seconds_to_probe) == (True, 5)


def test_a_day_costs_293_attempts() -> None:
    clock = Clock()
    health = Health(clock=clock)
    health.failed(probe=False)
    end, attempts = clock.now + 86_400, 1
    while (due := clock.now + health.seconds_to_probe) < end:
        clock.now = due
        assert health.may_try()
        assert health.begin()
        health.failed(probe=True)
        attempts += 1
    assert attempts == 293


def test_one_probe_at_a_time_and_who_gives_up_lets_another() -> None:
    clock = Clock()
    health = Health(clock=clock)
    health.failed(probe=False)
    assert health.begin()
    assert not health.begin()
    clock.now += 5
    assert not health.may_try()
    health.gave_up(probe=False)
    assert not health.may_try()
    health.gave_up(probe=True)
    assert health.may_try()
    assert health.begin()


def test_those_that_began_before_it_went_tell_nothing_new() -> None:
    clock = Clock()
    health = Health(clock=clock)
    assert health.failed(probe=False)
    clock.now += 3
    assert not health.failed(probe=False)
    assert health.seconds_to_probe == 2


def test_an_answer_brings_it_back_and_the_waits_begin_anew() -> None:
    clock = Clock()
    health = Health(clock=clock, first=60, longest=100)
    health.failed(probe=False)
    health.begin()
    health.failed(probe=True)
    assert health.seconds_to_probe == 100
    assert health.answered()
    assert health.may_try()
    assert health.failed(probe=False)
    assert health.seconds_to_probe == 60


@given(st.lists(st.sampled_from(["begin", "failed", "answered", "gave up", "time"])))
def test_whatever_happens_it_will_be_tried_again(events: list[str]) -> None:
    clock = Clock()
    health = Health(clock=clock)
    probes = 0
    for event in events:
        match event:
            case "begin":
                probes += health.begin()
                assert probes <= 1
            case "failed":
                health.failed(probe=bool(probes))
                probes = 0
            case "answered":
                health.answered()
                probes = 0
            case "gave up":
                health.gave_up(probe=bool(probes))
                probes = 0
            case "time":
                clock.now += 7
        assert health.seconds_to_probe <= 300
    clock.now += 300
    assert health.may_try() is not bool(probes)
