"""Takes notifications out to webhooks and services, until it is stopped.

Invariants. What it sends stands in the outbox until its target has it. It sends to a target one
thing at a time, in the order that things came, and to few targets at once. A webhook is told of
each notification, of few in a moment; a service gets one message a minute at most, which tells of
all. Nothing that a target does holds up the others.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection

from collector import metrics
from collector.errors import StoreUnavailable
from collector.outward import outbox
from collector.outward.events import event_id, write_event, write_test
from collector.outward.outbox import Due, News
from collector.outward.outcomes import Failed, Outcome
from collector.outward.sealing import Secret
from collector.outward.services import Services
from collector.outward.targets import Target, Targets
from collector.outward.ways import TargetKind
from collector.outward.webhooks import Webhooks
from collector.store import Store

LOOK_SECONDS = 2.0  # between two looks at what is due
AT_ONCE = 8  # targets that are sent to at once
EVENTS_A_TURN = 20  # to a webhook, before others have their turn
TURN_SECONDS = 60.0  # that a turn goes on with another one
FOLD_MS = 60_000  # between two messages to a service
FOLDED = 100  # notifications that one message to a service stands for
SWEEP_SECONDS = 3_600.0
STOP_SECONDS = 5.0  # for what is being sent, when the site stops

# A title and a text for these notifications, none: a test; in a language.
Tell = Callable[[Sequence[News], str], tuple[str, str]]

LOCKED = Failed("key", lasting=True)

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()


class Courier:
    """Sends for the kinds of targets that the site has switched on; `run` it as a task."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        webhooks: Webhooks,
        services: Services,
        tell: Tell,
        *,
        public_url: str,
        kinds: Sequence[TargetKind],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.kinds = tuple(kinds)
        self._store = store
        self._targets = targets
        self._webhooks = webhooks
        self._services = services
        self._tell = tell
        self._public_url = public_url
        self._now_ms = now_ms
        self._chance = chance
        self._room = asyncio.Semaphore(AT_ONCE)
        self._is_sealed_anew = False
        self._at_work: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Looks for what is due, again and again, until it is cancelled."""
        loop = asyncio.get_running_loop()
        is_away, next_sweep = False, 0.0
        while True:
            try:
                if not self._is_sealed_anew:
                    self._is_sealed_anew = True
                    await self._targets.reseal()
                if loop.time() >= next_sweep:
                    await self._store.write(partial(outbox.sweep, now_ms=self._now_ms()))
                    next_sweep = loop.time() + SWEEP_SECONDS
                await self.look()
                is_away = False
            except StoreUnavailable as error:
                if not is_away:
                    log.warning("notifications wait for the store", reason=error.reason)
                is_away = True
            except Exception:
                log.exception("the courier failed")
            await asyncio.sleep(LOOK_SECONDS)

    def seal_anew(self) -> None:
        """The keys have changed: what older ones have sealed goes under the first one, soon."""
        self._is_sealed_anew = False

    async def stop(self) -> None:
        """What is being sent may end; what is cut short is sent again after the next start."""
        if tasks := set(self._at_work.values()):
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for each in late:
                each.cancel()
            if late:
                await asyncio.wait(late)

    async def look(self) -> None:
        """Starts sending what is due now. Raises StoreUnavailable."""
        for due in await outbox.find_due(self._store, self.kinds, self._now_ms()):
            if due.target_id not in self._at_work:
                task = asyncio.get_running_loop().create_task(self._serve(due))
                self._at_work[due.target_id] = task
                task.add_done_callback(partial(self._over, due.target_id))

    async def settle(self) -> None:
        """Waits until nothing is being sent."""
        while self._at_work:
            await asyncio.wait(set(self._at_work.values()))

    async def test(self, target: Target) -> Outcome:
        """Sends something that tells nothing, now; what came of it is noted.

        Raises StoreUnavailable.
        """
        secret = await self._targets.secret(target.sender_id, target.id)
        if secret is None:
            outcome: Outcome = LOCKED
        elif target.kind == "webhook":
            event = f"test_{secrets.token_hex(12)}"
            body = write_test(self._now_ms(), self._public_url)
            outcome = await self._webhooks.post(secret["url"], secret["secret"], event, body)
        else:
            outcome = await self._services.send(secret["url"], *self._tell((), target.language))
        failure = outcome if isinstance(outcome, Failed) else None
        await self._write(outbox.tested, target.id, failure, self._now_ms())
        return outcome

    async def _serve(self, due: Due) -> None:
        async with self._room:
            try:
                if not await self._write(outbox.take, due.target_id, self._now_ms()):
                    return  # another process was quicker
                secret = await self._targets.secret(due.sender_id, due.target_id)
                if secret is None:
                    await self._fail(due, LOCKED)
                elif due.kind == "webhook":
                    await self._post_each(due, secret)
                else:
                    await self._send_all(due, secret)
            except StoreUnavailable as error:
                log.warning("a target waits for the store", id=due.target_id, reason=error.reason)
            except Exception:  # ours is the fault; it waits ever longer, as if it were the target's
                log.exception("a target broke the courier", id=due.target_id)
                await self._fail(due, Failed("refused"))

    async def _post_each(self, due: Due, secret: Secret) -> None:
        until = asyncio.get_running_loop().time() + TURN_SECONDS
        for news in await self._news(due, EVENTS_A_TURN):
            outcome = await self._webhooks.post(
                secret["url"],
                secret["secret"],
                event_id(news.id, secret["secret"]),
                write_event(news, self._public_url),
            )
            if isinstance(outcome, Failed) and not outcome.spares_others:
                await self._fail(due, outcome)
                return
            if isinstance(outcome, Failed):
                now_ms, chance = self._now_ms(), self._chance()
                await self._write(outbox.spoiled, due.target_id, news, outcome, now_ms, chance)
                metrics.TOLD.labels(due.kind, "failed").inc()
            else:
                await self._succeed(due, [news])
                due = replace(due, failures=0, failing_since_ms=None)
            if asyncio.get_running_loop().time() > until:
                break
        await self._write(outbox.let_go, due.target_id, self._now_ms())

    async def _send_all(self, due: Due, secret: Secret) -> None:
        if news := await self._news(due, FOLDED):
            title, text = self._tell(news, due.language)
            outcome = await self._services.send(secret["url"], title, text)
            if isinstance(outcome, Failed):
                await self._fail(due, outcome)
                return
            await self._succeed(due, news)
        await self._write(outbox.let_go, due.target_id, self._now_ms() + FOLD_MS)

    async def _news(self, due: Due, limit: int) -> Sequence[News]:
        return await outbox.find_news(self._store, due.target_id, self._now_ms(), limit)

    async def _succeed(self, due: Due, news: Sequence[News]) -> None:
        ids = [each.outbox_id for each in news]
        await self._write(outbox.sent, due.target_id, ids, self._now_ms())
        metrics.TOLD.labels(due.kind, "sent").inc(len(news))

    async def _fail(self, due: Due, failure: Failed) -> None:
        is_off = await self._write(outbox.failed, due, failure, self._now_ms(), self._chance())
        metrics.TOLD.labels(due.kind, "failed").inc()
        log.info(
            "a target takes nothing",
            id=due.target_id,
            sender=due.sender_id,
            reason=failure.reason,
            detail=failure.detail,
            failures=due.failures + 1,
            switched_off=is_off,
        )

    async def _write(
        self, call: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        return await self._store.write(lambda connection: call(connection, *args, **named))

    def _over(self, target_id: int, task: asyncio.Task[None]) -> None:
        del self._at_work[target_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("the courier failed", id=target_id, exc_info=error)
