"""All sessions of the submission server, over all its listeners: how many, and how they end.

The invariant: a mail that is on its way is never half-cancelled. Its work runs in a task that
belongs to this registry, not to the session, so a client that vanishes or a server that stops
leaves recording and delivery whole.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from collector.client import address_key
from relay import metrics

T = TypeVar("T")


class Connection(Protocol):
    """What the registry asks of a connection."""

    def finish(self) -> None:
        """End: at once when idle, after its reply when a message is on its way."""

    def abort(self) -> None:
        """End now."""


ABORT_SECONDS = 2.0  # for what is cancelled to end


class Connections:
    """Counts sessions against the limits and waits for them when the server stops."""

    def __init__(self, *, limit: int, limit_per_address: int) -> None:
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._sessions: dict[Connection, str | None] = {}
        self._addresses: Counter[str] = Counter()
        self._work: set[asyncio.Task[Any]] = set()
        self._draining = False
        self._changed = asyncio.Event()

    def admit(self, session: Connection, address: str | None) -> bool:
        """Whether the session may go on; each one admitted must `leave`, or be succeeded.

        An address of None is not known yet: once it is, the session leaves and is admitted anew.
        """
        key = None if address is None else address_key(address)
        crowded = key is not None and self._addresses[key] >= self._limit_per_address
        if self._draining or crowded or len(self._sessions) >= self._limit:
            metrics.SESSIONS_TURNED_AWAY.inc()
            return False
        self._sessions[session] = key
        if key is not None:
            self._addresses[key] += 1
        metrics.SESSIONS.inc()
        return True

    def hand_over(self, session: Connection, successor: Connection) -> bool:
        """The successor takes the session's place; False if the session has left."""
        if session not in self._sessions:
            return False
        self._sessions[successor] = self._sessions.pop(session)
        return True

    def leave(self, session: Connection) -> None:
        """Forgets the session; does nothing for one that has no place."""
        if session not in self._sessions:
            return
        key = self._sessions.pop(session)
        metrics.SESSIONS.dec()
        if key is not None:
            self._addresses[key] -= 1
            if not self._addresses[key]:
                del self._addresses[key]
        self._changed.set()

    async def carry_out(self, work: Coroutine[Any, Any, T]) -> T:
        """Awaits `work`, which runs to its end even when the session that asks is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def drain(self, deadline: float) -> None:
        """Ends idle sessions now, lets mail in flight finish for `deadline` seconds, ends the rest.

        Stop listening first; who connects all the same is turned away.
        """
        self._draining = True
        for session in tuple(self._sessions):
            session.finish()
        try:
            async with asyncio.timeout(deadline):
                while self._sessions or self._work:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            for session in tuple(self._sessions):
                session.abort()
            for task in self._work:
                task.cancel()
            if self._work:  # what they hold closes after them
                await asyncio.wait(self._work, timeout=ABORT_SECONDS)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        self._changed.set()
