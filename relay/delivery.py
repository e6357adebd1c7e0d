"""Where a message that is ready goes: to upstream while its client waits, else into our custody.

The invariant: 2xx means that upstream has the message, or that our disk does. An attempt that
lasts is never cut short for the client's sake: the queue takes it over. Where the disk fails too,
the client keeps its mail.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from collector.store import State
from relay import metrics
from relay.alarms import Alarms
from relay.custody import Reporter
from relay.envelope import Deferred, Outcome, Outgoing, Relayed, Reply, Withheld
from relay.lane import Lane
from relay.queue import Queue
from relay.schedule import Pace
from relay.settlement import defer, is_unreached, settle
from relay.spool import Spool, SpoolError
from relay.spoolfile import Entry, Event, Got, Tried
from relay.upstreams import Upstreams

log = structlog.get_logger()

MAX_INLINE_COPIES = 10  # more are queued at once: while a client waits, some would get theirs twice
STATES: dict[int, State] = {2: "delivered", 4: "deferred", 5: "refused"}
WhenAway = Literal["queue", "defer"]


@dataclass(frozen=True, slots=True)
class Settled:
    """What the client hears, and what the record says; "queued" is on record already."""

    reply: Reply
    state: State


class Delivery:
    """Takes messages to their upstreams.

    `inline_timeout` are the seconds that a client waits for upstream's own answer; `when_away`
    says whether mail is taken while upstream cannot be reached. `record` hears of what is queued.
    `reporter` writes what the sender wants to hear of mail that upstream took at once.
    """

    def __init__(
        self,
        *,
        upstreams: Upstreams,
        spool: Spool,
        queue: Queue,
        alarms: Alarms,
        pace: Pace,
        record: Callable[[Entry], None],
        reporter: Reporter,
        inline_timeout: float = 20.0,
        when_away: WhenAway = "queue",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.inline_timeout = inline_timeout
        self.when_away = when_away
        self.pace = pace
        self._upstreams = upstreams
        self._spool = spool
        self._queue = queue
        self._alarms = alarms
        self._record = record
        self._reporter = reporter
        self._now_ms = now_ms
        self._hurry = asyncio.get_running_loop().create_future()

    async def deliver(self, mail: Outgoing) -> Settled:
        """A 2xx reply means that upstream has the message, or that our disk does."""
        lane = self._upstreams.to(mail)
        if not lane.may_try():
            return await self._away(mail, ())
        if len(mail.copies) > MAX_INLINE_COPIES:
            return await self._keep(mail, ())
        attempt = asyncio.get_running_loop().create_task(_send(lane, mail))
        try:
            await asyncio.wait(
                {attempt, self._hurry},
                timeout=self.inline_timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not attempt.done():
                return await self._hand_over(mail, attempt)
        except asyncio.CancelledError:
            attempt.cancel()
            raise
        outcomes = attempt.result()
        if reply := settle(outcomes):
            await self._confirm(mail, outcomes)
            return Settled(reply, STATES[reply.code // 100])
        if is_unreached(outcomes):
            return await self._away(mail, outcomes)
        return await self._keep(mail, outcomes)

    def hurry(self) -> None:
        """The relay stops: from now on nobody waits for upstream, what is on its way is kept."""
        if not self._hurry.done():
            self._hurry.set_result(None)

    async def _away(self, mail: Outgoing, outcomes: Sequence[Outcome]) -> Settled:
        if self.when_away == "defer":
            text = b"4.4.1 The mail server upstream cannot be reached; try again later"
            return Settled(Reply(451, text), "deferred")
        return await self._keep(mail, outcomes)

    async def _keep(self, mail: Outgoing, outcomes: Sequence[Outcome]) -> Settled:
        """Into our custody, with what upstream said so far."""
        said = tuple(outcome for outcome in outcomes if not isinstance(outcome, Withheld))
        now = self._now_ms()
        waits = any(isinstance(outcome, Deferred) for outcome in said)
        at_once = is_unreached(outcomes) or len(said) < len(outcomes) or not waits
        due = now if at_once else now + round(1000 * self.pace.wait(1, mail.id))
        entry = await self._put(mail, due, *([Got(said, now, due)] if said else []))
        if entry is None:
            return Settled(defer(outcomes), "deferred")
        self._record(entry)
        self._queue.add(entry)
        return _queued(entry)

    async def _hand_over(
        self, mail: Outgoing, attempt: "asyncio.Task[tuple[Outcome, ...]]"
    ) -> Settled:
        """Into our custody, and the attempt to the queue."""
        now = self._now_ms()
        due = now + round(1000 * self.pace.wait(1, mail.id))
        entry = await self._put(mail, due, Tried(now, due))
        if entry is None:  # so the attempt is the only custody there is
            outcomes = await attempt
            reply = settle(outcomes) or defer(outcomes)
            return Settled(reply, STATES[reply.code // 100])
        self._record(entry)
        self._queue.adopt(entry, mail, attempt)
        return _queued(entry)

    async def _confirm(self, mail: Outgoing, outcomes: Sequence[Outcome]) -> None:
        """A report that it went on. Where the disk does not take one there is none: the mail is
        with upstream, and to refuse it would be worse."""
        relayed = [outcome for outcome in outcomes if isinstance(outcome, Relayed)]
        if relayed and (report := await self._reporter.about(mail, relayed, "relayed")):
            entry = await self._put(report, self._now_ms())
            if entry:
                metrics.REPORTS.labels("relayed").inc()
                self._queue.add(entry)

    async def _put(self, mail: Outgoing, due: int, *events: Event) -> Entry | None:
        """None where the disk does not take it. Cancelled or not, it runs to its end."""
        try:
            return await asyncio.shield(self._spool.put(mail, next_ms=due, events=events))
        except SpoolError as error:
            metrics.SPOOL_REFUSED.inc()
            self._alarms.sound("spool", error.problem, error.mend)
            log.error("not kept", id=f"{mail.id:x}", problem=error.problem, mend=error.mend)
            return None


async def _send(lane: Lane, mail: Outgoing) -> tuple[Outcome, ...]:
    """All copies at once, each all or nothing. Cut short, it gives what is known of some."""
    if len(mail.copies) == 1:
        return await lane.send(mail.copies[0])
    loop = asyncio.get_running_loop()
    sending = [loop.create_task(lane.send(copy)) for copy in mail.copies]
    try:
        await asyncio.wait(sending)
    except asyncio.CancelledError:
        for each in sending:
            each.cancel()
        await asyncio.wait(sending)
        if not any(map(_has_answers, sending)):
            raise
        sending = list(filter(_has_answers, sending))
    return tuple(outcome for each in sending for outcome in each.result())


def _has_answers(sent: "asyncio.Task[tuple[Outcome, ...]]") -> bool:
    return not sent.cancelled() and sent.exception() is None


def _queued(entry: Entry) -> Settled:
    return Settled(Reply(250, b"2.0.0 queued as %x" % entry.id), "queued")
