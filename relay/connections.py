"""All sessions of the submission server, over all its listeners: how many, and how they end.

The invariant: a mail that is on its way is never half-cancelled. Its work runs in a task that
belongs to this registry, not to the session, so a client that vanishes or a server that stops
leaves recording and delivery whole.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from relay import metrics

T = TypeVar("T")


class Connection(Protocol):
    """What the registry asks of a connection."""

    def finish(self) -> None:
        """End: at once when idle, after its reply when a message is on its way."""

    def abort(self) -> None:
        """End now."""


class Connections:
    """Counts sessions against the limits and waits for them when the server stops."""

    def __init__(self, *, limit: int, limit_per_address: int) -> None:
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._sessions: dict[Connection, str] = {}
        self._addresses: Counter[str] = Counter()
        self._work: set[asyncio.Task[Any]] = set()
        self._draining = False
        self._changed = asyncio.Event()

    def admit(self, session: Connection, address: str) -> bool:
        """Whether the session may go on; each one admitted must `leave`."""
        if (
            self._draining
            or len(self._sessions) >= self._limit
            or self._addresses[address] >= self._limit_per_address
        ):
            metrics.SESSIONS_TURNED_AWAY.inc()
            return False
        self._sessions[session] = address
        self._addresses[address] += 1
        metrics.SESSIONS.inc()
        return True

    def leave(self, session: Connection) -> None:
        """Forgets the session; does nothing for one that was not admitted."""
        address = self._sessions.pop(session, None)
        if address is None:
            return
        metrics.SESSIONS.dec()
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]
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

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        self._changed.set()
