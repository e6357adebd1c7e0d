"""A queue on a real spool, with lanes that say what they are told and a clock that is turned."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from collector.tokens import Key
from relay.alarms import Alarms
from relay.content import Content
from relay.custody import Clock, Custody
from relay.envelope import Copy, Delivered, Outcome, Outgoing, Recipient, Unreached
from relay.gate import Gate
from relay.health import Health
from relay.lane import Lane
from relay.queue import Queue
from relay.schedule import Pace
from relay.sealing import Seal
from relay.spool import Spool
from relay.spoolfile import Action, Entry
from relay.upstream import UpstreamHost, UpstreamRoute

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
BOB, EVE = b"bob@example.org", b"eve@example.org"
START_MS = 1_764_000_000_000
Answer = Callable[[Copy], tuple[Outcome, ...]]


class TurnedClock(Clock):
    """Stands still until it is turned; the wall clock may jump besides."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.jump_ms = 0
        self.alarm: float | None = None
        self._turned = asyncio.Event()

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return START_MS + round(1000 * (self.now - 1000)) + self.jump_ms

    async def wait(self, wake: asyncio.Event, until: float | None) -> None:
        self.alarm = until
        waits = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(self._turned.wait())]
        try:
            if until is None or until > self.now:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            self._turned.clear()

    def turn(self, seconds: float) -> None:
        self.now += seconds
        self._turned.set()


class TestLane(Lane):
    """The lane with its health, over sessions that are a function."""

    __test__ = False

    def __init__(self, clock: TurnedClock, answer: Answer, width: int = 5) -> None:
        host = UpstreamHost(host="mx.example.org", port=25, hostname="h", tls="none")
        super().__init__(UpstreamRoute.to(host), gate_of=lambda _: Gate(2 * width))
        self._health = Health(clock=clock.monotonic)
        self.answer = answer
        self.attempts: list[Copy] = []
        self.at_once = 0
        self.most_at_once = 0
        self.away = False
        self.tried = asyncio.Event()
        self.ended = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def _attempt(self, copy: Copy, *, probe: bool, partial: bool) -> tuple[Outcome, ...]:
        self.attempts.append(copy)
        self.tried.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            if self.away:
                return tuple(map(_unreached, copy.recipients))
            return self.answer(copy)
        finally:
            self.at_once -= 1
            self.ended.set()


def _unreached(recipient: Recipient) -> Unreached:
    return Unreached(
        recipient=recipient.address, code=451, text=b"nobody", ordinal=recipient.ordinal
    )


def taken(copy: Copy) -> tuple[Outcome, ...]:
    return tuple(
        Delivered(recipient=each.address, code=250, text=b"ok", ordinal=each.ordinal)
        for each in copy.recipients
    )


def saying(*outcomes: Outcome, reports_too: bool = False) -> Answer:
    """These outcomes for their recipients, each time; everybody else gets it, and reports leave."""

    def answer(copy: Copy) -> tuple[Outcome, ...]:
        if not copy.mail_from and not reports_too:
            return taken(copy)
        by_ordinal = {each.ordinal: each for each in [*taken(copy), *outcomes]}
        return tuple(by_ordinal[each.ordinal] for each in copy.recipients)

    return answer


class Reports:
    """Takes note of what the sender is told, and writes him a mail where it is wanted."""

    def __init__(self) -> None:
        self.told: list[tuple[int, list[int], Action]] = []
        self.wanted = True

    async def about(
        self, mail: Outgoing, outcomes: Sequence[Outcome], action: Action
    ) -> Outgoing | None:
        self.told.append((mail.id, [outcome.ordinal for outcome in outcomes], action))
        if not self.wanted or not mail.mail_from:
            return None
        of_this = sum(told_of == mail.id for told_of, *_ in self.told)  # each has an id of its own
        report = outgoing(mail.id + of_this * 2**32, mail.mail_from)
        [copy] = report.copies
        return replace(report, mail_from=b"", copies=(replace(copy, mail_from=b""),))


def outgoing(message_id: int, *to: bytes, received_at_ms: int = START_MS) -> Outgoing:
    recipients = tuple(Recipient(each, {}, n) for n, each in enumerate(to or (BOB,), 1))
    copy = Copy(
        mail_from=b"ana@example.com",
        parameters={},
        recipients=recipients,
        content=Content.of(MESSAGE),
    )
    return Outgoing(
        id=message_id,
        sender_id=1,
        login="ana",
        received_at_ms=received_at_ms,
        mail_from=b"ana@example.com",
        parameters={},
        route=b"ana@example.com",
        copies=(copy,),
        tracked=True,
    )


def copies(mail: Outgoing, count: int) -> Outgoing:
    """A copy for each of so many recipients."""
    [copy] = mail.copies
    each = (Recipient(b"r%d@example.org" % n, {}, n) for n in range(1, count + 1))
    return replace(mail, copies=tuple(replace(copy, recipients=(one,)) for one in each))


class House:
    """The queue and all that it works with. `reopen` is what a new process would find."""

    def __init__(self, folder: Path, answer: Answer = taken, pace: Pace | None = None) -> None:
        self.folder = folder
        self.pace = pace or Pace()
        self.clock = TurnedClock()
        self.lane = TestLane(self.clock, answer)
        self.reports = Reports()
        self.alarms = Alarms()
        self.recorded: list[Entry] = []
        self.key = Key(id=1, secret=b"k" * 32)
        self._open()

    def _open(self) -> None:
        seal = Seal([self.key])
        self.spool = Spool.open(self.folder / "spool", min_free=0, sealer=seal)
        self.custody = Custody(
            spool=self.spool,
            reporter=self.reports,
            record=self._record,
            pace=self.pace,
            clock=self.clock,
        )
        self.queue = Queue(
            spool=self.spool,
            lane_of=lambda route, credentials: self.lane,
            custody=self.custody,
            alarms=self.alarms,
            clock=self.clock,
        )
        self._running = asyncio.create_task(self.queue.run())

    async def _record(self, entry: Entry) -> None:
        self.recorded.append(entry)

    async def until_tried(self) -> None:
        """Until the first attempt has begun."""
        await self.lane.tried.wait()

    async def take(self, mail: Outgoing) -> Entry:
        entry = await self.spool.put(mail, next_ms=self.clock.wall_ms())
        self.queue.add(entry)
        return entry

    async def rest(self) -> None:
        """Until nothing is left to do at this moment of the clock."""
        while True:
            if work := set(self.queue._at_work.values()):
                await asyncio.wait(work)
            await asyncio.sleep(0)
            alarm = self.clock.alarm
            due = alarm is not None and alarm <= self.clock.now
            if not (self.queue._at_work or self.queue._wake.is_set() or due):
                return

    async def pass_time(self, seconds: float) -> None:
        """Turns the clock from one moment at which something happens to the next."""
        end = self.clock.now + seconds
        await self.rest()
        while self.clock.alarm is not None and self.clock.alarm < end:
            self.clock.turn(max(0.0, self.clock.alarm - self.clock.now))
            await self.rest()
        self.clock.turn(end - self.clock.now)
        await self.rest()

    async def close(self, seconds: float = 60) -> None:
        await self.queue.stop(seconds)
        await self._running
        self.spool.close()

    async def reopen(self) -> None:
        await self.close()
        self._open()
