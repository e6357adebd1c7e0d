"""How much passes through the site: numbers over all senders, for whoever looks after it.

Each is counted as far as MAX rows, so that it costs no more however large the tables are. Ids of
messages go by time; those of hits go by when they were stored, so they are read from the newest on
until all of a stretch are older than what is asked for.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from collector.periods import DAY_MS
from collector.schema import hit, message
from collector.store import Store
from collector.tokens import mint_message_id

MAX = 1_000_000  # rows that are looked at
STRIDE = 50_000  # hits that are looked at in one read


@dataclass(frozen=True, slots=True)
class Tally:
    """Of today (UTC) and of the seven days that end with it; where it `is_all` not, there may be
    more."""

    today: int
    week: int
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class Tallies:
    """Of the whole site."""

    mails: Tally
    hits: Tally


async def read_tallies(store: Store, now_ms: int) -> Tallies:
    """The site's, as of that moment. Raises StoreUnavailable."""
    today_ms = now_ms - now_ms % DAY_MS
    week_ms = today_ms - 6 * DAY_MS
    return Tallies(
        await _count_mails(store, today_ms, week_ms), await _count_hits(store, today_ms, week_ms)
    )


async def _count_mails(store: Store, today_ms: int, week_ms: int) -> Tally:
    values = {
        "today": mint_message_id(today_ms, 0),
        "week": mint_message_id(week_ms, 0),
        "most": MAX,
    }
    [(today, week)] = await store.read(_MAILS, values)
    return Tally(today, week, is_all=week < MAX)


async def _count_hits(store: Store, today_ms: int, week_ms: int) -> Tally:
    [(end,)] = await store.read(_LAST_HIT)
    today = week = looked = 0
    while end and looked < MAX:
        stretch = {"after": end - STRIDE, "until": end, "today": today_ms, "week": week_ms}
        [(of_today, of_week, newest_ms)] = await store.read(_HITS, stretch)
        today, week = today + of_today, week + of_week
        if newest_ms is not None and newest_ms < week_ms:
            return Tally(today, week)
        end, looked = max(0, end - STRIDE), looked + STRIDE
    return Tally(today, week, is_all=not end)


_NEWEST = (
    select(message.c.id)
    .where(message.c.id >= bindparam("week"))
    .order_by(message.c.id.desc())
    .limit(bindparam("most"))
    .subquery()
)
_MAILS = select(func.count().filter(_NEWEST.c.id >= bindparam("today")), func.count()).select_from(
    _NEWEST
)
_LAST_HIT = select(func.max(hit.c.id))
_HITS = select(
    func.count().filter(hit.c.at_ms >= bindparam("today")),
    func.count().filter(hit.c.at_ms >= bindparam("week")),
    func.max(hit.c.at_ms),
).where(hit.c.id > bindparam("after"), hit.c.id <= bindparam("until"))
