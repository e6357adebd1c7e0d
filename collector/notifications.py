"""A sender's notifications, read and marked as read. noting.py writes them, folding.py makes few of
many.

Every query names the sender. A sender has at most noting.MAX_KEPT of them, so all are read at once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    and_,
    bindparam,
    func,
    select,
    true,
    update,
)

from collector.consent import Kind
from collector.feed import BELL, Feed
from collector.folding import Fold, Notification, fold
from collector.schema import HIT_KINDS, message, notification
from collector.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is told of a notification's message."""

    subject: str
    recipients: tuple[str, ...]
    per_recipient: bool


class Notifications:
    """Every method may raise StoreUnavailable; a change is told to the sender's open pages."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self._store = store
        self._feed = feed

    async def every(self, sender_id: int) -> list[Notification]:
        """All of a sender's, in no order."""
        return _read(await self._store.read(_OF_SENDER, {"of_sender": sender_id}))

    async def unread(self, sender_id: int) -> int:
        """How many are unread, folded as they are shown."""
        return len(fold(_read(await self._store.read(_UNREAD, {"of_sender": sender_id}))))

    async def count_unread(self, sender_id: int) -> int:
        """How many are unread, each counted."""
        [(count,)] = await self._store.read(_COUNT_UNREAD, {"of_sender": sender_id})
        return int(count)

    async def folds(self, sender_id: int) -> list[Fold]:
        """All of a sender's as they are shown, newest first."""
        return fold(await self.every(sender_id))

    async def subjects(self, sender_id: int, message_ids: Sequence[int]) -> dict[int, Subject]:
        """What is told of the sender's messages, by their ids."""
        values = {"of_sender": sender_id, "ids": list(message_ids)}
        rows = await self._store.read(_SUBJECTS, values) if message_ids else ()
        return {
            row.id: Subject(
                subject=row.subject,
                recipients=tuple(row.recipients),
                per_recipient=row.per_recipient,
            )
            for row in rows
        }

    async def page(
        self, sender_id: int, *, before: int | None, limit: int, unread: bool
    ) -> list[Notification]:
        """So many with ids below `before`, newest first; the unread ones alone where asked."""
        query = _OF_SENDER.order_by(notification.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(notification.c.id < before)
        if unread:
            query = query.where(notification.c.read_at_ms.is_(None))
        return _read(await self._store.read(query, {"of_sender": sender_id}))

    async def mark(self, sender_id: int, ids: Sequence[int]) -> int:
        """Marks these as read; how many of the sender's were not."""
        return await self._mark(sender_id, _SOME, {"ids": list(ids)})

    async def mark_all(self, sender_id: int) -> int:
        """Marks all as read; how many were not."""
        return await self._mark(sender_id, true(), {})

    async def mark_until(self, sender_id: int, until_ms: int) -> int:
        """Marks those as read whose last hit came then or before; how many were not."""
        return await self._mark(sender_id, _UNTIL, {"until_ms": until_ms})

    async def mark_mails(
        self, sender_id: int, message_ids: Sequence[int], kind: Kind | None = None
    ) -> int:
        """Marks those of these messages as read, of one kind or of both; how many were not."""
        values = {"ids": list(message_ids), "kinds": [kind] if kind else list(HIT_KINDS)}
        if not await self._store.read(_UNREAD_OF_MAILS, {"of_sender": sender_id, **values}):
            return 0
        return await self._mark(sender_id, _OF_MAILS, values)

    async def _mark(
        self, sender_id: int, which: ColumnElement[bool], values: dict[str, Any]
    ) -> int:
        now_ms = time.time_ns() // 1_000_000
        marked = await self._store.change(
            _MARK.where(which), {"of_sender": sender_id, "now_ms": now_ms, **values}
        )
        if marked:
            self._feed.publish(sender_id, BELL)
        return marked


def _read(rows: Sequence[Row[Any]]) -> list[Notification]:
    return [Notification(**row._asdict()) for row in rows]


_COLUMNS = [notification.c[field.name] for field in fields(Notification)]
_OF_SENDER = select(*_COLUMNS).where(notification.c.sender_id == bindparam("of_sender"))
_UNREAD = _OF_SENDER.where(notification.c.read_at_ms.is_(None))
_COUNT_UNREAD = select(func.count()).where(
    notification.c.sender_id == bindparam("of_sender"), notification.c.read_at_ms.is_(None)
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_SUBJECTS = select(
    message.c.id, message.c.subject, message.c.recipients, message.c.per_recipient
).where(message.c.sender_id == bindparam("of_sender"), message.c.id.in_(_IDS))
_SOME = notification.c.id.in_(_IDS)
_UNTIL = notification.c.last_ms <= bindparam("until_ms")
_OF_MAILS = and_(
    notification.c.message_id.in_(_IDS),
    notification.c.kind.in_(bindparam("kinds", expanding=True)),
)
_UNREAD_OF_MAILS = _UNREAD.where(_OF_MAILS).limit(1)
_MARK = (
    update(notification)
    .where(notification.c.sender_id == bindparam("of_sender"), notification.c.read_at_ms.is_(None))
    .values(read_at_ms=bindparam("now_ms"))
)
