"""Whose request it is: a bearer key in the header Authorization, and nowhere else.

A key that is unknown, was revoked, or is a disabled sender's gets the same answer. Who shows wrong
ones waits, as at the sign-in: after 5 of one key from an address, after 20 of any from it. A key
that was right from there before is let in all the same.
"""

import math
from hashlib import blake2b

from aiohttp import web

from collector.api.keys import ApiKey
from collector.api.problems import Problem
from collector.errors import StoreUnavailable
from collector.keys import SENDERS
from collector.memory import remember
from collector.senders import Sender
from collector.throttle import Throttle
from collector.tracking import find_client

FREE_BY_BOTH = 5
FREE_BY_ADDRESS = 20
REALM = 'Bearer realm="letterbell"'


class Guard:
    """Counts wrong keys. `shown` is what stood in the header, of which a hash is remembered."""

    def __init__(self) -> None:
        self._by_both = Throttle(free=FREE_BY_BOTH)
        self._by_address = Throttle(free=FREE_BY_ADDRESS)
        self._known: dict[tuple[bytes, str], None] = {}

    def wait(self, shown: str, address: str) -> float:
        """Seconds until it may be tried; 0.0 when it may now."""
        both = _both(shown, address)
        if both in self._known:
            return 0.0
        return max(self._by_both.wait(both), self._by_address.wait(address))

    def suspect(self, shown: str, address: str) -> None:
        """Before it is looked up, so that many at once gain nothing."""
        both = _both(shown, address)
        if both not in self._known:
            self._by_both.fail(both)
            self._by_address.fail(address)

    def excuse(self, shown: str, address: str) -> None:
        """It was not looked up after all."""
        both = _both(shown, address)
        if both not in self._known:
            self._by_both.excuse(both)
            self._by_address.excuse(address)

    def accept(self, shown: str, address: str) -> None:
        """It was right."""
        self.excuse(shown, address)
        remember(self._known, _both(shown, address), None)

    def refuse(self, shown: str, address: str) -> None:
        """It was wrong, whatever it was before."""
        if self._known.pop(_both(shown, address), self) is None:
            self.suspect(shown, address)


GUARD = web.AppKey("GUARD", Guard)


def setup(app: web.Application) -> None:
    """Gives the application its memory of wrong keys."""
    app[GUARD] = Guard()


async def admit(request: web.Request, scope: str) -> Sender:
    """The sender whose key it is. Raises Problem: 401, 403 where the key is not for this, 429."""
    shown = _read_bearer(request)
    guard, address = request.app[GUARD], str(find_client(request))
    if wait := guard.wait(shown, address):
        seconds = math.ceil(wait)
        raise Problem(
            429,
            f"too many wrong keys came from here; wait {seconds} s, and mend the key",
            headers={"Retry-After": str(seconds)},
        )
    guard.suspect(shown, address)
    try:
        key, sender = await _look_up(request, shown)
    except StoreUnavailable:
        guard.excuse(shown, address)
        raise
    if key is None or sender is None:
        guard.refuse(shown, address)
        raise Problem(
            401,
            "the key is none, or was revoked; `letterbell sender key add` makes one",
            headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
        )
    guard.accept(shown, address)
    if not key.allows(scope):
        raise Problem(
            403,
            f"the key may not {scope}; `letterbell sender key add --{scope}` makes one that may",
            headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'},
        )
    return sender


async def _look_up(request: web.Request, shown: str) -> tuple[ApiKey | None, Sender | None]:
    senders = request.app[SENDERS]
    key = await senders.api_keys.check(shown)
    return key, await senders.current(key.sender_id) if key else None


def _read_bearer(request: web.Request) -> str:
    headers = request.headers.getall("Authorization", ())
    scheme, _, shown = (headers[0] if len(headers) == 1 else "").strip().partition(" ")
    if scheme.lower() != "bearer" or not shown.strip():
        detail = "write your API key into one header `Authorization: Bearer KEY`"
        raise Problem(401, detail, headers={"WWW-Authenticate": REALM})
    return shown.strip()


def _both(shown: str, address: str) -> tuple[bytes, str]:
    digest = blake2b(shown.encode("utf-8", "surrogateescape"), digest_size=16).digest()
    return digest, address
