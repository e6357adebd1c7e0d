"""Sessions: who is signed in to the pages, in which browser.

Only the hash of a session's token is kept, and of its browser the family (families.py).
"""

import secrets
import time
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from collector.errors import StoreConflict
from collector.families import find_family
from collector.roster import SenderError
from collector.schema import session
from collector.store import Store

NOTE_MS = 3_600_000  # how often a session's use is noted


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in; `is_this`: the one that asks. Times where they were noted."""

    browser: str  # one of families.FAMILIES
    created_at_ms: int | None
    last_used_at_ms: int | None
    is_this: bool


class Sessions:
    """Opens, finds and ends sessions. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self, sender_id: int, ttl: float, agent: str = "") -> str:
        """A new session of `ttl` seconds; its token, of which only a hash is kept.

        Sweeps those that are over, too. Raises SenderError where there is no such sender.
        """
        token = secrets.token_urlsafe(32)
        now_ms = _now_ms()
        row = {
            "token_hash": _token_hash(token),
            "sender_id": sender_id,
            "expires_at_ms": now_ms + int(ttl * 1000),
            "created_at_ms": now_ms,
            "last_used_at_ms": now_ms,
            "browser": find_family(agent),
        }
        try:
            await self._store.write(partial(_insert, row=row, now_ms=now_ms))
        except StoreConflict:
            raise SenderError(f"there is no sender {sender_id}") from None
        return token

    async def owner(self, token: str) -> int | None:
        """Whose session it is; None when it is over or unknown. Its use is noted some time soon."""
        token_hash, now_ms = _token_hash(token), _now_ms()
        rows = await self._store.read(_FIND, {"of_token": token_hash, "now_ms": now_ms})
        if not rows:
            return None
        sender_id, last_used_at_ms = rows[0]
        if now_ms - (last_used_at_ms or 0) >= NOTE_MS:
            self._store.post(_NOTE, {"of_token": token_hash, "now_ms": now_ms})
        return int(sender_id)

    async def list(self, sender_id: int, token: str) -> tuple[Session, ...]:
        """The sender's that are not over: that of the token first, then the latest used."""
        token_hash = _token_hash(token)
        rows = await self._store.read(_LIST, {"of_sender": sender_id, "now_ms": _now_ms()})
        found = [
            Session(
                row.browser, row.created_at_ms, row.last_used_at_ms, row.token_hash == token_hash
            )
            for row in rows
        ]
        return tuple(sorted(found, key=lambda each: not each.is_this))

    async def close(self, token: str) -> None:
        """Ends a session; nothing happens if there is none."""
        await self._store.change(_DELETE, {"of_token": _token_hash(token)})

    async def close_all(self, sender_id: int) -> None:
        """Ends every session of the sender's."""
        await self._store.write(partial(delete_sessions, sender_id=sender_id))


def delete_sessions(connection: Connection, sender_id: int) -> None:
    """Ends every session of the sender's, within the transaction."""
    connection.execute(_DELETE_ALL, {"of_sender": sender_id})


def _insert(connection: Connection, row: dict[str, object], now_ms: int) -> None:
    """Raises IntegrityError when the sender is gone."""
    connection.execute(_SWEEP, {"now_ms": now_ms})
    connection.execute(insert(session), row)


def _token_hash(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "replace"), digest_size=32).digest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_THIS = session.c.token_hash == bindparam("of_token")
_STANDS = session.c.expires_at_ms > bindparam("now_ms")
_FIND = select(session.c.sender_id, session.c.last_used_at_ms).where(_THIS, _STANDS)
_LIST = (
    select(session)
    .where(session.c.sender_id == bindparam("of_sender"), _STANDS)
    .order_by(session.c.last_used_at_ms.desc())
)
_NOTE = update(session).where(_THIS).values(last_used_at_ms=bindparam("now_ms"))
_DELETE = delete(session).where(_THIS)
_DELETE_ALL = delete(session).where(session.c.sender_id == bindparam("of_sender"))
_SWEEP = delete(session).where(session.c.expires_at_ms <= bindparam("now_ms"))
