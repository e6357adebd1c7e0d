"""Slows down who guesses passwords. Kept in memory: a restart forgives.

After `free` failures within `window` seconds each further one doubles the wait, from one second
up to `longest`.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

REMEMBERED = 10_000  # keys; the ones longest untouched are forgotten first


@dataclass(slots=True)
class Failures:
    """How often a key failed, and when last."""

    count: int
    last: float


class Throttle:
    """Counts failures by key, such as a login with an address. Times in seconds of `clock`."""

    def __init__(
        self,
        *,
        free: int = 5,
        window: float = 900,
        longest: float = 300,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = free
        self._window = window
        self._longest = longest
        self._clock = clock
        self._failures: OrderedDict[object, Failures] = OrderedDict()

    def wait(self, key: object) -> float:
        """Seconds until the key may try again; 0.0 when it may now."""
        failures = self._recent(key)
        if failures is None or failures.count < self._free:
            return 0.0
        pause = min(self._longest, 2.0 ** min(failures.count - self._free, 30))
        return max(0.0, failures.last + pause - self._clock())

    def fail(self, key: object) -> None:
        """Notes one more failure."""
        failures = self._recent(key)
        count = failures.count if failures else 0
        self._failures[key] = Failures(count + 1, self._clock())
        self._failures.move_to_end(key)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def excuse(self, key: object) -> None:
        """Takes the last failure back, which was none after all."""
        if failures := self._failures.get(key):
            failures.count = max(0, failures.count - 1)

    def forgive(self, key: object) -> None:
        """Forgets a key, after a success."""
        self._failures.pop(key, None)

    def _recent(self, key: object) -> Failures | None:
        failures = self._failures.get(key)
        if failures is None or self._clock() - failures.last > self._window:
            return None
        return failures
