"""Devices: mail programs and apps of a sender's, each with an app password of its own.

The password is made here, shown once and stored as a hash: `KEY-SECRET`, where the key finds the
row, so that one hash is computed however many devices a sender has. It is good for submitting
mail, not for the pages. What is revoked here ends at once, elsewhere within five seconds.
"""

import re
import secrets
import time
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from collector.checks import Checks
from collector.errors import StoreConflict
from collector.memory import Rows, remember
from collector.roster import SenderError
from collector.schema import device, sender
from collector.store import Store

MAX_NAME = 100
NOTE_MS = 3_600_000  # how often a device's use is noted

_PASSWORD = re.compile(r"([a-z2-7]{16})-([a-z2-7]{16})")


@dataclass(frozen=True, slots=True)
class Device:
    """A mail program or app, by the name that its sender gave it."""

    id: int
    sender_id: int
    name: str
    created_at_ms: int
    last_used_at_ms: int | None
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lock:
    """A device and the hash of its secret, which leaves this package never."""

    device: Device
    secret_hash: str


def split_password(password: str) -> tuple[str, str] | None:
    """The key and the secret of what has an app password's form; None for any other password.

    People type these: capitals and blanks at the ends do not matter.
    """
    match = _PASSWORD.fullmatch(password.strip().lower())
    return (match[1], match[2]) if match else None


class Devices:
    """Reads and changes devices. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store, checks: Checks) -> None:
        self._store = store
        self._checks = checks
        self._locks: Rows[str, Lock] = Rows(self._read)
        self._noted: dict[int, int] = {}

    async def add(self, sender_id: int, name: str) -> str:
        """A new device; its app password, which nobody can show again. Raises SenderError."""
        name = name.strip()
        if not name or not name.isprintable() or len(name) > MAX_NAME:
            raise SenderError(f"{name!r} is no name; use 1 to {MAX_NAME} printable characters")
        key, secret = _random_word(), _random_word()
        row = {
            "sender_id": sender_id,
            "name": name,
            "key": key,
            "secret_hash": await self._checks.hash(secret),
            "created_at_ms": time.time_ns() // 1_000_000,
        }
        try:
            await self._store.write(lambda connection: _insert(connection, row))
        except StoreConflict:
            raise SenderError(
                f"there is a device {name!r} already; choose another name, or revoke it first"
            ) from None
        return f"{key}-{secret}"

    async def list(self, sender_id: int) -> Sequence[Device]:
        """The sender's devices, in the order in which they were added."""
        query = _DEVICES.where(device.c.sender_id == sender_id).order_by(device.c.id)
        return tuple(_lock(row).device for row in await self._store.read(query))

    async def revoke(self, sender_id: int, name: str) -> None:
        """From now on the device's password is none. Raises SenderError."""
        gone = delete(device).where(device.c.sender_id == sender_id, device.c.name == name)
        try:
            if not await self._store.write(lambda connection: connection.execute(gone).rowcount):
                raise SenderError(f"there is no device {name!r}")
        finally:
            self._locks.forget()

    async def check(self, key: str, secret: str, sender_id: int | None) -> Device | None:
        """The sender's device whose password this is. None where it is none of theirs, at the cost
        of a wrong one. Raises PasswordsBusy.
        """
        lock = await self._locks.get(key)
        known = lock.secret_hash if lock and lock.device.sender_id == sender_id else None
        if not await self._checks.passes(secret, known, _keep) or lock is None:
            return None
        self._note_use(lock.device)
        return lock.device

    async def stands(self, used: Device) -> bool:
        """Whether it was not revoked up to five seconds ago."""
        return await self._locks.get(used.key) is not None

    async def _read(self, key: str) -> Lock | None:
        rows = await self._store.read(_DEVICES.where(device.c.key == key))
        return _lock(rows[0]) if rows else None

    def _note_use(self, used: Device) -> None:
        """Some time soon, so that no login waits for the disk, and once an hour at most."""
        now_ms = time.time_ns() // 1_000_000
        last_ms = self._noted.get(used.id, used.last_used_at_ms or 0)
        if now_ms - last_ms >= NOTE_MS:
            remember(self._noted, used.id, now_ms)
            self._store.post(_NOTE_USE, {"of_device": used.id, "used_at_ms": now_ms})


async def _keep(_: str) -> None:
    """A secret that nobody chose needs no dearer hash."""


def _insert(connection: Connection, row: dict[str, Any]) -> None:
    """Raises IntegrityError for a name that is taken, SenderError when the sender is gone."""
    if not connection.execute(select(sender.c.id).where(sender.c.id == row["sender_id"])).first():
        raise SenderError(f"there is no sender {row['sender_id']}")
    connection.execute(insert(device), row)


def _random_word() -> str:
    """16 letters and digits, 80 bits."""
    return b32encode(secrets.token_bytes(10)).decode("ascii").lower()


def _lock(row: Row[Any]) -> Lock:
    known = Device(row.id, row.sender_id, row.name, row.created_at_ms, row.last_used_at_ms, row.key)
    return Lock(known, row.secret_hash)


_DEVICES = select(device)
_NOTE_USE = (
    update(device)
    .where(device.c.id == bindparam("of_device"))
    .values(last_used_at_ms=bindparam("used_at_ms"))
)
