"""Devices: mail programs and apps of a sender's, each with an app password of its own.

The password is `KEY-SECRET` (see passes.py). It is good for submitting mail, not for the pages.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from collector.checks import Checks
from collector.passes import Pass, Passes, checked_name, random_word
from collector.schema import device
from collector.store import Store

WORD_SIZE = 10  # 16 letters and digits, 80 bits

_PASSWORD = re.compile(r"([a-z2-7]{16})-([a-z2-7]{16})")


@dataclass(frozen=True, slots=True)
class Device(Pass):
    """A mail program or app, by the name that its sender gave it."""


def split_password(password: str) -> tuple[str, str] | None:
    """The key and the secret of what has an app password's form; None for any other password.

    People type these: capitals and blanks at the ends do not matter.
    """
    match = _PASSWORD.fullmatch(password.strip().lower())
    return (match[1], match[2]) if match else None


class Devices(Passes[Device]):
    """Reads and changes devices. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store, checks: Checks) -> None:
        super().__init__(store, device, "a device", _device)
        self._checks = checks

    async def add(self, sender_id: int, name: str) -> str:
        """A new device; its app password, which nobody can show again. Raises SenderError."""
        checked_name(name)
        key, secret = random_word(WORD_SIZE), random_word(WORD_SIZE)
        secret_hash = await self._checks.hash(secret)
        await self._insert(sender_id, name, key=key, secret_hash=secret_hash)
        return f"{key}-{secret}"

    async def check(self, key: str, secret: str, sender_id: int | None) -> Device | None:
        """The sender's device whose password this is. None where it is none of theirs, at the cost
        of a wrong one. Raises PasswordsBusy.
        """
        lock = await self._locks.get(key)
        known = lock.secret_hash if lock and lock.owner.sender_id == sender_id else None
        if not await self._checks.passes(secret, known, _keep) or lock is None:
            return None
        self._note_use(lock.owner)
        return lock.owner

    async def stands(self, used: Device) -> bool:
        """Whether it was not revoked up to five seconds ago."""
        return await self._locks.get(used.key) is not None


async def _keep(_: str) -> None:
    """A secret that nobody chose needs no dearer hash."""


def _device(row: Row[Any]) -> Device:
    return Device(row.id, row.sender_id, row.name, row.created_at_ms, row.last_used_at_ms, row.key)
