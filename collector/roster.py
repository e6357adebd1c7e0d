"""The rows of senders and sessions: the statements behind senders.py, each within a transaction.

Functions that change take the writer's connection; those that find give a query and read its rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from collector.consent import Mode
from collector.folding import DEFAULT_NOTIFY, Notify
from collector.schema import sender, sender_address, session


class SenderError(Exception):
    """A change to a sender that cannot be; the message names the thing and the mend."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A login and what it may do. In `addresses`, "*@example.com" allows a whole domain.

    With `per_recipient` each recipient of a tracked mail gets a copy of their own. `consent` says
    whether recipients must agree; None: as the site has it. `notify` says which hits ring the bell.
    """

    id: int
    login: str
    addresses: tuple[str, ...]
    opens: bool
    clicks: bool
    sticky: bool
    enabled: bool
    per_recipient: bool = False
    consent: Mode | None = None
    notify: Notify = DEFAULT_NOTIFY


@dataclass(frozen=True, slots=True)
class Account:
    """A sender and the hash of its password, which leaves this package never; None: it has none."""

    sender: Sender
    password_hash: str | None


_COLUMNS = [field.name for field in fields(Sender) if field.name != "addresses"]
_SENDERS = (
    select(sender, sender_address.c.address)
    .outerjoin(sender_address)
    .order_by(sender.c.login_key, sender_address.c.position)
)


def find_senders(**where: int | str) -> Select[Any]:
    """The query for all senders, or those whose columns have these values."""
    return _SENDERS.where(*(sender.c[name] == value for name, value in where.items()))


def read_accounts(rows: Sequence[Row[Any]]) -> list[Account]:
    """Accounts out of that query's rows, one row an address."""
    addresses: dict[int, list[str]] = {}
    for row in rows:
        addresses.setdefault(row.id, []).extend([row.address] if row.address else [])
    firsts = {row.id: row for row in reversed(rows)}
    return [_account(firsts[sender_id], allowed) for sender_id, allowed in addresses.items()]


def insert_sender(connection: Connection, row: dict[str, Any], addresses: Iterable[str]) -> int:
    """The new sender's id. Raises IntegrityError when its login is taken."""
    new = connection.execute(insert(sender).returning(sender.c.id), row)
    sender_id: int = new.scalar_one()
    _insert_addresses(connection, sender_id, addresses)
    return sender_id


def change_sender(connection: Connection, sender_id: int, values: dict[str, Any]) -> None:
    """Sets columns of one sender. Raises SenderError when there is none with this id."""
    changed = connection.execute(
        update(sender).where(sender.c.id == sender_id).values(values or {"id": sender_id})
    )
    _expect_one(changed.rowcount, sender_id)


def replace_addresses(connection: Connection, sender_id: int, addresses: Iterable[str]) -> None:
    """Exactly these addresses from now on. Raises SenderError."""
    change_sender(connection, sender_id, {})
    connection.execute(delete(sender_address).where(sender_address.c.sender_id == sender_id))
    _insert_addresses(connection, sender_id, addresses)


def delete_sender(connection: Connection, sender_id: int) -> None:
    """Takes the sender's addresses, sessions, messages and hits along. Raises SenderError."""
    gone = connection.execute(delete(sender).where(sender.c.id == sender_id))
    _expect_one(gone.rowcount, sender_id)


def insert_session(
    connection: Connection, *, token_hash: bytes, sender_id: int, now_ms: int, expires_at_ms: int
) -> None:
    """Sweeps the sessions that are over, too. Raises IntegrityError when the sender is gone."""
    connection.execute(delete(session).where(session.c.expires_at_ms <= now_ms))
    row = {"token_hash": token_hash, "sender_id": sender_id, "expires_at_ms": expires_at_ms}
    connection.execute(insert(session), row)


def find_session(token_hash: bytes, now_ms: int) -> Select[Any]:
    """The query for the sender of a session that is not over."""
    current = session.c.token_hash == token_hash, session.c.expires_at_ms > now_ms
    return select(session.c.sender_id).where(*current)


def delete_session(connection: Connection, token_hash: bytes) -> None:
    connection.execute(delete(session).where(session.c.token_hash == token_hash))


def delete_sessions(connection: Connection, sender_id: int) -> None:
    connection.execute(delete(session).where(session.c.sender_id == sender_id))


def _account(row: Row[Any], addresses: Iterable[str]) -> Account:
    columns = {name: getattr(row, name) for name in _COLUMNS}
    return Account(Sender(addresses=tuple(addresses), **columns), row.password_hash)


def _insert_addresses(connection: Connection, sender_id: int, addresses: Iterable[str]) -> None:
    rows = [
        {"sender_id": sender_id, "position": position, "address": address}
        for position, address in enumerate(addresses)
    ]
    if rows:
        connection.execute(insert(sender_address), rows)


def _expect_one(rowcount: int, sender_id: int) -> None:
    if not rowcount:
        raise SenderError(f"there is no sender {sender_id}; it may have been removed meanwhile")
