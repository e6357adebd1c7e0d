"""Where a sender lately was, so that their own views of their mail are told from their readers'.

Noted are the addresses that mail was submitted from after a login, and those that the pages were
used from, with the session. For six hours, in memory alone, in bounded room, and hashed with a key
of this process. Only addresses of the public Internet count (of IPv6: their /64): a loopback or
private one may be a proxy's or a gateway's, behind which everybody is.

A judgement of likelihood: who shares the sender's address, as in an office, is taken for them.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Literal, TypeVar

from collector.client import Address, Networks, within

PRESENT_SECONDS = 6 * 3600
MAX_REMEMBERED = 20_000

K = TypeVar("K")
V = TypeVar("V")

Seen = Literal["session", "submission", "page"]


class Presence:
    """Of all senders. `proxies` are addresses that stand for others."""

    def __init__(
        self, proxies: Networks = (), *, now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6
    ) -> None:
        self._proxies = proxies
        self._now_ms = now_ms
        self._hash = blake2b(key=secrets.token_bytes(32), digest_size=16)
        # Hashed, the longest unseen first, with when they were seen last.
        self._places: OrderedDict[bytes, tuple[int, Seen]] = OrderedDict()
        self._sessions: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def note(self, sender_id: int, address: Address | None, how: Seen) -> None:
        """The sender is there just now."""
        if address is not None and address.is_global and not within(address, self._proxies):
            _remember(self._places, self._place(sender_id, address), (self._now_ms(), how))

    def note_session(self, token: str, sender_id: int) -> None:
        """The pages are used with this session of the sender's just now."""
        _remember(self._sessions, self._session(token), (self._now_ms(), sender_id))

    def forget_session(self, token: str) -> None:
        """It is over."""
        self._sessions.pop(self._session(token), None)

    def owner(self, token: str) -> int | None:
        """Whose session it is, if it was used lately."""
        found = self._sessions.get(self._session(token))
        return found[1] if found and _is_lately(found[0], self._now_ms()) else None

    def seen(self, sender_id: int, address: Address | None, at_ms: int) -> Seen | None:
        """How the sender was seen at the address, not long before that moment or since."""
        if address is None:
            return None
        found = self._places.get(self._place(sender_id, address))
        return found[1] if found and _is_lately(found[0], at_ms) else None

    def _place(self, sender_id: int, address: Address) -> bytes:
        octets = address.packed if address.version == 4 else address.packed[:8]
        return self._hashed(sender_id.to_bytes(8) + octets)

    def _session(self, token: str) -> bytes:
        return self._hashed(token.encode("utf-8", "replace"))

    def _hashed(self, what: bytes) -> bytes:
        state = self._hash.copy()
        state.update(what)
        return state.digest()


def _is_lately(seen_ms: int, at_ms: int) -> bool:
    return at_ms - seen_ms <= PRESENT_SECONDS * 1000


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MAX_REMEMBERED:
        known.popitem(last=False)
