"""One mail of ours at a time: an attempt, what came of it, what its sender is told, its end.

Before an attempt the disk knows of it, and after each copy what came of that: a kill at any moment
costs at most the repetition of one copy's. A report is in custody before the disk knows that it was
made: a second one at worst, never none.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Protocol

import structlog

from relay import metrics
from relay.envelope import Copy, Delivered, Outcome, Outgoing, Refused, Unreached, Withheld
from relay.lane import Lane
from relay.schedule import Pace
from relay.spool import Spool
from relay.spoolfile import Action, Entry, Event, Got, Held, Released, State, Told, Tried

log = structlog.get_logger()

MAX_BREAKS = 3  # attempts without an answer, before a mail is held
REPORTS_AT_ONCE = 4
SOON = 5.0  # seconds
REMOVED = b"The message was removed from the queue by the operator of the relay"
KEY_GONE = "the key that sealed its login is not among tokens.keys any more"
NO_ANSWER = b"The mail server upstream could not be reached"


class Reporter(Protocol):
    """Writes what the sender is told."""

    async def about(
        self, mail: Outgoing, outcomes: Sequence[Outcome], action: Action
    ) -> Outgoing | None:
        """A report on these recipients of the mail; None where nobody wants one."""


class Clock:
    """The time, and waiting for it. `monotonic` is in seconds and never jumps."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        """What people's clocks show, in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    async def wait(self, wake: asyncio.Event, until: float | None) -> None:
        """Until the event is set, or `monotonic` says `until`."""
        timeout = None if until is None else max(0.0, until - self.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await wake.wait()
        except TimeoutError:
            pass


@dataclass(slots=True, eq=False)
class Ward:
    """What this process knows of a mail beside its file; `born` by the monotonic clock.

    `unwritten` is what the disk has not taken yet; `is_watched` says whether the queue will look at
    it for its age.
    """

    id: int
    lane: Lane
    born: float
    was_tried: bool = False
    delay_seen: bool = False
    is_watched: bool = False
    unwritten: list[Event] = field(default_factory=list)


class Rest(Enum):
    """What becomes of a mail for which nothing can be done just now."""

    GONE = auto()
    HELD = auto()
    IN_LINE = auto()  # until upstream is back


class Custody:
    """What is done with each mail. `record` is told of every change of a mail's fate.

    All methods raise SpoolError where the disk does not do it; the mail is as it was, then.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        reporter: Reporter,
        record: Callable[[Entry], Awaitable[None]],
        pace: Pace,
        clock: Clock,
    ) -> None:
        self.pace = pace
        self._spool = spool
        self._reporter = reporter
        self._record = record
        self._clock = clock
        self._reporting = asyncio.Semaphore(REPORTS_AT_ONCE)
        self._sending: set[asyncio.Future[tuple[Outcome, ...]]] = set()
        self._stopping = False
        self.on_report: Callable[[Entry], None] = lambda entry: None

    def state(self, ward: Ward) -> State:
        """What is known of it, on the disk or not yet."""
        state = self._spool.entries[ward.id].state
        for event in ward.unwritten:
            state = state.after(event)
        return state

    def age(self, ward: Ward) -> float:
        """Seconds since it was received: by both clocks the lesser, since either may be wrong."""
        elapsed = self._clock.monotonic() - ward.born
        received_ms = self._spool.entries[ward.id].received_at_ms
        by_wall = (self._clock.wall_ms() - received_ms) / 1000
        return min(elapsed, by_wall) if by_wall >= 0 else elapsed

    def next_age(self, ward: Ward) -> float | None:
        """When it is to be looked at for its age alone, by the monotonic clock."""
        state = self.state(ward)
        if not state.pending or state.held is not None:
            return None
        told = ward.delay_seen or state.delay_told
        limit = self.pace.lifetime if told else min(self.pace.delay, self.pace.lifetime)
        return self._clock.monotonic() + max(0.0, limit - self.age(ward))

    async def attempt(self, ward: Ward) -> float | Rest:
        """Tries whoever is still to get it. Seconds until its next turn, or what it rests in."""
        await self._write(ward)
        state = self.state(ward)
        if state.held is not None:  # the disk did not take the order at first
            return Rest.HELD
        if not state.pending:
            return await self.settle(ward, None)
        if state.breaks >= MAX_BREAKS:
            return await self.hold(ward, f"{MAX_BREAKS} attempts did not survive it")
        mail = await self._spool.load(ward.id)
        if mail.credentials is None and self._spool.entries[ward.id].sealed is not None:
            return await self.hold(ward, KEY_GONE)
        wall = self._clock.wall_ms()
        wait = self.pace.wait(state.attempts + 1, ward.id)
        tried = Tried(wall, wall + round(1000 * wait))
        await self._write(ward, tried)
        outcomes: list[Outcome] = []
        for copy in _left(mail, state.pending):
            outcomes = await self._note_final(ward, outcomes, tried)
            answers = await self._hear(ward.lane.send(copy, partial=True))
            if answers is None:
                return await self._break_off(ward, outcomes)
            outcomes += answers
        return await self.settle(ward, mail, outcomes)

    async def adopt(
        self, ward: Ward, mail: Outgoing, attempt: "asyncio.Task[tuple[Outcome, ...]]"
    ) -> float | Rest:
        """Waits for an attempt that began before the spool had the mail."""
        outcomes = await self._hear(attempt)
        if outcomes is None:
            return await self._break_off(ward, ())
        return await self.settle(ward, mail, outcomes)

    def stop(self) -> None:
        """What is being sent ends now. All else runs to its end: what is known is written."""
        self._stopping = True
        for sending in self._sending:
            sending.cancel()

    async def settle(
        self, ward: Ward, mail: Outgoing | None, outcomes: Sequence[Outcome] = ()
    ) -> float | Rest:
        """What follows from upstream's answers and the mail's age: reports, its end, a wait."""
        before = self._spool.entries[ward.id].state
        state = self.state(ward)
        said = [outcome for outcome in outcomes if not isinstance(outcome, Withheld)]
        rest: float | Rest = 0.0
        if outcomes:
            ward.was_tried = True
            wall = self._clock.wall_ms()
            got = Got(tuple(said), wall, wall)
            if len(said) == len(outcomes):  # else somebody could have had it already
                rest = self._rest(ward, state.after(got), said)
            seconds = rest if isinstance(rest, float) else 0.0
            ward.unwritten.append(replace(got, next_ms=wall + round(1000 * seconds)))
            _count(said)
        if not self.state(ward).is_settled:  # else the file goes, and what it lacks with it
            await self._write(ward)
            await self._tell_sender(ward, mail)
        state = self.state(ward)
        if outcomes or state.pending != before.pending:
            await self._record(replace(self._spool.entries[ward.id], state=state))
        if state.is_settled:
            await self._spool.done(ward.id)
            return Rest.GONE
        return rest

    async def hold(self, ward: Ward, why: str) -> Rest:
        """Nothing more is tried until it is released."""
        log.error("a message is held", id=f"{ward.id:x}", reason=why)
        await self._write(ward, Held(why, self._clock.wall_ms()))
        return Rest.HELD

    async def release(self, ward: Ward) -> None:
        """It may be tried again, as if it had never broken anything."""
        self._let_go(ward)
        await self._write(ward)

    async def remove(self, ward: Ward, *, silent: bool) -> Rest:
        """Gives it up; its sender is told unless `silent`."""
        self._let_go(ward)  # written with the rest or not at all: else it would leave after all
        entry = self._spool.entries[ward.id]
        refusals = tuple(
            Refused(
                recipient=each.address,
                code=554,
                enhanced="5.3.0",
                text=REMOVED,
                ordinal=each.ordinal,
            )
            for each in entry.recipients
            if each.ordinal in self.state(ward).pending
        )
        if silent:
            state, wall = self.state(ward), self._clock.wall_ms()
            told = tuple(state.pending | state.owed)
            ward.unwritten += [Got(refusals, wall, wall), Told(told, "failed", wall)]
        await self.settle(ward, None, () if silent else refusals)
        return Rest.GONE

    def _let_go(self, ward: Ward) -> None:
        if self.state(ward).held is not None:
            wall = self._clock.wall_ms()
            ward.unwritten.append(Released(wall, wall))

    async def _hear(self, sending: Awaitable[tuple[Outcome, ...]]) -> tuple[Outcome, ...] | None:
        """What comes of it. None where the relay stops before that."""
        task = asyncio.ensure_future(sending)
        self._sending.add(task)
        if self._stopping:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return None
        finally:
            self._sending.discard(task)

    async def _note_final(
        self, ward: Ward, outcomes: Sequence[Outcome], tried: Tried
    ) -> list[Outcome]:
        """Before the next copy leaves: whoever has got his, or never will, is out of danger.

        The other outcomes are given back.
        """
        final = tuple(each for each in outcomes if isinstance(each, Delivered | Refused))
        if final:
            _count(final)
            await self._write(ward, Got(final, self._clock.wall_ms(), tried.next_ms), tried)
        return [each for each in outcomes if each not in final]

    async def _break_off(self, ward: Ward, outcomes: Sequence[Outcome]) -> float:
        """The relay stops: that is no fault of the mail's."""
        wall = self._clock.wall_ms()
        await self._write(ward, Got(tuple(outcomes), wall, wall))
        return SOON

    def _rest(self, ward: Ward, state: State, said: Sequence[Outcome]) -> float | Rest:
        """Where upstream did not speak of the mail at all, its turn comes soon."""
        of_pending = [outcome for outcome in said if outcome.ordinal in state.pending]
        if not of_pending:
            return 0.0
        if all(isinstance(outcome, Unreached) for outcome in said):
            return Rest.IN_LINE if ward.lane.is_away else SOON
        return self.pace.wait(state.attempts, ward.id)

    async def _tell_sender(self, ward: Ward, mail: Outgoing | None) -> None:
        state = self.state(ward)
        if state.owed:
            await self._report(ward, mail, state.owed, "failed")
        if state.unconfirmed:
            await self._report(ward, mail, state.unconfirmed, "relayed")
        if not state.pending:
            return
        age = self.age(ward)
        if age >= self.pace.lifetime and (ward.was_tried or ward.lane.is_away):
            # Never by a clock alone: this process has seen that it does not get through.
            await self._report(ward, mail, state.pending, "expired")
        elif age >= self.pace.delay and not (ward.delay_seen or state.delay_told):
            ward.delay_seen = True
            await self._report(ward, mail, state.pending, "delayed")

    async def _report(
        self, ward: Ward, mail: Outgoing | None, about: Iterable[int], action: Action
    ) -> None:
        async with self._reporting:
            mail = mail or await self._spool.load(ward.id)
            ordinals = tuple(sorted(about))
            report = await self._reporter.about(mail, self._latest(ward, ordinals), action)
            if report is not None:
                metrics.REPORTS.labels(action).inc()
                wall = self._clock.wall_ms()
                self.on_report(await self._spool.put(report, next_ms=wall))
            if report is not None or action != "delayed":
                await self._write(ward, Told(ordinals, action, self._clock.wall_ms()))

    def _latest(self, ward: Ward, ordinals: Sequence[int]) -> tuple[Outcome, ...]:
        latest = self.state(ward).latest
        addresses = {each.ordinal: each.address for each in self._spool.entries[ward.id].recipients}
        return tuple(
            latest.get(n)
            or Unreached(
                recipient=addresses[n], code=451, enhanced="4.4.1", text=NO_ANSWER, ordinal=n
            )
            for n in ordinals
        )

    async def _write(self, ward: Ward, *events: Event) -> None:
        """All that happened, in order; what the disk does not take stays to be written."""
        ward.unwritten += events
        while ward.unwritten:
            await self._spool.note(ward.id, ward.unwritten[0])
            del ward.unwritten[0]


def _left(mail: Outgoing, pending: frozenset[int]) -> list[Copy]:
    """The copies of those who are still to get theirs, without the others."""
    left = [
        replace(copy, recipients=tuple(each for each in copy.recipients if each.ordinal in pending))
        for copy in mail.copies
    ]
    return [copy for copy in left if copy.recipients]


def _count(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        metrics.QUEUE_ATTEMPTS.labels(type(outcome).__name__.lower()).inc()
