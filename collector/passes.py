"""Passes: what a sender gives a program in place of the own password, each with a name.

A pass is made here, shown once and stored as a hash. Its key finds its row, so that one hash is
computed however many there are. What is revoked here ends at once, elsewhere within five seconds.
"""

import secrets
import time
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, Table, bindparam, delete, insert, select, update

from collector.errors import StoreConflict
from collector.memory import Rows, remember
from collector.roster import SenderError
from collector.schema import sender
from collector.store import Store, storable

MAX_NAME = 100
NOTE_MS = 3_600_000  # how often a pass's use is noted


@dataclass(frozen=True, slots=True)
class Pass:
    """What is known of one, but for its secret."""

    id: int
    sender_id: int
    name: str
    created_at_ms: int
    last_used_at_ms: int | None
    key: str = field(repr=False)


P = TypeVar("P", bound=Pass)


@dataclass(frozen=True, slots=True)
class Lock(Generic[P]):
    """A pass and the hash of its secret, which leaves this package never."""

    owner: P
    secret_hash: Any


class Passes(Generic[P]):
    """The passes in one table; `one` says what such a pass is, as in "a device".

    Every method may raise StoreUnavailable.
    """

    def __init__(self, store: Store, table: Table, one: str, read: Callable[[Row[Any]], P]) -> None:
        self._store = store
        self._table = table
        self._one = one
        self._read_row = read
        self._locks: Rows[str, Lock[P]] = Rows(self._read)
        self._noted: dict[int, int] = {}
        self._note = (
            update(table)
            .where(table.c.id == bindparam("of_pass"))
            .values(last_used_at_ms=bindparam("used_at_ms"))
        )

    async def list(self, sender_id: int) -> tuple[P, ...]:
        """The sender's passes, in the order in which they were added."""
        table = self._table
        query = select(table).where(table.c.sender_id == sender_id).order_by(table.c.id)
        return tuple(self._read_row(row) for row in await self._store.read(query))

    async def revoke(self, sender_id: int, name: str) -> None:
        """From now on the pass of this name lets nobody in. Raises SenderError."""
        table = self._table
        gone = delete(table).where(table.c.sender_id == sender_id, table.c.name == storable(name))
        try:
            if not await self._store.write(lambda connection: connection.execute(gone).rowcount):
                raise SenderError(f"there is no {self._one.partition(' ')[2]} {name!r}")
        finally:
            self._locks.forget()

    async def _insert(self, sender_id: int, name: str, **columns: Any) -> None:
        """Raises SenderError for a bad or taken name, or a sender who is gone."""
        row = {
            "sender_id": sender_id,
            "name": checked_name(name),
            "created_at_ms": time.time_ns() // 1_000_000,
            **columns,
        }
        try:
            await self._store.write(lambda connection: _insert(connection, self._table, row))
        except StoreConflict:
            raise SenderError(
                f"there is {self._one} {row['name']!r} already; "
                "choose another name, or revoke it first"
            ) from None

    async def _read(self, key: str) -> Lock[P] | None:
        rows = await self._store.read(select(self._table).where(self._table.c.key == key))
        return Lock(self._read_row(rows[0]), rows[0].secret_hash) if rows else None

    def _note_use(self, used: P) -> None:
        """Some time soon, so that nobody waits for the disk, and once an hour at most."""
        now_ms = time.time_ns() // 1_000_000
        last_ms = self._noted.get(used.id, used.last_used_at_ms or 0)
        if now_ms - last_ms >= NOTE_MS:
            remember(self._noted, used.id, now_ms)
            self._store.post(self._note, {"of_pass": used.id, "used_at_ms": now_ms})


def checked_name(name: str) -> str:
    """The name without blanks at its ends. Raises SenderError for one that is none."""
    name = name.strip()
    if not name or not name.isprintable() or len(name) > MAX_NAME:
        raise SenderError(f"{name!r} is no name; use 1 to {MAX_NAME} printable characters")
    return name


def random_word(size: int) -> str:
    """`size` random bytes as lower-case letters and digits."""
    return b32encode(secrets.token_bytes(size)).rstrip(b"=").decode("ascii").lower()


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Raises IntegrityError for a name that is taken, SenderError when the sender is gone."""
    if not connection.execute(select(sender.c.id).where(sender.c.id == row["sender_id"])).first():
        raise SenderError(f"there is no sender {row['sender_id']}")
    connection.execute(insert(table), row)
