"""Slows down who guesses logins. Kept in memory, by each process: a restart forgives.

Three counts, each of which doubles the wait from a second up to five minutes:

- a login, tried from one address: after 5 failures; a success forgives them.
- an address, whatever the login: after 20. A success forgives none of them, or whoever has a login
  could go on guessing those of others.
- a login, from wherever it is tried: after 50.

Once a login has succeeded from an address, the first count alone is for it there: neither strangers
far away nor a neighbour's forgotten password behind the same router can lock it out.

Logins count alike whether there are such or not, and of one address only a few are tried at a time,
so that many at once gain nothing.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from collector.senders import MAX_LOGIN, login_key
from collector.throttle import Throttle
from relay.connections import address_key
from relay.envelope import Refusal
from relay.wire import Hangup

FREE_BY_BOTH = 5
FREE_BY_ADDRESS = 20
FREE_BY_LOGIN = 50
AT_ONCE = 5  # logins of one address that are tried at a time
TURN_SECONDS = 30.0  # that a login may wait for its turn
REMEMBERED = 10_000  # where logins succeeded


@dataclass(slots=True)
class _Turns:
    """Of one address; `users` are those within and those who wait."""

    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    users: int = 0


class Guard:
    """Asked before each login. `peer` is an address, `login` as the client gave it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._by_both = Throttle(free=FREE_BY_BOTH, clock=clock)
        self._by_address = Throttle(free=FREE_BY_ADDRESS, clock=clock)
        self._by_login = Throttle(free=FREE_BY_LOGIN, clock=clock)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
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
        both = key, address = _key(login), address_key(peer)
        wait = self._by_both.wait(both)
        if both not in self._known:
            wait = max(wait, self._by_address.wait(address), self._by_login.wait(key))
        if wait:
            text = b"4.7.0 Too many wrong logins; try again in %d s"
            raise Hangup(421, text % math.ceil(wait))

    def fail(self, peer: str, login: str) -> None:
        """Notes a wrong login, or one whose answer the client did not wait for."""
        both = key, address = _key(login), address_key(peer)
        self._by_both.fail(both)
        self._by_address.fail(address)
        self._by_login.fail(key)

    def succeed(self, peer: str, login: str) -> None:
        """Notes a right login."""
        both = _key(login), address_key(peer)
        self._by_both.forgive(both)
        self._known[both] = None
        self._known.move_to_end(both)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _key(login: str) -> str:
    """What is no login for its length alone is not remembered whole."""
    return login_key(login[: MAX_LOGIN + 1])
