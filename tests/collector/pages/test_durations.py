import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.pages.durations import after_sent, say_often, spell

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-5 * MINUTE, "a moment"),
        (0, "a moment"),
        (999, "a moment"),
        (SECOND, "1 second"),
        (59 * SECOND + 999, "59 seconds"),
        (MINUTE, "1 minute"),
        (2 * MINUTE, "2 minutes"),
        (HOUR - 1, "59 minutes"),
        (HOUR, "1 hour"),
        (DAY - 1, "23 hours"),
        (DAY, "1 day"),
        (7 * DAY, "1 week"),
        (29 * DAY, "4 weeks"),
        (30 * DAY, "1 month"),
        (364 * DAY, "12 months"),
        (730 * DAY, "2 years"),
    ],
)
def test_spell_rounds_down_to_the_largest_unit(milliseconds: int, words: str) -> None:
    assert spell(milliseconds) == words


@given(st.integers(min_value=SECOND, max_value=100 * 365 * DAY))
def test_spell_never_counts_zero_and_knows_its_plural(milliseconds: int) -> None:
    count, unit = spell(milliseconds).split()
    assert int(count) >= 1
    assert unit.endswith("s") == (int(count) != 1)


def test_after_sent_measures_from_the_sending() -> None:
    assert after_sent(1_000_000 + 2 * MINUTE, 1_000_000) == "2 minutes after it was sent"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (0, "3 times within a minute"),
        (MINUTE, "3 times within a minute"),
        (MINUTE + 1, "3 times within 2 minutes"),
        (2 * MINUTE, "3 times within 2 minutes"),
        (HOUR - 1, "3 times within 1 hour"),
        (26 * HOUR, "3 times within 2 days"),
    ],
)
def test_how_often_within_how_long(span: int, words: str) -> None:
    assert say_often([5, 5 + span // 2, 5 + span]) == words


@given(st.integers(min_value=MINUTE + 1, max_value=100 * 365 * DAY))
def test_within_is_never_too_short(span: int) -> None:
    _, _, words = say_often([0, span]).partition("within ")
    number, unit = words.split()
    sizes = {"year": 365 * DAY, "month": 30 * DAY, "week": 7 * DAY, "day": DAY, "hour": HOUR}
    assert int(number) * {**sizes, "minute": MINUTE}[unit.rstrip("s")] >= span
