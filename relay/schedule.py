"""When queued mail is tried again: how long each waits, and whose turn it is. Pure.

All times are seconds of a clock that never jumps, which the caller reads.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Generic, TypeVar

L = TypeVar("L", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds: the first wait, the longest, a mail's lifetime, its age when its sender is told.

    RFC 5321 §4.5.4.1 wants at least 30 minutes between attempts and 4 to 5 days in all; it also
    allows for what is meant here, a few early attempts, as most refusals for now last minutes.
    """

    first: float = 300
    longest: float = 3600
    lifetime: float = 432_000
    delay: float = 14_400
    jitter: float = 0.15  # of the wait, either way: what came together does not stay together

    def wait(self, attempts: int, message_id: int) -> float:
        """Seconds after so many attempts; the jitter is the message's own, without randomness."""
        said = b"%d %d" % (message_id, attempts)
        spread = int.from_bytes(blake2b(said, digest_size=4).digest(), "big") / 2**32
        doubled = min(self.first * 2.0 ** min(max(attempts, 1) - 1, 32), self.longest)
        return doubled * (1 + self.jitter * (2 * spread - 1))


@dataclass(slots=True)
class _Line:
    """The messages of one lane: those whose time comes, those whose turn comes, those at work."""

    waiting: list[tuple[float, int]] = field(default_factory=list)  # a heap
    ready: OrderedDict[int, None] = field(default_factory=OrderedDict)
    out: set[int] = field(default_factory=set)


class Agenda(Generic[L]):
    """Whose turn it is on each lane. A message is waiting, ready or out, or not here."""

    def __init__(self) -> None:
        self._lines: dict[L, _Line] = {}
        self._places: dict[
            int, tuple[L, float | None]
        ] = {}  # the lane; when it is due, if it waits

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._places

    def is_out(self, message_id: int) -> bool:
        """Whether it is being sent."""
        place = self._places.get(message_id)
        return place is not None and message_id in self._lines[place[0]].out

    def add(self, message_id: int, lane: L, due: float) -> None:
        """It waits until `due`; wherever it was before, it is there no more."""
        self.drop(message_id)
        self._places[message_id] = (lane, due)
        heapq.heappush(self._line(lane).waiting, (due, message_id))

    def line_up(self, message_id: int, lane: L) -> None:
        """It is ready, behind the others of its lane."""
        self.drop(message_id)
        self._places[message_id] = (lane, None)
        self._line(lane).ready[message_id] = None

    def send_out(self, message_id: int, lane: L) -> None:
        """It is being sent already."""
        self.drop(message_id)
        self._places[message_id] = (lane, None)
        self._line(lane).out.add(message_id)

    def drop(self, message_id: int) -> None:
        """It is here no more."""
        place = self._places.pop(message_id, None)
        if place is None:
            return
        lane, _ = place
        line = self._lines[lane]
        line.out.discard(message_id)
        line.ready.pop(message_id, None)
        if not (line.waiting or line.ready or line.out):
            del self._lines[lane]

    def take(self, now: float, room: Callable[[L], int]) -> list[int]:
        """Who goes out now, oldest first; `room` says how many of a lane may be out at once."""
        taken: list[int] = []
        for lane, line in self._lines.items():
            self._ripen(lane, now)
            while line.ready and len(line.out) < room(lane):
                message_id, _ = line.ready.popitem(last=False)
                line.out.add(message_id)
                taken.append(message_id)
        return taken

    def next_due(self) -> float | None:
        """When the first of those who wait is due."""
        self._forget_moved()
        return min(
            (line.waiting[0][0] for line in self._lines.values() if line.waiting), default=None
        )

    def lanes(self) -> Iterator[L]:
        """The lanes that somebody is on."""
        return iter(self._lines)

    def lanes_with_ready(self) -> Iterator[L]:
        """The lanes on which somebody's turn would be now, if there were room."""
        return (lane for lane, line in self._lines.items() if line.ready)

    def _line(self, lane: L) -> _Line:
        return self._lines.setdefault(lane, _Line())

    def _ripen(self, lane: L, now: float) -> None:
        line = self._lines[lane]
        while line.waiting and line.waiting[0][0] <= now:
            due, message_id = heapq.heappop(line.waiting)
            if self._places.get(message_id) == (lane, due):  # else it has moved on since
                self._places[message_id] = (lane, None)
                line.ready[message_id] = None

    def _forget_moved(self) -> None:
        for lane, line in tuple(self._lines.items()):
            while line.waiting:
                due, message_id = line.waiting[0]
                if self._places.get(message_id) == (lane, due):
                    break
                heapq.heappop(line.waiting)
            if not (line.waiting or line.ready or line.out):
                del self._lines[lane]
