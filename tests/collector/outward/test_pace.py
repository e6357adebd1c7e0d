"""When what failed is tried again, and when nobody tries any more."""

from hypothesis import given
from hypothesis import strategies as st

from collector.outward.pace import LIFETIME, MIN_FAILURES, PATIENCE, WAITS, is_hopeless, wait

CHANCES = st.floats(0, 1)


@given(st.integers(1, len(WAITS)), CHANCES)
def test_waits_grow_and_no_two_need_be_alike(attempts: int, chance: float) -> None:
    seconds = wait(attempts, chance)
    assert seconds is not None
    assert 0.79 < seconds / WAITS[attempts - 1] < 1.21
    longer = wait(attempts + 1, chance)
    assert longer is None or longer > seconds


@given(CHANCES)
def test_one_notification_is_tried_for_a_day_at_most(chance: float) -> None:
    assert sum(wait(n, chance) or 0 for n in range(1, len(WAITS) + 1)) <= LIFETIME
    assert wait(len(WAITS) + 1, chance) is None


def test_a_target_is_given_up_after_days_and_many_failures() -> None:
    long_ms = int(PATIENCE * 1000)
    assert is_hopeless(MIN_FAILURES, long_ms)
    assert not is_hopeless(MIN_FAILURES - 1, long_ms)
    assert not is_hopeless(1_000, long_ms - 1)
