"""How long one who guesses logins waits, at the relay and at the pages alike. In memory, by each of
them for itself: a restart forgives.

Three counts, each of which doubles the wait from a second up to five minutes:

- a login, tried from one address: after 5 failures; a success forgives them.
- an address, whatever the login: after 20. A success forgives none of them, or whoever has a login
  could go on guessing those of others.
- a login, from wherever it is tried: after 50.

Once a login has succeeded from an address, the first count alone is for it there: neither strangers
far away nor a neighbour's forgotten password behind the same router can lock it out.

Logins count alike whether there are such or not.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from collector.client import address_key
from collector.senders import MAX_LOGIN, login_key
from collector.throttle import Throttle

FREE_BY_BOTH = 5
FREE_BY_ADDRESS = 20
FREE_BY_LOGIN = 50
REMEMBERED = 10_000  # where logins succeeded


class Attempts:
    """Asked before each login. `peer` is an address, `login` as it was given."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._by_both = Throttle(free=FREE_BY_BOTH, clock=clock)
        self._by_address = Throttle(free=FREE_BY_ADDRESS, clock=clock)
        self._by_login = Throttle(free=FREE_BY_LOGIN, clock=clock)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, peer: str, login: str) -> float:
        """Seconds until it may be tried from there; 0.0 when it may now."""
        both = key, address = _key(login), address_key(peer)
        wait = self._by_both.wait(both)
        if both not in self._known:
            wait = max(wait, self._by_address.wait(address), self._by_login.wait(key))
        return wait

    def fail(self, peer: str, login: str) -> None:
        """Notes a wrong login, or one whose answer was not waited for."""
        both = key, address = _key(login), address_key(peer)
        self._by_both.fail(both)
        self._by_address.fail(address)
        self._by_login.fail(key)

    def excuse(self, peer: str, login: str) -> None:
        """Takes the last failure back: it was not looked at, or was right."""
        both = key, address = _key(login), address_key(peer)
        self._by_both.excuse(both)
        self._by_address.excuse(address)
        self._by_login.excuse(key)

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
