"""A sender's figures by day or week: what was sent then, and what became of it until now.

A message counts in the period it was sent in, by UTC. The sums are over the messages' own rows, so
a period costs as much as it has messages, however many hits they had.
"""

from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, func, literal_column, or_, select

from collector.filters import within
from collector.schema import message
from collector.store import Store

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Step:
    """How long a period is, and from when they are numbered."""

    length_ms: int
    origin_ms: int

    def number(self, at_ms: int) -> int:
        """Of the period that a moment is in."""
        return (at_ms - self.origin_ms) // self.length_ms

    def begin(self, number: int) -> int:
        return self.origin_ms + number * self.length_ms


# The epoch was a Thursday; ISO 8601's weeks begin on Mondays.
STEPS = {"day": Step(DAY_MS, 0), "week": Step(7 * DAY_MS, -3 * DAY_MS)}


@dataclass(frozen=True, slots=True)
class Period:
    """One period's messages: how many, how many of them were opened and clicked, and how often;
    each as it is believed, and raw."""

    begin_ms: int
    sent: int = 0
    tracked: int = 0
    opened: int = 0
    raw_opened: int = 0
    clicked: int = 0
    raw_clicked: int = 0
    opens: int = 0
    raw_opens: int = 0
    clicks: int = 0
    raw_clicks: int = 0
    opens_tracked: int = 0  # of how many it could have been known that they were opened
    clicks_tracked: int = 0


async def read_periods(
    store: Store, sender_id: int, *, since_ms: int, until_ms: int, step: Step
) -> tuple[Period, ...]:
    """Every period from the one of `since_ms` to that before `until_ms`, empty ones too."""
    row = message.c
    # Spelled out, since a parameter in GROUP BY would be another expression than in SELECT.
    origin = literal_column(str(step.origin_ms), BigInteger)
    length = literal_column(str(step.length_ms), BigInteger)
    number = ((row.sent_at_ms - origin) // length).label("number")
    query = (
        select(
            number,
            func.count(),
            _count(or_(row.opens, row.clicks)),
            _count(row.open_count > 0),
            _count(row.raw_open_count > 0),
            _count(row.click_count > 0),
            _count(row.raw_click_count > 0),
            func.sum(row.open_count),
            func.sum(row.raw_open_count),
            func.sum(row.click_count),
            func.sum(row.raw_click_count),
            _count(row.opens),
            _count(row.clicks),
        )
        .where(row.sender_id == sender_id, *within(since_ms, until_ms))
        .group_by(number)
    )
    found = {number: counts for number, *counts in await store.read(query)}
    numbers = range(step.number(since_ms), step.number(until_ms - 1) + 1)
    return tuple(Period(step.begin(each), *found.get(each, ())) for each in numbers)


def _count(where: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(where)
