"""Mail that waits to be sent, in numbers: what the collector may know of the relay's queue, and the
one thing that it may ask of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for one upstream: how many mails, how many of them held, and since when the oldest
    does; nothing of what they are."""

    upstream: str
    count: int
    held: int
    oldest_ms: int
    is_away: bool  # nobody was there at the last attempt


class MailQueue(Protocol):
    """The relay's queue, from here."""

    async def waiting(self) -> Sequence[Waiting]:
        """What waits, by upstream."""

    def hurry(self, upstream: str) -> int:
        """Has all that waits for this upstream tried at once, but for what is held; how many."""


class NoQueue:
    """Of a site that sends nothing."""

    async def waiting(self) -> Sequence[Waiting]:
        return ()

    def hurry(self, upstream: str) -> int:
        return 0
