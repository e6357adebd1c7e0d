"""How many messages and recipients a sender may have in an hour: a bucket each, that refills.

Pure but for the clock it is given. A bucket holds one hour's worth, so a burst of that size passes
at once, and then one more each time that its share of the hour is over. In this process's memory:
with several, each allows as much.
"""

import math
import time
from collections.abc import Callable

HOUR = 3600.0
MAX_KEYS = 10_000  # senders remembered; of more, the one that has not sent for longest is forgotten
_ROUNDING = 0.001  # seconds: many shares of an hour do not add up to one exactly


class Rate:
    """`per_hour` of something for each sender; 0 sets no limit."""

    def __init__(self, per_hour: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_hour = per_hour
        self._clock = clock
        self._full_at: dict[int, float] = {}  # when each bucket is full again, by last use

    def take(self, sender_id: int) -> int:
        """Takes one and returns 0, or takes none and returns the seconds until there is one."""
        if not self.per_hour:
            return 0
        now = self._clock()
        full_at = max(self._full_at.get(sender_id, now), now) + HOUR / self.per_hour
        wait = full_at - now - HOUR
        if wait > _ROUNDING:
            return math.ceil(wait)
        self._full_at.pop(sender_id, None)
        if len(self._full_at) >= MAX_KEYS:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[sender_id] = full_at
        return 0


class Rates:
    """What a sender may have in an hour; 0 sets no limit."""

    def __init__(
        self,
        *,
        messages: int = 0,
        recipients: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.messages = Rate(messages, clock=clock)
        self.recipients = Rate(recipients, clock=clock)
