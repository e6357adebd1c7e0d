"""A sender's figures as the overview shows them: numbers, shares and days, as they are written in
the reader's language. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from babel.dates import format_interval, format_skeleton
from babel.numbers import format_decimal, format_percent

from collector.pages.speech import current, say, say_number
from collector.periods import DAY_MS, Period


@dataclass(frozen=True, slots=True)
class Seen:
    """How many mails were opened, or had a link followed: as it is believed, and how many more that
    machines alone fetched from."""

    people: int
    machines: int


@dataclass(frozen=True, slots=True)
class Line:
    """A day or week of the table."""

    day: str  # its first
    sent: int
    opened: Seen
    clicked: Seen


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of mails, written out: what is believed, of how many mails that it is how many."""

    share: str
    part: str
    whole: str
    if_raw: str  # the share if machines counted; "" where it is the same

    @property
    def is_known(self) -> bool:
        """Whether there is any mail to have a share of."""
        return bool(self.whole)


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the mail of some days; `total` is of all of them, `days` tells which."""

    days: str
    lines: tuple[Line, ...]  # the newest first
    total: Line
    sent: str
    tracked: str
    opens: Rate
    clicks: Rate


def view(periods: Sequence[Period], length_ms: int, today: date) -> Figures:
    """The figures of periods of that length, oldest first; at least one."""
    first = _day(periods[0].begin_ms)
    last = min(_day(periods[-1].begin_ms + length_ms - DAY_MS), today)
    total = _sum(periods)
    return Figures(
        days=_spell_days(first, last),
        lines=tuple(_line(each) for each in reversed(periods)),
        total=_line(total),
        sent=write_number(total.sent),
        tracked=_say_tracked(total),
        opens=_rate(total.opened, total.raw_opened, total.opens_tracked),
        clicks=_rate(total.clicked, total.raw_clicked, total.clicks_tracked),
    )


def write_number(number: int) -> str:
    """As in "12,345"."""
    return format_decimal(number, locale=current().code)


def write_share(part: int, whole: int) -> str:
    """As in "42%"; never 0% of something, nor 100% of less than all; `whole` > 0."""
    share, locale = part / whole, current().code
    if 0 < share < 0.01:
        return f"< {format_percent(0.01, locale=locale)}"
    if 0.99 < share < 1:
        return f"> {format_percent(0.99, locale=locale)}"
    return format_percent(share, locale=locale)


def _rate(part: int, raw: int, whole: int) -> Rate:
    if not whole:
        return Rate("—", "", "", "")
    if_raw = write_share(raw, whole) if raw > part else ""
    return Rate(write_share(part, whole), write_number(part), write_number(whole), if_raw)


def _say_tracked(total: Period) -> str:
    if total.tracked == total.sent:
        return say("all of them tracked")
    if not total.tracked:
        return say("none of them tracked")
    return say("%(part)s of them tracked", part=write_number(total.tracked))


def _line(period: Period) -> Line:
    return Line(
        _write_day(_day(period.begin_ms)),
        period.sent,
        Seen(period.opened, max(0, period.raw_opened - period.opened)),
        Seen(period.clicked, max(0, period.raw_clicked - period.clicked)),
    )


def _sum(periods: Sequence[Period]) -> Period:
    return Period(
        periods[0].begin_ms,
        sent=sum(each.sent for each in periods),
        tracked=sum(each.tracked for each in periods),
        opened=sum(each.opened for each in periods),
        raw_opened=sum(each.raw_opened for each in periods),
        clicked=sum(each.clicked for each in periods),
        raw_clicked=sum(each.raw_clicked for each in periods),
        opens_tracked=sum(each.opens_tracked for each in periods),
        clicks_tracked=sum(each.clicks_tracked for each in periods),
    )


def _day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def _write_day(day: date) -> str:
    """Without its year: no period is longer than one, and which it is stands above."""
    return format_skeleton("MMMd", day, locale=current().code)


def _spell_days(first: date, last: date) -> str:
    return format_interval(first, last, "yMMMd", locale=current().code)


def say_clicks(count: int) -> str:
    """As in "1,200 clicks"."""
    return say_number("%(written)s click", "%(written)s clicks", count, written=write_number(count))


def say_opens(count: int) -> str:
    """As in "1,200 opens"."""
    return say_number("%(written)s open", "%(written)s opens", count, written=write_number(count))
