"""Figures as people read them."""

from datetime import UTC, date, datetime

import pytest

from collector.pages import speech
from collector.pages.figures import say_clicks, say_opens, view, write_number, write_share
from collector.pages.languages import FOLDER, read_languages
from collector.periods import DAY_MS, Period

TODAY = date(2026, 11, 29)
NOVEMBER_28 = int(datetime(2026, 11, 28, tzinfo=UTC).timestamp() * 1000)


def day(number: int, **figures: int) -> Period:
    return Period(NOVEMBER_28 + number * DAY_MS, **figures)


def test_the_newest_day_comes_first_and_all_are_summed() -> None:
    found = view(
        [
            day(0, sent=3, tracked=2, opened=1, raw_opened=2, opens_tracked=2, clicks_tracked=1),
            day(1, sent=1, tracked=1, clicked=1, raw_clicked=1, opens_tracked=1, clicks_tracked=1),
        ],
        DAY_MS,
        TODAY,
    )
    assert [(each.day, each.sent) for each in found.lines] == [("Nov 29", 1), ("Nov 28", 3)]
    assert (found.total.sent, found.total.opened.people, found.total.opened.machines) == (4, 1, 1)
    assert (found.opens.share, found.opens.part, found.opens.whole) == ("33%", "1", "3")
    assert found.opens.if_raw == "67%"
    assert (found.clicks.share, found.clicks.if_raw) == ("50%", "")
    assert found.tracked == "3 of them tracked"
    assert found.days.replace("\u2009", " ") == "Nov 28 – 29, 2026"  # noqa: RUF001 - as Unicode's CLDR has it


def test_a_week_that_is_not_over_ends_today() -> None:
    found = view([day(-5), day(2)], 7 * DAY_MS, TODAY)
    assert found.days.replace("\u2009", " ") == "Nov 23 – 29, 2026"  # noqa: RUF001


@pytest.mark.parametrize(
    ("sent", "tracked", "words"),
    [
        (2, 2, "all of them tracked"),
        (2, 0, "none of them tracked"),
        (2000, 1234, "1,234 of them tracked"),
    ],
)
def test_how_many_are_tracked(sent: int, tracked: int, words: str) -> None:
    assert view([day(0, sent=sent, tracked=tracked)], DAY_MS, TODAY).tracked == words


def test_without_tracked_mail_there_is_no_rate() -> None:
    found = view([day(0, sent=2)], DAY_MS, TODAY)
    assert (found.opens.share, found.opens.is_known, found.clicks.is_known) == ("—", False, False)


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [
        (0, 7, "0%"),
        (1, 1000, "< 1%"),
        (1, 100, "1%"),
        (1, 3, "33%"),
        (999, 1000, "> 99%"),
        (7, 7, "100%"),
    ],
)
def test_a_share_is_never_none_of_some_nor_all_of_less(part: int, whole: int, share: str) -> None:
    assert write_share(part, whole) == share


def test_numbers_and_days_are_written_as_the_language_has_them() -> None:
    speech.speak(read_languages(FOLDER / "sender")["de"])
    try:
        assert write_number(12345) == "12.345"
        assert write_share(1, 3) == "33\xa0%"
        assert view([day(0)], DAY_MS, TODAY).lines[0].day == "28. Nov."
    finally:
        speech.speak(read_languages()["en"])
    assert write_number(12345) == "12,345"
    assert [say_clicks(1), say_opens(2000)] == ["1 click", "2,000 opens"]
