"""One round of a measurement: a load goes through a server, until the sink has all of it."""

import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

import load
import uvloop
from processes import cpu_seconds

PAUSE = 0.002  # seconds between two looks at the sink


@dataclass(frozen=True, slots=True)
class Round:
    """Mails a second, milliseconds of a mail as its client sees them, and of the processor; how
    large a mail is that comes to the sink, with its commands."""

    rate: float
    p50: float
    p99: float
    cpu_ms: float
    octets: float

    @classmethod
    def median(cls, rounds: Sequence[Self]) -> Self:
        """Each figure's own."""
        return cls(*map(statistics.median, zip(*map(astuple, rounds), strict=True)))


def measure(task: load.Load, *, sink: int, pid: int | None = None) -> Round:
    """Sends; the time is until the sink has the last mail. `sink` is its port, `pid` the process
    whose time is counted, with all below it."""
    with Counter(sink) as counter:
        before, octets = counter.count()
        began = spent = 0.0

        def warmed_up() -> None:
            nonlocal began, spent
            counter.wait_for(before + task.warm_up)
            spent = cpu_seconds(pid) if pid else 0.0
            began = time.perf_counter()

        result = uvloop.run(load.run(task, warmed_up=warmed_up))
        counter.wait_for(before + task.warm_up + task.mails)
        seconds = time.perf_counter() - began
        spent = cpu_seconds(pid) - spent if pid else 0.0
        octets = counter.count()[1] - octets
    return Round(
        rate=task.mails / seconds,
        p50=result.percentile(0.5),
        p99=result.percentile(0.99),
        cpu_ms=1000 * spent / task.mails,
        octets=octets / (task.warm_up + task.mails),
    )


class Counter:
    """A session in which the sink is asked what has come."""

    def __init__(self, port: int) -> None:
        self._stream = socket.create_connection(("127.0.0.1", port)).makefile("rwb")
        self._stream.readline()

    def count(self) -> tuple[int, int]:
        """Mails and octets."""
        self._stream.write(b"NOOP\r\n")
        self._stream.flush()
        _, mails, octets = self._stream.readline().split()
        return int(mails), int(octets)

    def wait_for(self, mails: int) -> None:
        while self.count()[0] < mails:
            time.sleep(PAUSE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
