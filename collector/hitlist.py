"""Hits in the order in which they were stored, a page at a time: for programs.

One message's are read by the index of its hits. All of a sender's are looked for in a stretch of
SPAN hits of all senders, by the primary key: that costs a bounded time wherever it begins, and next
to nothing for who asks again and again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, select

from collector.schema import agent, hit, message
from collector.store import Store
from collector.verdict import BELIEVED

SPAN = 20_000


@dataclass(frozen=True, slots=True)
class HitEntry:
    """One hit, and what tells whose copy it was of."""

    hit_id: int
    message_id: int
    at_ms: int
    kind: str  # "open" or "click"
    link: int | None
    verdict: str
    rule: str
    agent: str
    recipient: int  # the ordinal, 0 where the copy is shared
    recipients: tuple[str, ...]  # of the message; none where its copy is shared


@dataclass(frozen=True, slots=True)
class HitPage:
    """Hits, where the next page begins (behind the hit of that number), and if there is one now."""

    hits: tuple[HitEntry, ...]
    after: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HitFilter:
    """What must be true of a hit; None: either way."""

    kind: str | None = None
    believed: bool | None = None


EVERY_HIT = HitFilter()


async def hits_of_message(
    store: Store,
    sender_id: int,
    message_id: int,
    *,
    after: int = 0,
    limit: int,
    matching: HitFilter = EVERY_HIT,
) -> HitPage:
    """A page of one message's hits; none where it is not this sender's."""
    query = _find(sender_id, matching, after, limit).where(hit.c.message_id == message_id)
    return _page(await store.read(query), after, limit)


async def hits_of_sender(
    store: Store,
    sender_id: int,
    *,
    after: int = 0,
    limit: int,
    matching: HitFilter = EVERY_HIT,
) -> HitPage:
    """A page of the sender's hits. There may be more although it is not full, or empty."""
    stretch = select(hit.c.id).where(hit.c.id > after).order_by(hit.c.id).limit(SPAN).subquery()
    [(end, size)] = await store.read(select(func.max(stretch.c.id), func.count()))
    if not size:
        return HitPage((), after, more=False)
    query = _find(sender_id, matching, after, limit).where(hit.c.id <= end)
    page = _page(await store.read(query), end, limit)
    return page if page.more else HitPage(page.hits, end, more=size == SPAN)


async def newest_hit(store: Store) -> int:
    """The number of the hit that was stored last, whosever it is; 0 where there is none."""
    [(newest,)] = await store.read(select(func.max(hit.c.id)))
    return newest or 0


def _find(sender_id: int, matching: HitFilter, after: int, limit: int) -> Select[Any]:
    """The sender's hits behind a number, and one more than `limit` of them.

    Whose a hit is, is asked of each: as a join it would have planners begin at the sender's
    messages, and look through all of them.
    """
    owned = message.alias("owned")
    owner = select(owned.c.sender_id).where(owned.c.id == hit.c.message_id).scalar_subquery()
    return (
        select(*_SHOWN)
        .select_from(hit)
        .outerjoin(message, message.c.id == hit.c.message_id)
        .outerjoin(agent, agent.c.id == hit.c.agent_id)
        .where(hit.c.id > after, owner == sender_id, *_conditions(matching))
        .order_by(hit.c.id)
        .limit(limit + 1)
    )


def _conditions(matching: HitFilter) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if matching.kind is not None:
        wanted.append(hit.c.kind == matching.kind)
    if matching.believed is not None:
        is_believed = hit.c.verdict.in_(BELIEVED)
        wanted.append(is_believed if matching.believed else ~is_believed)
    return wanted


# In the order of HitEntry's fields.
_SHOWN = (
    hit.c.id,
    hit.c.message_id,
    hit.c.at_ms,
    hit.c.kind,
    hit.c.link,
    hit.c.verdict,
    hit.c.rule,
    func.coalesce(agent.c.text, ""),
    hit.c.recipient,
    case((message.c.per_recipient, message.c.recipients)),
)


def _page(rows: Sequence[Row[Any]], after: int, limit: int) -> HitPage:
    hits = tuple(_entry(row) for row in rows[:limit])
    return HitPage(hits, hits[-1].hit_id if hits else after, more=len(rows) > limit)


def _entry(row: Row[Any]) -> HitEntry:
    values = [*row]
    values[-1] = tuple(values[-1] or ())
    return HitEntry(*values)
