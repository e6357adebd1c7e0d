"""The rows of what is on its way out. They are put in with the notification, in its transaction,
and taken out once their target has it: a kill in between costs at worst a repetition.

Whoever sends to a target first takes it for a while (`take`), so that several processes never send
to one at a time. Statements run within a transaction of the writer's, but for those that find.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from collector.outward.outcomes import Failed
from collector.outward.pace import LIFETIME, WAITS, is_hopeless, wait
from collector.outward.ways import TargetKind
from collector.schema import message, notification, outbox, sender, target
from collector.store import Store

HOLD_MS = 5_000  # a scanner's burst shows by then, and its clicks are taken back (verdict.py)
LEASE_MS = 180_000  # that a target is taken for
MAX_WAITING = 1_000  # notifications for one target; more are left out


@dataclass(frozen=True, slots=True)
class Due:
    """A target that something is due at."""

    target_id: int
    sender_id: int
    kind: TargetKind
    language: str
    failures: int
    failing_since_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A notification as it is told outside; `recipients` are the message's.

    `outbox_id` is 0, and `attempts` too, where it is told otherwise than from the outbox.
    """

    id: int
    kind: str
    recipient: int
    verdict: str
    count: int
    first_ms: int
    last_ms: int
    message_id: int
    subject: str
    recipients: tuple[str, ...]
    sent_at_ms: int
    outbox_id: int = 0
    attempts: int = 0

    @property
    def who(self) -> str | None:
        """The address of the one who read it, where that is known."""
        if 0 < self.recipient <= len(self.recipients):
            return self.recipients[self.recipient - 1]
        alone = len(set(self.recipients)) == 1
        return self.recipients[0] if alone else None


def put(connection: Connection, notification_ids: Sequence[int], now_ms: int) -> None:
    """Puts new notifications on their way to their senders' targets."""
    if notification_ids:
        connection.execute(_PUT, {"ids": list(notification_ids), "now_ms": now_ms})


async def find_due(store: Store, kinds: Sequence[TargetKind], now_ms: int) -> list[Due]:
    """The targets to send to now. Raises StoreUnavailable."""
    rows = await store.read(_DUE, {"now_ms": now_ms, "kinds": list(kinds)})
    return [Due(*row) for row in rows]


def take(connection: Connection, target_id: int, now_ms: int) -> bool:
    """Whether it is ours for a while now, and no other process's."""
    values = {"of_target": target_id, "now_ms": now_ms, "until_ms": now_ms + LEASE_MS}
    return bool(connection.execute(_TAKE, values).rowcount)


async def find_news(store: Store, target_id: int, now_ms: int, limit: int) -> list[News]:
    """What is due at a target, in the order that it came. Raises StoreUnavailable."""
    rows = await store.read(_NEWS, {"of_target": target_id, "now_ms": now_ms, "limit": limit})
    return [read_news(row) for row in rows]


def read_news(row: Row[Any]) -> News:
    """Out of a row whose columns are named as News has them."""
    return News(**{**row._asdict(), "recipients": tuple(row.recipients)})


def sent(connection: Connection, target_id: int, ids: Sequence[int], now_ms: int) -> None:
    """The target has these."""
    connection.execute(_REMOVE, {"of_target": target_id, "ids": list(ids)})
    connection.execute(_NOTE_SENT, {"of_target": target_id, "now_ms": now_ms})


def tested(connection: Connection, target_id: int, failure: Failed | None, now_ms: int) -> None:
    """What came of a test, which says nothing of what waits: but if it went, that may go, too."""
    values = {"of_target": target_id, "now_ms": now_ms}
    if failure is None:
        connection.execute(_NOTE_SENT, values)
        connection.execute(_LET_GO, {"of_target": target_id, "new_next_ms": 0})
    else:
        said = {"new_reason": failure.reason, "new_detail": failure.detail}
        connection.execute(_NOTE_REASON, {**values, **said})


def spoiled(
    connection: Connection, target_id: int, news: News, failure: Failed, now_ms: int, chance: float
) -> None:
    """The target did not take this one, which need not say anything of the others."""
    seconds = wait(news.attempts + 1, chance)
    values = {"of_target": target_id, "now_ms": now_ms}
    said = {"new_reason": failure.reason, "new_detail": failure.detail}
    connection.execute(_NOTE_REASON, {**values, **said})
    if seconds is None:
        gone = connection.execute(_REMOVE, {"of_target": target_id, "ids": [news.outbox_id]})
        _leave_out(connection, target_id, gone.rowcount)
        return
    next_ms = now_ms + int(1000 * max(seconds, failure.wait))
    connection.execute(
        _PUT_OFF, {"of_target": target_id, "of_row": news.outbox_id, "new_next_ms": next_ms}
    )


def failed(connection: Connection, due: Due, failure: Failed, now_ms: int, chance: float) -> bool:
    """The target takes nothing just now: all waits, what is a day old is given up, and after long
    failure the target is switched off. Whether it is.
    """
    failures = due.failures + 1
    since_ms = due.failing_since_ms or now_ms
    hopeless = failure.lasting or is_hopeless(failures, now_ms - since_ms)
    seconds = max(wait(min(failures, len(WAITS)), chance) or 0.0, failure.wait)
    connection.execute(
        _NOTE_FAILED,
        {
            "of_target": due.target_id,
            "new_reason": failure.reason,
            "new_detail": failure.detail,
            "new_failures": failures,
            "since_ms": since_ms,
            "now_ms": now_ms,
            "new_next_ms": now_ms + int(1000 * seconds),
            "off_at_ms": now_ms if hopeless else None,
        },
    )
    before_ms = now_ms + 1 if hopeless else now_ms - int(1000 * LIFETIME)
    gone = connection.execute(_GIVE_UP, {"of_target": due.target_id, "before_ms": before_ms})
    _leave_out(connection, due.target_id, gone.rowcount)
    return hopeless


def let_go(connection: Connection, target_id: int, next_ms: int) -> None:
    """Others may send to it, from then on."""
    connection.execute(_LET_GO, {"of_target": target_id, "new_next_ms": next_ms})


def sweep(connection: Connection, now_ms: int) -> int:
    """Takes out what is too old to be told; how many."""
    before_ms = now_ms - 2 * int(1000 * LIFETIME)  # a target that fails gives its own up earlier
    gone = connection.execute(_SWEEP, {"before_ms": before_ms})
    return int(gone.rowcount)


def _leave_out(connection: Connection, target_id: int, count: int) -> None:
    if count:
        connection.execute(_LEAVE_OUT, {"of_target": target_id, "more": count})


_OF_TARGET = target.c.id == bindparam("of_target")
_NOW = bindparam("now_ms", type_=BigInteger)
_IDS: BindParameter[object] = bindparam("ids", expanding=True)
_WAITING = (
    select(func.count())
    .select_from(outbox)
    .where(outbox.c.target_id == target.c.id)
    .scalar_subquery()
)
_PUT = insert(outbox).from_select(
    ["target_id", "notification_id", "created_at_ms", "next_at_ms", "attempts"],
    select(target.c.id, notification.c.id, _NOW, _NOW + HOLD_MS, literal(0))
    .join(target, target.c.sender_id == notification.c.sender_id)
    .where(notification.c.id.in_(_IDS), target.c.disabled_at_ms.is_(None), _WAITING < MAX_WAITING)
    .order_by(notification.c.id),
)
_DUE = (
    select(
        target.c.id,
        target.c.sender_id,
        target.c.kind,
        target.c.language,
        target.c.failures,
        target.c.failing_since_ms,
    )
    .join(sender)
    .where(
        sender.c.enabled,
        target.c.kind.in_(bindparam("kinds", expanding=True)),
        target.c.disabled_at_ms.is_(None),
        target.c.next_at_ms <= _NOW,
        exists().where(outbox.c.target_id == target.c.id, outbox.c.next_at_ms <= _NOW),
    )
    .order_by(target.c.next_at_ms)
)
_TAKE = (
    update(target)
    .where(_OF_TARGET, target.c.next_at_ms <= _NOW, target.c.disabled_at_ms.is_(None))
    .values(next_at_ms=bindparam("until_ms"))
)
NEWS_COLUMNS = (
    notification.c.id,
    notification.c.kind,
    notification.c.recipient,
    notification.c.verdict,
    notification.c.count,
    notification.c.first_ms,
    notification.c.last_ms,
    notification.c.message_id,
    message.c.subject,
    message.c.recipients,
    message.c.sent_at_ms,
)
_NEWS = (
    select(*NEWS_COLUMNS, outbox.c.id.label("outbox_id"), outbox.c.attempts)
    .select_from(outbox)
    .join(notification, notification.c.id == outbox.c.notification_id)
    .join(message, message.c.id == notification.c.message_id)
    .where(outbox.c.target_id == bindparam("of_target"), outbox.c.next_at_ms <= _NOW)
    .order_by(outbox.c.id)
    .limit(bindparam("limit"))
)
_OF_OUTBOX = outbox.c.target_id == bindparam("of_target")
_REMOVE = delete(outbox).where(_OF_OUTBOX, outbox.c.id.in_(_IDS))
_GIVE_UP = delete(outbox).where(_OF_OUTBOX, outbox.c.created_at_ms < bindparam("before_ms"))
_SWEEP = delete(outbox).where(outbox.c.created_at_ms < bindparam("before_ms"))
_PUT_OFF = (
    update(outbox)
    .where(and_(_OF_OUTBOX, outbox.c.id == bindparam("of_row")))
    .values(next_at_ms=bindparam("new_next_ms"), attempts=outbox.c.attempts + 1)
)
_NOTE_SENT = (
    update(target)
    .where(_OF_TARGET)
    .values(sent_at_ms=_NOW, failing_since_ms=null(), failures=0, disabled_at_ms=null())
)
_NOTE_REASON = (
    update(target)
    .where(_OF_TARGET)
    .values(failed_at_ms=_NOW, reason=bindparam("new_reason"), detail=bindparam("new_detail"))
)
_NOTE_FAILED = (
    update(target)
    .where(_OF_TARGET)
    .values(
        failed_at_ms=_NOW,
        reason=bindparam("new_reason"),
        detail=bindparam("new_detail"),
        failures=bindparam("new_failures"),
        failing_since_ms=bindparam("since_ms"),
        next_at_ms=bindparam("new_next_ms"),
        disabled_at_ms=bindparam("off_at_ms"),
    )
)
_LET_GO = update(target).where(_OF_TARGET).values(next_at_ms=bindparam("new_next_ms"))
_LEAVE_OUT = update(target).where(_OF_TARGET).values(left_out=target.c.left_out + bindparam("more"))
