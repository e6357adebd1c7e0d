"""The one writer: whoever waits shares one transaction (group commit).

Invariants. A caller that gets an answer has its rows on the disk; one that gets an error, or
stopped waiting, has none there. One bad row never fails its neighbours: the group is then run
again, each work in a savepoint of its own. An outage (locked, full, corrupt) fails those who wait
and drops the connection; the next group opens a new one, so the store comes back by itself.

A caller stops waiting by cancelling its future, as asyncio's timeout does. If the commit is
already under way then, the work's `undo` takes its rows back in the next transaction. Works that
nobody waits for ride with the next group, or go alone a moment later.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Executable

from collector import metrics
from collector.engine import WritingConnection, is_outage, say, translate
from collector.errors import StoreUnavailable

MAX_GROUP = 500
MAX_WAITING = 10_000
LINGER_SECONDS = 0.05  # how long a posted work waits for company
RETRY_SECONDS = 0.5
PATIENCE_SECONDS = 60.0  # how long a posted work waits out an outage

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """A statement and the rows to run it with; a group's equal statements run as one."""

    statement: Executable
    rows: Sequence[dict[str, Any]]


@dataclass(eq=False, slots=True)
class Work:
    """What one caller wants stored, all of it or nothing: `steps`, or a `call` of its own."""

    done: asyncio.Future[Any]
    steps: tuple[Step, ...] = ()
    call: Callable[[Connection], Any] | None = None
    undo: Step | None = None
    patient_until: float = 0.0  # loop time up to which an outage is waited out

    def run(self, connection: Connection) -> Any:
        for step in self.steps:
            connection.execute(step.statement, step.rows)
        return self.call(connection) if self.call else None


class Writer:
    """Owns the writing connection. Make it inside a running loop; `close` it when done."""

    def __init__(self, connection: WritingConnection) -> None:
        self._connection = connection
        self._waiting: deque[Work] = deque()
        self._posted: list[Work] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._work(), name="store writer")

    async def store(self, step: Step, *, undo: Step, seconds: float) -> None:
        """Returns once the rows are committed. Raises StoreError; nothing is stored then."""
        await self._wait(Work(self._loop.create_future(), (step,), undo=undo), seconds)

    async def call(self, call: Callable[[Connection], T], seconds: float) -> T:
        """Runs `call` inside a transaction; its result once committed, its exceptions as raised.

        It may run more than once, each time from the state before.
        """
        result: T = await self._wait(Work(self._loop.create_future(), call=call), seconds)
        return result

    def post(self, step: Step, then: Callable[[], None] | None = None) -> None:
        """Stores the rows some time soon, then calls `then`. A loss is logged."""
        done: asyncio.Future[Any] = self._loop.create_future()
        done.add_done_callback(partial(_finish_post, then=then))
        work = Work(done, (step,), patient_until=self._loop.time() + PATIENCE_SECONDS)
        if self._admit(work, len(self._posted)):
            self._hold(work, LINGER_SECONDS)

    async def close(self) -> None:
        """Commits what still waits, then lets go of the database."""
        self._closing = True
        self._release_posted()
        self._wake.set()
        await self._task
        await self._connection.close()

    async def _wait(self, work: Work, seconds: float) -> Any:
        if self._admit(work, len(self._waiting)):
            self._waiting.append(work)
            self._wake.set()
        try:
            async with asyncio.timeout(seconds):
                return await work.done
        except TimeoutError:
            metrics.STORE_WRITES.labels("late").inc()
            raise StoreUnavailable(f"no commit within {seconds:g} s") from None

    def _admit(self, work: Work, ahead: int) -> bool:
        if self._closing:
            _fail_one(work, StoreUnavailable("it is closed"))
        elif ahead >= MAX_WAITING:
            _fail_one(work, StoreUnavailable(f"{MAX_WAITING} writes wait already"))
        return not work.done.done()

    def _hold(self, work: Work, seconds: float) -> None:
        if not self._posted:
            self._loop.call_later(seconds, self._release_posted)
        self._posted.append(work)

    def _release_posted(self) -> None:
        self._waiting.extendleft(reversed(self._posted))
        self._posted.clear()
        if self._waiting:
            self._wake.set()

    async def _work(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                self._release_posted()
                size = min(len(self._waiting), MAX_GROUP)
                await self._commit([self._waiting.popleft() for _ in range(size)])

    async def _commit(self, group: list[Work]) -> None:
        started = time.perf_counter()
        try:
            outcomes = await self._connection.run(_transact, group)
        except Exception as error:  # noqa: BLE001 - the writer must outlive whatever failed
            await self._connection.drop()
            self._fail(group, error)
        else:
            metrics.STORE_COMMIT.observe(time.perf_counter() - started)
            metrics.STORE_GROUP.observe(len(outcomes))
            for work, outcome in outcomes:
                self._settle(work, outcome)

    def _settle(self, work: Work, outcome: Any) -> None:
        if isinstance(outcome, Exception):
            _fail_one(work, outcome)
        elif not work.done.done():
            metrics.STORE_WRITES.labels("stored").inc()
            work.done.set_result(outcome)
        elif work.undo:  # its caller left while the disk was at it
            self.post(work.undo)

    def _fail(self, group: list[Work], error: Exception) -> None:
        log.warning("store write failed", reason=say(error))
        # A connection that broke may have broken behind the commit that it was to tell of.
        in_doubt = getattr(error, "connection_invalidated", False)
        for work in group:
            if in_doubt and work.undo:
                self.post(work.undo)
            if work.patient_until > self._loop.time() and not self._closing:
                self._hold(work, RETRY_SECONDS)
            else:
                _fail_one(work, error)


def _transact(connection: Connection, group: list[Work]) -> list[tuple[Work, Any]]:
    """Runs the works that are still waited for in one transaction; each with its outcome."""
    try:
        return _commit_with(_run_together, connection, group)
    except Exception as error:
        if is_outage(error):
            raise
        return _commit_with(_run_singly, connection, group)


def _commit_with(
    run: Callable[[Connection, list[Work]], list[Any]], connection: Connection, group: list[Work]
) -> list[tuple[Work, Any]]:
    while works := [work for work in group if not work.done.done()]:
        with connection.begin() as transaction:
            outcomes = run(connection, works)
            if not any(work.done.done() for work in works):
                transaction.commit()
                return list(zip(works, outcomes, strict=True))
            transaction.rollback()  # someone left meanwhile: once more, without their rows
    return []


def _run_together(connection: Connection, works: list[Work]) -> list[Any]:
    merged: dict[Executable, list[dict[str, Any]]] = {}
    for work in works:
        for step in work.steps:
            merged.setdefault(step.statement, []).extend(step.rows)
    for statement, rows in merged.items():
        connection.execute(statement, rows)
    return [work.call(connection) if work.call else None for work in works]


def _run_singly(connection: Connection, works: list[Work]) -> list[Any]:
    return [_attempt(connection, work) for work in works]


def _attempt(connection: Connection, work: Work) -> Any:
    try:
        with connection.begin_nested():
            return work.run(connection)
    except Exception as error:
        if is_outage(error):
            raise
        return error


def _fail_one(work: Work, error: Exception) -> None:
    if not work.done.done():
        metrics.STORE_WRITES.labels("failed").inc()
        work.done.set_exception(translate(error))


def _finish_post(done: asyncio.Future[Any], then: Callable[[], None] | None) -> None:
    if error := done.exception():
        log.error("store write lost", reason=str(error))
    elif then:
        then()
