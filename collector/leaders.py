"""The mails and links of a stretch of time that the most came of, as we believe it.

Mails are ranked by the counters on their own rows. Links are counted from hits, of the mails with
the most clicks first: no link has more clicks than its mail, so once the next mail has fewer than
the last link that is wanted, nobody else can be among them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from collector.consent import Kind
from collector.filters import within
from collector.schema import hit, message
from collector.store import Store
from collector.verdict import BELIEVED

AT_ONCE = 10  # mails whose links are counted in one query
MAX_MAILS = 100  # whose links are counted at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """A mail, and how many hits of the kind asked for it had."""

    message_id: int
    sent_at_ms: int
    subject: str
    recipients: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadingLink:
    """A link of a mail, and how many clicks it had that are still kept."""

    message_id: int
    sent_at_ms: int
    subject: str
    target: str
    html: str
    count: int


_Count = tuple[int, int, int]  # clicks, message id, link


async def read_leaders(
    store: Store, sender_id: int, *, kind: Kind, since_ms: int, until_ms: int, limit: int
) -> tuple[Leader, ...]:
    """The sender's mails of that time with the most such hits, in this order; none without any."""
    ranked = await _rank(store, sender_id, kind, since_ms, until_ms, limit)
    rows = await _read_rows(store, sender_id, ranked)
    return tuple(
        Leader(
            message_id=row.id,
            sent_at_ms=row.sent_at_ms,
            subject=row.subject,
            recipients=tuple(row.recipients),
            count=count,
        )
        for message_id, count in ranked.items()
        if (row := rows.get(message_id))  # it may have been erased meanwhile
    )


async def read_leading_links(
    store: Store, sender_id: int, *, since_ms: int, until_ms: int, limit: int
) -> tuple[LeadingLink, ...]:
    """The links of the sender's mails of that time with the most clicks, in this order.

    Clicks that are no longer kept count for nothing here: nobody knows where they led.
    """
    ranked = await _rank(store, sender_id, "click", since_ms, until_ms, MAX_MAILS)
    best: list[_Count] = []
    ids = list(ranked)
    for begin in range(0, len(ids), AT_ONCE):
        if len(best) == limit and best[-1][0] >= ranked[ids[begin]]:
            break
        found = await _count_links(store, ids[begin : begin + AT_ONCE])
        best = sorted([*best, *found], key=_first_most)[:limit]
    rows = await _read_rows(store, sender_id, {message_id for _, message_id, _ in best})
    return tuple(
        LeadingLink(
            message_id=row.id,
            sent_at_ms=row.sent_at_ms,
            subject=row.subject,
            target=target,
            html=html,
            count=count,
        )
        for count, message_id, ordinal in best
        if (row := rows.get(message_id))
        for link, target, html in row.links
        if link == ordinal
    )


def _first_most(counted: _Count) -> tuple[int, int, int]:
    count, message_id, link = counted
    return -count, -message_id, link


async def _rank(
    store: Store, sender_id: int, kind: Kind, since_ms: int, until_ms: int, limit: int
) -> Mapping[int, int]:
    """Ids of mails and their counts, most first; the newer one first of two that are even."""
    row, count = message.c, message.c[f"{kind}_count"]
    query = (
        select(row.id, count)
        .where(row.sender_id == sender_id, count > 0, *within(since_ms, until_ms))
        .order_by(count.desc(), row.id.desc())
        .limit(limit)
    )
    return {row.id: row[1] for row in await store.read(query)}


async def _read_rows(store: Store, sender_id: int, ids: Iterable[int]) -> Mapping[int, Row[Any]]:
    """What is wide is read of those alone that are shown."""
    row = message.c
    query = select(row.id, row.sent_at_ms, row.subject, row.recipients, row.links)
    own = row.id.in_(list(ids)), row.sender_id == sender_id
    return {found.id: found for found in await store.read(query.where(*own))}


async def _count_links(store: Store, ids: Sequence[int]) -> list[_Count]:
    """The believed clicks on each link of these mails."""
    of_link = hit.c.message_id, hit.c.link
    query = (
        select(func.count(), *of_link)
        .where(
            hit.c.message_id.in_(ids),
            hit.c.kind == "click",
            hit.c.verdict.in_(BELIEVED),
            hit.c.link.is_not(None),
        )
        .group_by(*of_link)
    )
    return [(count, message_id, link) for count, message_id, link in await store.read(query)]
