"""The rows of notifications, written in the transaction that stores the hits they tell of.

Which hits are news is known from what judging has read already: on a shared copy, a first open is
one on a message without any. Hits that are none cost no statement. Whether a hit on a copy of one's
own is its first is asked of the hits that are kept; where some have aged out nobody knows, and
nothing is noted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    SmallInteger,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    not_,
    select,
    update,
)

from collector.bulk import Bulk, Row
from collector.consent import Kind
from collector.folding import Notify
from collector.schema import HIT_KINDS, hit, message, notification
from collector.verdict import BELIEVED, KINDS

MAX_KEPT = 1_000  # notifications of a sender; the oldest go


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A believed hit that may be news to the sender of its message, who wishes `notify`."""

    message_id: int
    kind: Kind
    recipient: int
    verdict: str
    at_ms: int
    notify: Notify


@dataclass(frozen=True, slots=True)
class Noted:
    """A new notification's id, and whose it is."""

    id: int
    sender_id: int


def note(connection: Connection, sightings: Iterable[Sighting]) -> list[Noted]:
    """Stores what is news of them, before the hits themselves are stored; the notifications that
    are new. One that is unread is told of further hits instead, where the sender wishes all.
    """
    found = list(sightings)
    if not found:
        return []
    last = connection.execute(_LAST).scalar_one()
    for kind in HIT_KINDS:
        firsts = _fold(each for each in found if each.kind == kind and each.notify == "first")
        _NOTE_FIRST[kind].run(connection, firsts)
        every = _fold(each for each in found if each.kind == kind and each.notify == "all")
        _RAISE[kind].run(connection, every)
        _NOTE_NEXT[kind].run(connection, every)
    ids = sorted({each.message_id for each in found})
    noted = [Noted(*row) for row in connection.execute(_SINCE, {"last": last, "ids": ids})]
    _TRIM.run(connection, [(each, MAX_KEPT) for each in {each.sender_id for each in noted}])
    return noted


def retract(connection: Connection, message_id: int, recipient: int, since_ms: int) -> None:
    """Takes back the notifications of clicks on a copy since then: a scanner made them."""
    values = {"of_message": message_id, "of_recipient": recipient, "since_ms": since_ms}
    connection.execute(_RETRACT, values)


def _fold(sightings: Iterable[Sighting]) -> list[Row]:
    """One row a copy, in the order of _NAMES."""
    copies: dict[tuple[int, int], list[Sighting]] = {}
    for each in sightings:
        copies.setdefault((each.message_id, each.recipient), []).append(each)
    return [_row(each) for each in copies.values()]


def _row(sightings: Sequence[Sighting]) -> Row:
    first = min(sightings, key=lambda each: each.at_ms)
    last_ms = max(each.at_ms for each in sightings)
    count = len(sightings)
    if first.notify == "first":
        count, last_ms = 1, first.at_ms
    verdict = _VERDICT_NUMBERS[first.verdict]
    return (first.message_id, first.recipient, verdict, count, first.at_ms, last_ms)


_NAMES = ("of_message", "of_recipient", "new_verdict", "new_count", "new_first_ms", "new_last_ms")
_VERDICT_NUMBERS = {word: number for number, word in enumerate(KINDS)}
# Numbers that stand in the text: a Bulk takes no values but its rows'.
_KIND_NUMBERS: dict[Kind, ColumnElement[Any]] = {
    word: literal_column(str(number)) for number, word in enumerate(HIT_KINDS)
}
_BELIEVED: list[ColumnElement[Any]] = [
    literal_column(str(_VERDICT_NUMBERS[word])) for word in sorted(BELIEVED)
]
_OF_MESSAGE = message.c.id == bindparam("of_message")
_OF_RECIPIENT = bindparam("of_recipient", type_=Integer)


def _of_copy(kind: Kind) -> ColumnElement[bool]:
    """The notifications of hits of this kind on the copy that a row is about."""
    return and_(
        notification.c.message_id == bindparam("of_message"),
        notification.c.kind == _KIND_NUMBERS[kind],
        notification.c.recipient == _OF_RECIPIENT,
    )


def _insert_unless(kind: Kind, *against: ColumnElement[bool]) -> Bulk:
    """Makes a notification of each row, unless one of the conditions holds."""
    row = {
        "sender_id": message.c.sender_id,
        "message_id": message.c.id,
        "kind": _KIND_NUMBERS[kind],
        "recipient": _OF_RECIPIENT,
        "verdict": bindparam("new_verdict", type_=SmallInteger),
        "count": bindparam("new_count", type_=Integer),
        "first_ms": bindparam("new_first_ms", type_=BigInteger),
        "last_ms": bindparam("new_last_ms", type_=BigInteger),
    }
    source = select(*row.values()).where(_OF_MESSAGE, *(not_(each) for each in against))
    return Bulk(insert(notification).from_select(list(row), source), _NAMES)


def _note_first(kind: Kind) -> Bulk:
    believed = and_(
        hit.c.message_id == message.c.id,
        hit.c.kind == _KIND_NUMBERS[kind],
        hit.c.verdict.in_(_BELIEVED),
    )
    kept = select(func.count()).select_from(hit).where(believed).scalar_subquery()
    return _insert_unless(
        kind,
        exists().where(_of_copy(kind)),
        exists().where(believed, hit.c.recipient == _OF_RECIPIENT),
        message.c[f"{kind}_count"] != kept,  # some have aged out
    )


def _note_next(kind: Kind) -> Bulk:
    return _insert_unless(kind, exists().where(_of_copy(kind), notification.c.read_at_ms.is_(None)))


def _raise(kind: Kind) -> Bulk:
    last = bindparam("new_last_ms", type_=BigInteger)
    statement = (
        update(notification)
        .where(_of_copy(kind), notification.c.read_at_ms.is_(None))
        .values(
            count=notification.c.count + bindparam("new_count", type_=Integer),
            last_ms=case((notification.c.last_ms < last, last), else_=notification.c.last_ms),
        )
    )
    return Bulk(statement, _NAMES)


_NOTE_FIRST = {kind: _note_first(kind) for kind in HIT_KINDS}
_NOTE_NEXT = {kind: _note_next(kind) for kind in HIT_KINDS}
_RAISE = {kind: _raise(kind) for kind in HIT_KINDS}
_LAST = select(func.coalesce(func.max(notification.c.id), 0))
# Of these messages alone, whose rows this transaction has locked: others' are another's to tell of.
_SINCE = (
    select(notification.c.id, notification.c.sender_id)
    .where(
        notification.c.id > bindparam("last"),
        notification.c.message_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(notification.c.id)
)
_RETRACT = delete(notification).where(
    notification.c.message_id == bindparam("of_message"),
    notification.c.kind == "click",
    notification.c.recipient == bindparam("of_recipient"),
    notification.c.first_ms >= bindparam("since_ms"),
)
_TRIM = Bulk(
    delete(notification).where(
        notification.c.sender_id == bindparam("of_sender"),
        notification.c.id
        <= select(notification.c.id)
        .where(notification.c.sender_id == bindparam("of_sender"))
        .order_by(notification.c.id.desc())
        .limit(literal_column("1"))
        .offset(bindparam("kept", type_=Integer))
        .scalar_subquery(),
    ),
    ["of_sender", "kept"],
)
