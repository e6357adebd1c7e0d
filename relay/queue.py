"""Whose turn it is: mail in our custody, tried again until it is settled.

While a lane is away its mail waits as a whole: one is the probe, and when upstream is back all of
it is due, over at most the lane's width at once.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

import structlog

from collector.waiting import Waiting
from relay import metrics
from relay.alarms import Alarms
from relay.credentials import Credentials
from relay.custody import MAX_BREAKS, SOON, Clock, Custody, Rest, Ward
from relay.envelope import Outcome, Outgoing
from relay.lane import Lane
from relay.schedule import Agenda
from relay.spool import Damaged, Spool, SpoolError
from relay.spoolfile import Entry

log = structlog.get_logger()

LOOK_SECONDS = 1.0  # at least, until the next look at an upstream that is away
GRACE_SECONDS = 3600.0  # that every mail has from a start on, however old it looks
AWAY_SECONDS = 300.0  # that an upstream is away, before somebody has to know
DISK_SECONDS = 30.0  # until a mail has its turn again whose file could not be read or written
Work = Callable[[Ward], Awaitable[float | Rest]]


class Queue:
    """Takes what the spool holds to its upstreams: `lane_of` a route and a login is one.

    What the operator may ask raises KeyError for a mail that is not here, and SpoolError where the
    disk does not take it yet: it is done as soon as the disk does.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        lane_of: Callable[[bytes, Credentials | None], Lane],
        custody: Custody,
        alarms: Alarms,
        clock: Clock | None = None,
    ) -> None:
        self._spool = spool
        self._lane_of = lane_of
        self._custody = custody
        self._alarms = alarms
        self._clock = clock or Clock()
        self._wards: dict[int, Ward] = {}
        self._agenda: Agenda[Lane] = Agenda()
        self._ages: list[tuple[float, int]] = []  # a heap: who is to be looked at for its age
        self._away: dict[Lane, float] = {}  # lanes that mail waits for, and since when
        self._at_work: dict[int, asyncio.Task[SpoolError | None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        custody.on_report = self.add
        metrics.QUEUE_MESSAGES.set_function(lambda: len(self._wards))
        metrics.QUEUE_HELD.set_function(lambda: len(self._wards) - len(self._agenda))
        metrics.QUEUE_OLDEST.set_function(self._oldest)

    async def run(self) -> None:
        """Takes up what the spool held before; then until it is stopped."""
        for entry in tuple(self._spool.entries.values()):
            if entry.id not in self._wards:
                self.add(entry)
        while not self._stopping:
            self._wake.clear()
            now = self._clock.monotonic()
            self._look_at_ages(now)
            for message_id in self._agenda.take(now, self._room):
                self._start(self._wards[message_id], self._custody.attempt)
            self._look_at_lanes(now)
            await self._clock.wait(self._wake, self._next_turn(now))

    async def stop(self, seconds: float) -> None:
        """No new turns; those that run may end for so long. Whoever is cut short is tried again."""
        self._stopping = True
        self._wake.set()
        if tasks := set(self._at_work.values()):
            _, late = await asyncio.wait(tasks, timeout=seconds)
            self._custody.stop()
            if late:
                await asyncio.wait(late)

    def add(self, entry: Entry) -> None:
        """A mail that the spool holds; it has its turn when its time comes."""
        age = max(0.0, (self._clock.wall_ms() - entry.received_at_ms) / 1000)
        # At a start the wall clock may not be right yet: what looks too old is tried for a while.
        oldest = max(0.0, self._custody.pace.lifetime - GRACE_SECONDS)
        ward = self._take_in(entry, min(age, oldest))
        if entry.state.held is None:
            wait = self._seconds_until(entry.state.next_ms)
            self._agenda.add(entry.id, ward.lane, self._clock.monotonic() + wait)
        self._sound_held()
        self._wake.set()

    def adopt(
        self, entry: Entry, mail: Outgoing, attempt: "asyncio.Task[tuple[Outcome, ...]]"
    ) -> None:
        """A mail that the spool holds because its attempt lasts; what comes of it is ours."""
        ward = self._take_in(entry, 0.0)
        self._agenda.send_out(ward.id, ward.lane)
        self._start(ward, partial(self._custody.adopt, mail=mail, attempt=attempt))

    def reroute(self) -> None:
        """From now on mail goes where the upstreams of now say."""
        for ward in self._wards.values():
            lane = self._lane(self._spool.entries[ward.id])
            if lane is not ward.lane:
                ward.lane = lane
                lane.on_back(self._wake.set)
                if not self._agenda.is_out(ward.id) and ward.id in self._agenda:
                    self._agenda.line_up(ward.id, lane)
        self._wake.set()

    async def retry(self, message_id: int) -> bool:
        """It is due at once, held or not, and so is a look at its upstream, if that is away.

        False where it is at work.
        """
        return await self._obey(message_id, self._release)

    async def hold(self, message_id: int) -> bool:
        """It is not tried until it is retried. False where it is at work."""
        return await self._obey(message_id, partial(self._custody.hold, why="by the operator"))

    async def remove(self, message_id: int, *, silent: bool) -> bool:
        """It is given up; its sender is told unless `silent`. False where it is at work."""
        return await self._obey(message_id, partial(self._custody.remove, silent=silent))

    async def waiting(self) -> tuple[Waiting, ...]:
        """What waits for each upstream, in numbers."""
        wards = tuple(self._wards.values())
        return await asyncio.to_thread(_sum_up, wards, self._spool.entries)

    def hurry(self, upstream: str) -> int:
        """What waits for this upstream is due at once, but for what is held, and so is a look at
        it, if it is away. How many that are; the disk need not know."""
        hurried = 0
        for ward in self._wards.values():
            if ward.lane.where != upstream or ward.id not in self._agenda:
                continue
            if not self._agenda.is_out(ward.id):
                self._agenda.line_up(ward.id, ward.lane)
                ward.lane.look_again()
                hurried += 1
        self._wake.set()
        return hurried

    # Turns.

    def _take_in(self, entry: Entry, age: float) -> Ward:
        ward = Ward(entry.id, self._lane(entry), born=self._clock.monotonic() - age)
        self._wards[entry.id] = ward
        ward.lane.on_back(self._wake.set)
        self._note_age(ward)
        return ward

    def _lane(self, entry: Entry) -> Lane:
        return self._lane_of(entry.route, self._spool.credentials(entry))

    def _room(self, lane: Lane) -> int:
        """How many of a lane may be out at once: one while it is away, as the probe."""
        if not lane.may_try():
            return 0
        return 1 if lane.is_away else lane.width

    def _next_turn(self, now: float) -> float | None:
        turns = [self._agenda.next_due(), self._ages[0][0] if self._ages else None]
        turns += [
            # Due by now, or somebody is at it: nobody else would wake us if that fails.
            now + max(lane.seconds_to_probe, LOOK_SECONDS)
            for lane in self._agenda.lanes_with_ready()
            if lane.is_away
        ]
        return min((turn for turn in turns if turn is not None), default=None)

    def _look_at_lanes(self, now: float) -> None:
        """An upstream that mail waits for is an alarm, once it has been away for long."""
        away = {lane for lane in self._agenda.lanes() if lane.is_away}
        self._away = {lane: self._away.get(lane, now) for lane in away}
        if late := sorted(
            lane.name for lane, since in self._away.items() if now - since >= AWAY_SECONDS
        ):
            self._alarms.sound(
                "upstream",
                f"mail waits for an upstream that is away: {', '.join(late)}",
                "`letterbell check` tells what is wrong with it",
            )
        else:
            self._alarms.clear("upstream")

    def _start(self, ward: Ward, work: Work) -> None:
        task = asyncio.get_running_loop().create_task(self._turn(ward, work))
        self._at_work[ward.id] = task
        task.add_done_callback(partial(self._over, ward))

    def _over(self, ward: Ward, task: asyncio.Task[SpoolError | None]) -> None:
        del self._at_work[ward.id]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("the queue failed", id=f"{ward.id:x}", exc_info=error)

    async def _turn(self, ward: Ward, work: Work) -> SpoolError | None:
        """One turn of one mail; whatever goes wrong, the others go on. What the disk refused."""
        failure: SpoolError | None = None
        try:
            rest = await self._survived(ward, work)
            self._alarms.clear("spool")
        except Damaged as error:
            self._alarms.sound("damaged", error.problem, error.mend)
            failure, rest = error, Rest.GONE
        except SpoolError as error:
            self._alarms.sound("spool", error.problem, error.mend)
            failure, rest = error, DISK_SECONDS
        self._put_down(ward, rest)
        return failure

    async def _survived(self, ward: Ward, work: Work) -> float | Rest:
        """Ours is the fault, or this mail breaks us: it waits, and after three times is held."""
        try:
            return await work(ward)
        except SpoolError:
            raise
        except Exception:
            log.exception("a queued message broke its attempt", id=f"{ward.id:x}")
            metrics.QUEUE_ERRORS.inc()
        breaks = self._custody.state(ward).breaks
        if breaks >= MAX_BREAKS:
            return await self._custody.hold(ward, f"it broke {breaks} attempts")
        return self._custody.pace.wait(breaks, ward.id)

    def _put_down(self, ward: Ward, rest: float | Rest) -> None:
        if rest in (Rest.GONE, Rest.HELD):
            self._agenda.drop(ward.id)
            if rest is Rest.GONE:
                del self._wards[ward.id]
            self._sound_held()
            return
        if isinstance(rest, float):
            self._agenda.add(ward.id, ward.lane, self._clock.monotonic() + rest)
        else:
            self._agenda.line_up(ward.id, ward.lane)
        self._note_age(ward)

    async def _release(self, ward: Ward) -> float | Rest:
        await self._custody.release(ward)
        ward.lane.look_again()
        return 0.0

    async def _obey(self, message_id: int, work: Work) -> bool:
        """Has it done, and awaits it. False where the mail is at work already."""
        if message_id in self._at_work:
            return False
        ward = self._wards[message_id]
        self._agenda.send_out(message_id, ward.lane)
        self._start(ward, work)
        task = self._at_work[message_id]
        await asyncio.wait({task})
        if not task.cancelled() and not task.exception() and (failure := task.result()):
            raise failure
        return True

    # Ages.

    def _note_age(self, ward: Ward) -> None:
        if not ward.is_watched and (at := self._custody.next_age(ward)) is not None:
            soonest = self._clock.monotonic() + SOON  # where the disk failed, age comes no sooner
            heapq.heappush(self._ages, (max(at, soonest), ward.id))
            ward.is_watched = True

    def _look_at_ages(self, now: float) -> None:
        """Those that wait for their turn have none for their age; at work they are looked at."""
        while self._ages and self._ages[0][0] <= now:
            _, message_id = heapq.heappop(self._ages)
            ward = self._wards.get(message_id)
            if ward is None:
                continue
            ward.is_watched = False
            if message_id in self._at_work or message_id not in self._agenda:
                continue
            at = self._custody.next_age(ward)
            if at is not None and at > now:  # its clock was set back
                self._note_age(ward)
            elif at is not None and (ward.was_tried or ward.lane.is_away):
                self._agenda.send_out(message_id, ward.lane)
                self._start(ward, self._grow_old)

    async def _grow_old(self, ward: Ward) -> float | Rest:
        rest = await self._custody.settle(ward, None)
        if isinstance(rest, Rest):
            return rest
        if ward.lane.is_away:
            return Rest.IN_LINE
        return self._seconds_until(self._custody.state(ward).next_ms)

    def _seconds_until(self, wall_ms: int) -> float:
        """Of the wall clock, which may have jumped: never longer than any wait is."""
        seconds = (wall_ms - self._clock.wall_ms()) / 1000
        return min(max(0.0, seconds), self._custody.pace.longest)

    def _oldest(self) -> float:
        born = min((ward.born for ward in self._wards.values()), default=None)
        return 0.0 if born is None else self._clock.monotonic() - born

    def _sound_held(self) -> None:
        held = len(self._wards) - len(self._agenda)
        if held:
            self._alarms.sound(
                "held",
                f"{held} queued messages are held",
                "`letterbell queue list` shows them, `letterbell queue retry` has them tried",
            )
        else:
            self._alarms.clear("held")


def _sum_up(wards: Iterable[Ward], entries: Mapping[int, Entry]) -> tuple[Waiting, ...]:
    found: dict[str, list[tuple[Lane, Entry]]] = {}
    for ward in wards:
        if entry := entries.get(ward.id):  # it may have left meanwhile
            found.setdefault(ward.lane.where, []).append((ward.lane, entry))
    return tuple(
        Waiting(
            upstream=where,
            count=len(each),
            held=sum(entry.state.held is not None for _, entry in each),
            oldest_ms=min(entry.received_at_ms for _, entry in each),
            is_away=any(lane.is_away for lane, _ in each),
        )
        for where, each in sorted(found.items())
    )
