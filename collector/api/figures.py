"""Figures for programs: what was sent by day or week, and what became of it."""

import time
from datetime import UTC, date, datetime, timedelta

from collector import periods
from collector.api.call import Call
from collector.api.models import Count, Period, Stats, StatsQuery
from collector.api.problems import Problem
from collector.api.values import EPOCH, midnight
from collector.keys import STORE

MAX_DAYS = 366
DEFAULT_DAYS = 30


async def show_stats(call: Call[StatsQuery, None]) -> Stats:
    """GET /stats"""
    query = call.query
    last = query.until or datetime.fromtimestamp(time.time(), UTC).date()
    first = query.since or _days_before(last, DEFAULT_DAYS - 1)
    if (last - first).days >= MAX_DAYS:
        detail = f"since, until: the period is longer than {MAX_DAYS} days; ask for parts of it"
        raise Problem(422, detail)
    found = await periods.read_periods(
        call.app[STORE],
        call.sender.id,
        since_ms=midnight(first),
        until_ms=midnight(last) + periods.DAY_MS,
        step=periods.STEPS[query.by],
    )
    return Stats(periods=[_tell(period) for period in found])


def _days_before(day: date, days: int) -> date:
    return day - min(timedelta(days=days), day - date.min)


def _tell(period: periods.Period) -> Period:
    return Period(
        begins=EPOCH + timedelta(days=period.begin_ms // periods.DAY_MS),
        sent=period.sent,
        tracked=period.tracked,
        opened=Count(believed=period.opened, raw=period.raw_opened),
        clicked=Count(believed=period.clicked, raw=period.raw_clicked),
        opens=Count(believed=period.opens, raw=period.raw_opens),
        clicks=Count(believed=period.clicks, raw=period.raw_clicks),
    )
