"""What all sessions with one host share: how many there may be at once, and whom TLS trusts.

Sessions are of different logins, and one login's cannot serve another. So a kept one gives way to a
new one where there would be too many: the host counts them all. Mail of the queue gets half of them
at most, so that a client's mail does not wait behind ten thousand queued ones.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, nullcontext


class Gate:
    """For `limit` sessions, in use and kept together; `share` of them for the queue."""

    def __init__(self, limit: int) -> None:
        self.context: ssl.SSLContext | None = None  # once it has been read
        self.share = max(1, limit // 2)
        self._limit = limit
        self._free = asyncio.Semaphore(limit)
        self._queued = asyncio.Semaphore(self.share)
        self._in_use = 0
        self._kept: dict[Hashable, Callable[[], None]] = {}  # the one kept longest first

    @asynccontextmanager
    async def session(self, *, queued: bool = False) -> AsyncIterator[None]:
        """Waits for its turn to use a session."""
        async with self._queued if queued else nullcontext(), self._free:
            self._in_use += 1
            try:
                yield
            finally:
                self._in_use -= 1

    def make_room(self) -> None:
        """To be called before a session is opened: a kept one may have to go."""
        while self._kept and self._in_use + len(self._kept) > self._limit:
            next(iter(self._kept.values()))()

    def keep(self, session: Hashable, retire: Callable[[], None]) -> None:
        """Counts a session that nobody uses; `retire` ends it and calls `release`."""
        self._kept[session] = retire

    def release(self, session: Hashable) -> None:
        """The session is used again, or has ended."""
        self._kept.pop(session, None)
