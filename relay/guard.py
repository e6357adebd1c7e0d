"""Slows down who guesses logins (collector/attempts.py). Of one address only a few are tried at a
time, so that many at once gain nothing.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from collector.attempts import Attempts
from collector.client import address_key
from relay.envelope import Refusal
from relay.wire import Hangup

AT_ONCE = 5  # logins of one address that are tried at a time
TURN_SECONDS = 30.0  # that a login may wait for its turn


@dataclass(slots=True)
class _Turns:
    """Of one address; `users` are those within and those who wait."""

    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    users: int = 0


class Guard:
    """Asked before each login. `peer` is an address, `login` as the client gave it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = Attempts(clock=clock)
        self._turns: dict[str, _Turns] = {}

    @asynccontextmanager
    async def turn(self, peer: str) -> AsyncIterator[None]:
        """One of the few logins of an address at a time. Raises Refusal (454) for waiting long."""
        address = address_key(peer)
        turns = self._turns.setdefault(address, _Turns())
        turns.users += 1
        try:
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await turns.free.acquire()
            except TimeoutError:
                raise Refusal(454, b"4.7.0 Too many logins at once; try again later") from None
            try:
                yield
            finally:
                turns.free.release()
        finally:
            turns.users -= 1
            if not turns.users:
                del self._turns[address]

    def check(self, peer: str, login: str) -> None:
        """Raises Hangup (421) while the address or the login must wait."""
        if wait := self._attempts.wait(peer, login):
            text = b"4.7.0 Too many wrong logins; try again in %d s"
            raise Hangup(421, text % math.ceil(wait))

    def fail(self, peer: str, login: str) -> None:
        """Notes a wrong login, or one whose answer the client did not wait for."""
        self._attempts.fail(peer, login)

    def succeed(self, peer: str, login: str) -> None:
        """Notes a right login."""
        self._attempts.succeed(peer, login)
