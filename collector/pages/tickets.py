"""Links that let a phone fetch its profile once, without a session.

A ticket is a promise in memory: the app password is made when it is taken, so that nothing secret
waits. It is good for LIFETIME seconds, once, in this process; a sender has one at a time. Its token
is kept as a hash, so that looking it up tells nothing of it by how long that takes.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

LIFETIME = 600.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which sender's profile it is for: its mail address, and the name of the new device."""

    sender_id: int
    address: str
    device: str


class Tickets:
    """`clock` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[bytes, tuple[float, Ticket]] = {}

    def issue(self, ticket: Ticket) -> str:
        """A new token for it; the sender's earlier one ends."""
        token = secrets.token_urlsafe(24)
        self.restore(token, ticket)
        return token

    def restore(self, token: str, ticket: Ticket) -> None:
        """It was taken in vain, and may be taken again."""
        now = self._clock()
        self._waiting = {
            key: (until, other)
            for key, (until, other) in self._waiting.items()
            if until > now and other.sender_id != ticket.sender_id
        }
        self._waiting[_key(token)] = (now + LIFETIME, ticket)

    def take(self, token: str) -> Ticket | None:
        """What it is for, this once; None for any other token."""
        until, ticket = self._waiting.pop(_key(token), (0.0, None))
        return ticket if until > self._clock() else None


def _key(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "surrogateescape"), digest_size=16).digest()
