"""Takes hits from the handlers and sees them into the store, judged.

Invariant: recording never breaks a link. A hit waits at most 250 ms for its commit, then the answer
goes out anyway and the hit stays in a bounded buffer until the store takes it. What the buffer
cannot hold is dropped and counted.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

import structlog

from collector import metrics
from collector.bursts import Bursts
from collector.consent import DEFAULT_MODE, Mode
from collector.errors import StoreUnavailable
from collector.feed import Feed
from collector.hits import Hit, HitMessage, JudgedHit, store_hits
from collector.keeping import DEFAULT, Keeping
from collector.presence import Presence, Seen
from collector.signs import Signs, our_signs
from collector.store import Store
from collector.verdict import EARLY_CLICK_MS, Facts, Verdict, judge

ANSWER_SECONDS = 0.25
RETRY_SECONDS = 0.5
MAX_BUFFERED = 10_000
MAX_GROUP = 500

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Buffered:
    hit: Hit
    settled: asyncio.Future[None]  # the answer need not wait any longer
    wait_until: float  # loop time

    def settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)


class Recorder:
    """Make it inside a running loop; `close` it before its store."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        *,
        signs: Signs | None = None,
        presence: Presence | None = None,
        early_click: float = EARLY_CLICK_MS / 1000,
        keeping: Keeping = DEFAULT,
        consent: Mode = DEFAULT_MODE,
        max_buffered: int = MAX_BUFFERED,
    ) -> None:
        """A click within `early_click` seconds of the delivery counts as a scanner's.

        `signs` name agents and networks, and may be changed; by default they are ours. `presence`
        says where senders are, `keeping` what is kept of a hit, `consent` the mode of senders who
        have none of their own.
        """
        self.signs = signs or our_signs()
        self._store = store
        self._feed = feed
        self._presence = presence or Presence()
        self._early_click_ms = int(early_click * 1000)
        self._store_hits = partial(store_hits, judge=self._judge, keeping=keeping, consent=consent)
        self._max_buffered = max_buffered
        self._buffer: deque[_Buffered] = deque()
        metrics.HITS_WAITING.set_function(lambda: len(self._buffer))
        # The same, and for 250 ms those that are stored: one timer for all, not one for each.
        self._waiting: deque[_Buffered] = deque()
        self._bursts = Bursts()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._work(), name="hit recorder")

    async def record(self, hit: Hit) -> None:
        """Returns when the hit is committed, at the latest after 250 ms. Never raises."""
        if len(self._buffer) >= self._max_buffered or self._closing.is_set():
            metrics.HITS_DROPPED.inc()
            return
        until = self._loop.time() + ANSWER_SECONDS
        buffered = _Buffered(hit, self._loop.create_future(), until)
        self._buffer.append(buffered)
        self._wake.set()
        if not self._waiting:
            self._loop.call_at(until, self._settle_late)
        self._waiting.append(buffered)
        await buffered.settled

    async def close(self) -> None:
        """Tries once more to store what is buffered; what cannot be stored counts as dropped."""
        self._closing.set()
        self._wake.set()
        await self._task
        if self._buffer:
            log.error("hits lost", count=len(self._buffer))
            metrics.HITS_DROPPED.inc(len(self._buffer))

    def _settle_late(self) -> None:
        """Those who have waited for 250 ms go on."""
        now = self._loop.time()
        while self._waiting:
            oldest = self._waiting[0]
            if not oldest.settled.done() and oldest.wait_until > now:
                self._loop.call_at(oldest.wait_until, self._settle_late)
                return
            oldest.settle()
            self._waiting.popleft()

    async def _work(self) -> None:
        while self._buffer or not self._closing.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._buffer:
                if not await self._store_oldest():
                    if self._closing.is_set():
                        return
                    await self._pause()

    async def _store_oldest(self) -> bool:
        """Stores as many as share a transaction; False when the store is away."""
        group = list(islice(self._buffer, MAX_GROUP))
        hits = [buffered.hit for buffered in group]
        try:
            kept = await self._store.write(partial(self._store_hits, hits=hits))
        except StoreUnavailable as error:
            log.warning("hits wait for the store", count=len(self._buffer), reason=error.reason)
            return False
        except Exception:
            log.exception("hits refused by the store", count=len(hits))
            metrics.HITS_DROPPED.inc(len(hits))
        else:
            self._announce(kept.judged)
            metrics.NOTIFICATIONS.inc(len(kept.noted))
            metrics.HITS_WITHHELD.inc(kept.withheld)
            metrics.HITS_UNKNOWN.inc(len(hits) - len(kept.judged) - kept.withheld)
        for buffered in group:
            self._buffer.popleft()
            buffered.settle()
        return True

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self._closing.wait()

    def _judge(self, hit: Hit, message: HitMessage) -> Verdict:
        """In the writer's thread, which alone knows the bursts."""
        return judge(
            Facts(
                kind=hit.kind,
                method=hit.method,
                purpose=hit.purpose,
                agents=self.signs.families(hit.agent),
                network=self.signs.network(hit.address),
                presence=self._seen(hit, message),
                at_ms=hit.at_ms,
                sent_at_ms=message.sent_at_ms,
                delivered_at_ms=message.delivered_at_ms,
                burst_links=self._burst_links(hit),
                early_click_ms=self._early_click_ms,
            )
        )

    def _seen(self, hit: Hit, message: HitMessage) -> Seen | None:
        """What tells that it was the sender."""
        if hit.session_of == message.sender_id:
            return "session"
        return self._presence.seen(message.sender_id, hit.address, hit.at_ms)

    def _burst_links(self, hit: Hit) -> int:
        if hit.link is None:
            return 0
        return self._bursts.different_links((hit.message_id, hit.recipient), hit.link, hit.at_ms)

    def _announce(self, judged: Sequence[JudgedHit]) -> None:
        kinds = Counter((each.hit.kind, each.verdict.kind) for each in judged)
        for (kind, verdict), count in kinds.items():
            metrics.HITS.labels(kind, verdict).inc(count)
        changed = {each.message.id: each.message.sender_id for each in judged}
        for message_id, sender_id in changed.items():
            self._feed.publish(sender_id, message_id)
