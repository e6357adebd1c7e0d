"""Upstream, as whom it knows us: the relay's own sessions, and those of each login passed through.

A login that was passed through has sessions of its own, kept for half a minute after their last
use. They are found by a keyed hash of the credentials, under a key that dies with this process.
When the last one goes, all that was known of the login goes with it.
"""

import asyncio
import secrets
from hashlib import blake2b
from weakref import WeakValueDictionary

from relay.credentials import Credentials
from relay.envelope import Identity
from relay.gate import Gate
from relay.upstream import LoginRefused, Upstream, UpstreamError, UpstreamHost

MAX_WAITING = 20  # logins; one that would wait longer is told so


class Upstreams:
    """All sessions with one host, over at most its `connections` at once."""

    def __init__(self, host: UpstreamHost) -> None:
        self._host = host
        self._gate = Gate(host.connections)
        self._own = Upstream(host, self._gate)
        self._passed: WeakValueDictionary[bytes, Upstream] = WeakValueDictionary()
        self._secret = secrets.token_bytes(32)
        # Half of them at most: mail goes on, however many log in.
        self._logins = asyncio.Semaphore(max(1, host.connections // 2))
        self._waiting = 0

    def of(self, identity: Identity) -> Upstream:
        """Where this identity's mail goes."""
        return self._of(identity.credentials) if identity.credentials else self._own

    async def log_in(self, credentials: Credentials) -> None:
        """Sees that they are right, by a session that is kept for the mail to come.

        Raises LoginRefused where they are wrong, UpstreamError where nobody knows.
        """
        upstream = self._of(credentials)
        if upstream.is_proven:
            return
        if self._waiting >= MAX_WAITING:
            raise UpstreamError("too many logins wait for it", "raise upstream.connections")
        self._waiting += 1
        try:
            await self._logins.acquire()
        finally:
            self._waiting -= 1
        try:
            await upstream.log_in()
        except LoginRefused:
            await upstream.close()  # what it was right for once is over
            raise
        finally:
            self._logins.release()

    async def close(self) -> None:
        """Says goodbye on every idle session."""
        for upstream in (self._own, *self._passed.values()):
            await upstream.close()

    def _of(self, credentials: Credentials) -> Upstream:
        said = b"\0".join(
            [type(credentials).__name__.encode(), credentials.login, credentials.secret]
        )
        key = blake2b(said, key=self._secret).digest()
        upstream = self._passed.get(key)
        if upstream is None:
            upstream = self._passed[key] = Upstream(self._host, self._gate, credentials)
        return upstream
