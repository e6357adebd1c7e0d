"""Takes hits from the handlers and sees them into the store, judged.

Invariant: recording never breaks a link. A hit waits at most 250 ms for its commit, then the answer
goes out anyway and the hit stays in a bounded buffer until the store takes it. What the buffer
cannot hold is dropped and counted.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

import structlog

from collector import metrics
from collector.bursts import Bursts
from collector.errors import StoreUnavailable
from collector.feed import Feed
from collector.hits import Hit, HitMessage, JudgedHit, store_hits
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
    stored: asyncio.Future[None]


class Recorder:
    """Make it inside a running loop; `close` it before its store."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        *,
        early_click: float = EARLY_CLICK_MS / 1000,
        max_buffered: int = MAX_BUFFERED,
    ) -> None:
        """A click within `early_click` seconds of the delivery counts as a scanner's."""
        self._store = store
        self._feed = feed
        self._early_click_ms = int(early_click * 1000)
        self._max_buffered = max_buffered
        self._buffer: deque[_Buffered] = deque()
        self._bursts = Bursts()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._work(), name="hit recorder")

    async def record(self, hit: Hit) -> None:
        """Returns when the hit is committed, at the latest after 250 ms. Never raises."""
        if len(self._buffer) >= self._max_buffered or self._closing.is_set():
            metrics.HITS_DROPPED.inc()
            return
        buffered = _Buffered(hit, asyncio.get_running_loop().create_future())
        self._buffer.append(buffered)
        self._wake.set()
        await asyncio.wait([buffered.stored], timeout=ANSWER_SECONDS)

    async def close(self) -> None:
        """Tries once more to store what is buffered; what cannot be stored counts as dropped."""
        self._closing.set()
        self._wake.set()
        await self._task
        if self._buffer:
            log.error("hits lost", count=len(self._buffer))
            metrics.HITS_DROPPED.inc(len(self._buffer))

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
            judged = await self._store.write(partial(store_hits, hits=hits, judge=self._judge))
        except StoreUnavailable as error:
            log.warning("hits wait for the store", count=len(self._buffer), reason=error.reason)
            return False
        except Exception:
            log.exception("hits refused by the store", count=len(hits))
            metrics.HITS_DROPPED.inc(len(hits))
        else:
            self._announce(judged)
            metrics.HITS_UNKNOWN.inc(len(hits) - len(judged))
        for buffered in group:
            self._buffer.popleft()
            if not buffered.stored.done():
                buffered.stored.set_result(None)
        return True

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self._closing.wait()

    def _judge(self, hit: Hit, message: HitMessage) -> Verdict:
        return judge(
            Facts(
                kind=hit.kind,
                method=hit.method,
                agent=hit.agent,
                purpose=hit.purpose,
                address=hit.address,
                at_ms=hit.at_ms,
                sent_at_ms=message.sent_at_ms,
                delivered_at_ms=message.delivered_at_ms,
                burst_links=self._burst_links(hit),
                early_click_ms=self._early_click_ms,
            )
        )

    def _burst_links(self, hit: Hit) -> int:
        if hit.link is None:
            return 0
        return self._bursts.different_links((hit.message_id, hit.recipient), hit.link, hit.at_ms)

    def _announce(self, judged: Sequence[JudgedHit]) -> None:
        for each in judged:
            metrics.HITS.labels(each.hit.kind, each.verdict.kind).inc()
        for changed in {each.message for each in judged}:
            self._feed.publish(changed.sender_id, changed.id)
