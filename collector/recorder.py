"""Takes hits from the handlers and sees them into the store, judged.

Invariant: recording never breaks a link. A hit waits at most 250 ms for its commit, then the answer
goes out anyway and the hit stays in a bounded buffer until the store takes it. What the buffer
cannot hold is dropped and counted. Hits on messages that are no longer kept are passed over.
"""

import asyncio
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from collector import metrics
from collector.bursts import Bursts
from collector.client import Address, truncate
from collector.errors import StoreError
from collector.feed import Feed
from collector.store import JudgedHit, KnownMessage, Store, storable
from collector.verdict import EARLY_CLICK_MS, Facts, judge

ANSWER_WITHIN = 0.25
MAX_BUFFERED = 10_000
MAX_GROUP = 500
MAX_AGENT = 300
RETRY_SECONDS = 0.5

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fetched pixel or a followed link, as the request told it."""

    kind: str  # "open" or "click"
    message_id: int
    recipient: int
    link: int | None
    at_ms: int
    method: str
    agent: str
    purpose: str
    address: Address | None


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
        """`early_click`: clicks this many seconds after delivery are a scanner's."""
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
        await asyncio.wait([buffered.stored], timeout=ANSWER_WITHIN)

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
                if not await self._store_group():
                    if self._closing.is_set():
                        return
                    await self._pause()

    async def _store_group(self) -> bool:
        """Stores the oldest hits, as many as share a transaction; False if the store refused."""
        group = [self._buffer[index] for index in range(min(len(self._buffer), MAX_GROUP))]
        hits = [buffered.hit for buffered in group]
        try:
            known = await self._store.known_messages({hit.message_id for hit in hits})
            judged = [
                self._judge(hit, known[hit.message_id]) for hit in hits if hit.message_id in known
            ]
            if judged:
                await self._store.record_hits(judged)
        except StoreError as error:
            log.warning("hits wait for the store", count=len(self._buffer), reason=str(error))
            return False
        for buffered in group:
            self._buffer.popleft()
            if not buffered.stored.done():
                buffered.stored.set_result(None)
        self._announce(judged, known)
        metrics.HITS_UNKNOWN.inc(len(hits) - len(judged))
        return True

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await self._closing.wait()
        except TimeoutError:
            pass

    def _judge(self, hit: Hit, known: KnownMessage) -> JudgedHit:
        agent = storable(_CONTROLS.sub(" ", hit.agent).strip()[:MAX_AGENT])
        verdict = judge(
            Facts(
                kind=hit.kind,
                method=hit.method,
                agent=agent,
                purpose=hit.purpose,
                address=hit.address,
                at_ms=hit.at_ms,
                sent_at_ms=known.sent_at_ms,
                delivered_at_ms=known.delivered_at_ms,
                burst_links=self._burst_links(hit),
                early_click_ms=self._early_click_ms,
            )
        )
        return JudgedHit(
            message_id=hit.message_id,
            at_ms=hit.at_ms,
            kind=hit.kind,
            recipient=hit.recipient,
            link=hit.link,
            verdict=verdict.kind,
            rule=verdict.rule,
            believed=verdict.believed,
            counted=verdict.counted,
            network=truncate(hit.address),
            agent=agent,
        )

    def _burst_links(self, hit: Hit) -> int:
        if hit.link is None:
            return 0
        return self._bursts.different_links((hit.message_id, hit.recipient), hit.link, hit.at_ms)

    def _announce(self, hits: Iterable[JudgedHit], known: Mapping[int, KnownMessage]) -> None:
        for hit in hits:
            metrics.HITS.labels(hit.kind, hit.verdict).inc()
        for message_id in {hit.message_id for hit in hits}:
            self._feed.publish(known[message_id].sender_id, message_id)
