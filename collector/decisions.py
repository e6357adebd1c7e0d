"""The rows of decisions: the statements behind consents.py, each within a transaction.

Rows are only ever added, as proof; the newest of an address and kind is the one that holds. They
are found by a keyed hash of the address: where the address itself was erased, its refusal stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, insert, select

from collector.consent import How, Kind, canonical, is_news, may_follow
from collector.schema import consent, message, secret, sender

HASH_SIZE = 16
LOOKED_UP = 500  # addresses in one query
# Both values are named, so that the one index finds the addresses as well.
_ANY = consent.c.granted.in_((False, True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One recipient's decision towards one sender, as it is kept for proof.

    `address` is None where it was erased. `text_version` is that of the words that were agreed to.
    """

    sender_id: int
    address: str | None
    kind: Kind
    granted: bool
    at_ms: int
    how: How
    text_version: str | None = None
    id: int = 0


class RefusalStands(Exception):  # noqa: N818 - named for what happened
    """Recipients have refused by themselves; `places` are the decisions that would overrule it."""

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__("the recipient has refused on the notice page, and can allow it there")
        self.places = tuple(places)


_COLUMNS = [consent.c[field.name] for field in fields(Decision)]
FIND_SECRET = select(secret.c.value).where(secret.c.name == "consent")
_FIND_HELD = (
    select(consent.c.address_hash, *_COLUMNS)
    .where(
        consent.c.sender_id == bindparam("of_sender"),
        _ANY,
        consent.c.address_hash.in_(bindparam("hashes", expanding=True)),
    )
    .order_by(consent.c.id)
)
HAS_ANY = select(consent.c.id).where(consent.c.sender_id == bindparam("of_sender"), _ANY).limit(1)

_LOCK_SENDERS = (
    select(sender.c.id)
    .where(sender.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(sender.c.id)
    .with_for_update()
)

FIND_MAIL = (
    select(
        message.c.sender_id,
        sender.c.consent,
        message.c.mail_from,
        message.c.sent_at_ms,
        message.c.recipients,
    )
    .join(sender)
    .where(message.c.id == bindparam("of_message"))
)

FIND_RECIPIENTS = (
    select(message.c.id, message.c.recipients)
    .where(message.c.sender_id == bindparam("of_sender"), message.c.id < bindparam("before"))
    .order_by(message.c.id.desc())
    .limit(LOOKED_UP)
)


def hash_address(address: str, key: bytes) -> bytes:
    """What an address is found by, in whatever spelling."""
    text = canonical(address).encode("utf-8", "replace")
    return blake2b(text, digest_size=HASH_SIZE, key=key).digest()


def find_held(
    sender_id: int, hashes: Sequence[bytes]
) -> Iterable[tuple[Select[Any], dict[str, Any]]]:
    """The queries for all that these have decided towards a sender, oldest first."""
    for start in range(0, len(hashes), LOOKED_UP):
        yield _FIND_HELD, {"of_sender": sender_id, "hashes": hashes[start : start + LOOKED_UP]}


def read_held(rows: Iterable[Row[Any]]) -> dict[tuple[bytes, Kind], Decision]:
    """What holds, out of that query's rows: the newest."""
    return {(row.address_hash, row.kind): _decision(row[1:]) for row in rows}


def find_all(sender_id: int, *, after: int, limit: int, held: bool) -> Select[Any]:
    """The query for a sender's decisions in their order, or for those alone that hold."""
    query = select(*_COLUMNS).where(consent.c.sender_id == sender_id, consent.c.id > after)
    if held:
        newer = consent.alias()
        query = query.where(
            ~exists().where(
                newer.c.sender_id == consent.c.sender_id,
                newer.c.granted.in_((False, True)),
                newer.c.address_hash == consent.c.address_hash,
                newer.c.kind == consent.c.kind,
                newer.c.id > consent.c.id,
            )
        )
    return query.order_by(consent.c.id).limit(limit)


def read_all(rows: Iterable[Sequence[Any]]) -> list[Decision]:
    """The decisions out of that query's rows."""
    return [_decision(row) for row in rows]


def add_decisions(
    connection: Connection, decisions: Sequence[Decision], key: bytes, *, dated: bool
) -> int:
    """Adds those that change something; how many. Raises RefusalStands, IntegrityError.

    `dated` ones come from elsewhere: those older than what is known change nothing. Others are of
    now, whatever a clock says that was turned back.
    """
    hashes = [hash_address(each.address or "", key) for each in decisions]
    # Nobody else decides meanwhile: a refusal must be seen by whoever would overrule it.
    connection.execute(_LOCK_SENDERS, {"ids": sorted({each.sender_id for each in decisions})})
    held = _read_all_held(connection, decisions, hashes)
    rows, stand = [], []
    for place, (decision, hashed) in enumerate(zip(decisions, hashes, strict=True)):
        subject = (decision.sender_id, hashed, decision.kind)
        before = held.get(subject)
        if before:
            is_same = before.granted == decision.granted
            if is_same and not is_news(before.how, decision.how):
                continue
            if dated and decision.at_ms < before.at_ms:
                continue
            if not may_follow(before.how, decision.granted, decision.how):
                stand.append(place)
                continue
            decision = replace(decision, at_ms=max(decision.at_ms, before.at_ms))
        held[subject] = decision
        rows.append(_row(decision, hashed))
    if stand:
        raise RefusalStands(stand)
    if rows:
        connection.execute(insert(consent), rows)
    return len(rows)


def _read_all_held(
    connection: Connection, decisions: Sequence[Decision], hashes: Sequence[bytes]
) -> dict[tuple[int, bytes, Kind], Decision]:
    by_sender: dict[int, dict[bytes, None]] = {}
    for decision, hashed in zip(decisions, hashes, strict=True):
        by_sender.setdefault(decision.sender_id, {})[hashed] = None
    return {
        (sender_id, *subject): decision
        for sender_id, wanted in by_sender.items()
        for subject, decision in held_now(connection, sender_id, list(wanted)).items()
    }


def held_now(
    connection: Connection, sender_id: int, hashes: Sequence[bytes]
) -> Mapping[tuple[bytes, Kind], Decision]:
    """What these have decided towards the sender, in the transaction's view."""
    return {
        subject: decision
        for query, values in find_held(sender_id, hashes)
        for subject, decision in read_held(connection.execute(query, values)).items()
    }


def _row(decision: Decision, hashed: bytes) -> dict[str, Any]:
    values = {field.name: getattr(decision, field.name) for field in fields(Decision)}
    del values["id"]
    return {**values, "address_hash": hashed}


def _decision(values: Iterable[Any]) -> Decision:
    names = (field.name for field in fields(Decision))
    return Decision(**dict(zip(names, values, strict=True)))
