"""Mail that waits to be sent, in numbers: what the collector may know of the relay's queue."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for one upstream: how many mails, how many of them held, and since when the oldest
    does; nothing of what they are."""

    upstream: str
    count: int
    held: int
    oldest_ms: int
    is_away: bool  # nobody was there at the last attempt


async def nothing() -> Sequence[Waiting]:
    """Of a site without a queue."""
    return ()
