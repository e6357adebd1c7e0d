"""Whether something is away, and when it is worth a look. Pure: the caller brings the clock.

The first failure sends it away. From then on one attempt at a time looks for it, the probe: the
first after `first` seconds, each later one after twice the wait, until `longest`. Any answer brings
it back. So a day of absence costs 293 attempts, however much waits for it.
"""

import time
from collections.abc import Callable


class Health:
    """`clock` gives seconds that never jump."""

    def __init__(
        self,
        *,
        first: float = 5.0,
        longest: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._wait = 0.0  # 0 while it is there
        self._due = 0.0
        self._failed_at = 0.0
        self._is_probed = False

    @property
    def is_away(self) -> bool:
        return self._wait > 0

    @property
    def seconds_to_probe(self) -> float:
        """Until it is worth an attempt; 0 if it is now."""
        return max(0.0, self._due - self._clock()) if self.is_away else 0.0

    def may_try(self) -> bool:
        """Whether an attempt is worth it: it is there, or a probe is due and nobody is at it."""
        return not self.is_away or (not self._is_probed and self._clock() >= self._due)

    def begin(self) -> bool:
        """To be called before an attempt: whether it is the probe. Never two at once are."""
        if not self.is_away or self._is_probed:
            return False
        self._is_probed = True
        return True

    def failed(self, *, probe: bool) -> bool:
        """The attempt found nothing there; whether that sent it away.

        Those that began before it went tell nothing new.
        """
        if self.is_away and not probe:
            return False
        news = not self.is_away
        self._wait = self._first if news else min(2 * self._wait, self._longest)
        self._failed_at = self._clock()
        self._due = self._failed_at + self._wait
        self._is_probed = False
        return news

    def look_again(self) -> None:
        """Somebody has reason to think that it is there: worth an attempt, `first` seconds after
        the last one."""
        self._due = min(self._due, self._failed_at + self._first)

    def answered(self) -> bool:
        """The attempt got an answer, whatever it was; whether that brought it back."""
        news = self.is_away
        self._wait, self._is_probed = 0.0, False
        return news

    def gave_up(self, *, probe: bool) -> None:
        """The attempt ended and told nothing; another may be the probe."""
        if probe:
            self._is_probed = False
