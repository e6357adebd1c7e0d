"""What a sender sees: the newest messages with their counts, and one message's timeline.

Every query names the sender, so nobody reads another's mail by guessing ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import and_, func, select

from collector.schema import agent, hit, message
from collector.store import Store
from collector.verdict import BELIEVED

MAX_HITS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message in the sender's list. Counts and times are of believed hits, but for raw_*."""

    message_id: int
    sent_at_ms: int
    delivered_at_ms: int | None
    recipients: tuple[str, ...]
    subject: str
    opens: bool
    clicks: bool
    state: str  # "sending", "delivered", "deferred" or "refused"
    untracked_reason: str | None
    open_count: int
    first_open_ms: int | None
    last_open_ms: int | None
    click_count: int
    first_click_ms: int | None
    last_click_ms: int | None
    raw_open_count: int
    raw_click_count: int


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A wrapped link of a message, and how many believed clicks followed it."""

    ordinal: int
    target: str
    html: str
    click_count: int


@dataclass(frozen=True, slots=True)
class HitRow:
    """One hit as the timeline shows it."""

    at_ms: int
    kind: str  # "open" or "click"
    link: int | None
    verdict: str
    rule: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDetail:
    """A message with its links and hits (oldest first), and upstream's own words."""

    row: MessageRow
    links: tuple[LinkRow, ...]
    hits: tuple[HitRow, ...]
    reply: str


_LISTED = (
    message.c.id.label("message_id"),
    *(message.c[field.name] for field in fields(MessageRow) if field.name != "message_id"),
)


class Stats:
    """Read queries over the store; each raises StoreUnavailable when it cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recent(
        self, sender_id: int, *, before: int | None = None, limit: int = 50
    ) -> list[MessageRow]:
        """The sender's messages, newest first; `before`, a message id, continues a list."""
        query = select(*_LISTED).where(message.c.sender_id == sender_id)
        if before is not None:
            query = query.where(message.c.id < before)
        rows = await self._store.read(query.order_by(message.c.id.desc()).limit(limit))
        return [_message_row(row) for row in rows]

    async def message(self, sender_id: int, message_id: int) -> MessageDetail | None:
        """One message with its newest MAX_HITS hits, or None if it is not this sender's."""
        own = and_(message.c.id == message_id, message.c.sender_id == sender_id)
        rows = await self._store.read(select(*_LISTED, message.c.links, message.c.reply).where(own))
        if not rows:
            return None
        *listed, links, reply = rows[0]
        clicks = await self._clicks_by_link(message_id)
        return MessageDetail(
            row=_message_row(listed),
            links=tuple(
                LinkRow(ordinal, target, html, clicks.get(ordinal, 0))
                for ordinal, target, html in links
            ),
            hits=await self._hits(message_id),
            reply=reply,
        )

    async def _clicks_by_link(self, message_id: int) -> dict[int, int]:
        believed_clicks = and_(
            hit.c.message_id == message_id, hit.c.kind == "click", hit.c.verdict.in_(BELIEVED)
        )
        rows = await self._store.read(
            select(hit.c.link, func.count()).where(believed_clicks).group_by(hit.c.link)
        )
        return {row[0]: row[1] for row in rows}

    async def _hits(self, message_id: int) -> tuple[HitRow, ...]:
        shown = (hit.c.at_ms, hit.c.kind, hit.c.link, hit.c.verdict, hit.c.rule)
        rows = await self._store.read(
            select(*shown, func.coalesce(agent.c.text, "").label("agent"))
            .outerjoin(agent, hit.c.agent_id == agent.c.id)
            .where(hit.c.message_id == message_id)
            .order_by(hit.c.id.desc())
            .limit(MAX_HITS)
        )
        return tuple(HitRow(*row) for row in reversed(rows))


def _message_row(values: Sequence[Any]) -> MessageRow:
    named = dict(zip((column.key for column in _LISTED), values, strict=True))
    return MessageRow(**{**named, "recipients": tuple(named["recipients"])})
