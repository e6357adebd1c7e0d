"""API keys: what a program of a sender's shows to read, or to change, what is that sender's.

`letterbell_KEY_SECRET` (see passes.py). The secret is 256 random bits, so one pass of a fast hash
keeps it: argon2id is for what a person might have chosen, here there is nothing to guess.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

from sqlalchemy import Row

from collector.passes import Pass, Passes, random_word
from collector.schema import api_key
from collector.store import Store

KEY_SIZE = 10
SECRET_SIZE = 32

_FORM = re.compile(r"letterbell_([a-z2-7]{16})_([a-z2-7]{52})")


@dataclass(frozen=True, slots=True)
class ApiKey(Pass):
    """A program's key. Its `scope`, one of schema.SCOPES; "write" may read as well."""

    scope: str

    def allows(self, scope: str) -> bool:
        """Whether a request that needs this scope may be made with it."""
        return self.scope in {scope, "write"}


class ApiKeys(Passes[ApiKey]):
    """Reads and changes API keys. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, api_key, "an API key", _api_key)

    async def add(self, sender_id: int, name: str, scope: str) -> str:
        """A new key, which nobody can show again. Raises SenderError."""
        key, secret = random_word(KEY_SIZE), random_word(SECRET_SIZE)
        await self._insert(sender_id, name, key=key, secret_hash=_hash(secret), scope=scope)
        return f"letterbell_{key}_{secret}"

    async def check(self, written: str) -> ApiKey | None:
        """The key that this is, if it is one and was not revoked."""
        match = _FORM.fullmatch(written)
        lock = await self._locks.get(match[1]) if match else None
        if match is None or lock is None or not compare_digest(_hash(match[2]), lock.secret_hash):
            return None
        self._note_use(lock.owner)
        return lock.owner


def _hash(secret: str) -> bytes:
    return blake2b(secret.encode("ascii"), digest_size=32, person=b"letterbell.api").digest()


def _api_key(row: Row[Any]) -> ApiKey:
    times = row.created_at_ms, row.last_used_at_ms
    return ApiKey(row.id, row.sender_id, row.name, *times, row.key, row.scope)
