"""The ages that the site sets: messages and hits that are older go, by the hour.

Off until somebody sets an age, but for notifications: what is news ages by itself. Rows go by the
thousand, and hits are looked for in short reads of their table's order, so that neither the writer
nor a reader is held for long. The counters of a message stay when its hits go: what was counted was
true.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Column, Executable, Table, bindparam, delete, func, select

from collector import metrics
from collector.erasing import ROWS, erase_all
from collector.errors import StoreUnavailable
from collector.keeping import DAY_MS
from collector.schema import hit, message, notification
from collector.store import Store
from collector.tokens import mint_message_id

# A clock that is wrong at a start has been set by then: nothing else would bring the rows back.
FIRST_SECONDS = 300.0
SWEEP_SECONDS = 3_600.0
STRIDE = 10_000  # rows that are looked at in one read
NEWS_DAYS = 90.0  # how long notifications are kept at most; no longer than the hits they tell of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How many days a message (with its hits) is kept after it was sent, a hit after it came; 0:
    for ever.
    """

    messages: float = 0
    hits: float = 0


FOR_EVER = Ages()


class Retention:
    """Holds the ages; `run` it as a task."""

    def __init__(
        self,
        store: Store,
        ages: Ages,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._ages = ages
        self._now_ms = now_ms

    async def run(self) -> None:
        """Sweeps soon and then each hour, until it is cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.sweep()
            except StoreUnavailable as error:
                log.warning("what is too old stays for now", reason=error.reason)
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Removes what is too old by now. Raises StoreUnavailable; what is left can wait."""
        now_ms = self._now_ms()
        if self._ages.messages:
            self._tell("message", await self._sweep_messages(now_ms - self._ages.messages * DAY_MS))
        if self._ages.hits:
            self._tell("hit", await self._sweep_rows(_HITS, now_ms - self._ages.hits * DAY_MS))
        news = min(NEWS_DAYS, self._ages.hits or NEWS_DAYS)
        self._tell("notification", await self._sweep_rows(_NEWS, now_ms - news * DAY_MS))

    async def _sweep_messages(self, before_ms: float) -> int:
        removed = 0
        first = mint_message_id(max(0, int(before_ms)), 0)  # ids sort by time
        while ids := await self._ids(_OLD_MESSAGES, {"before": first}):
            await erase_all(self._store, ids)
            removed += len(ids)
        return removed

    async def _sweep_rows(self, rows: "_Rows", before_ms: float) -> int:
        removed = 0
        [(first, last)] = await self._store.read(rows.extent)
        for start in range(first or 0, (last or 0) + 1, STRIDE):
            found = {"start": start, "end": start + STRIDE, "before_ms": int(before_ms)}
            ids = await self._ids(rows.old, found)
            for begin in range(0, len(ids), ROWS):
                some = {"ids": ids[begin : begin + ROWS]}
                removed += await self._store.change(rows.delete, some)
        return removed

    async def _ids(self, query: Executable, values: dict[str, int]) -> Sequence[int]:
        return [row.id for row in await self._store.read(query, values)]

    def _tell(self, table: str, removed: int) -> None:
        metrics.AGED_OUT.labels(table).inc(removed)
        if removed:
            log.info("too old", table=table, removed=removed)


_OLD_MESSAGES = (
    select(message.c.id).where(message.c.id < bindparam("before")).order_by(message.c.id).limit(100)
)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table whose rows go by a time of theirs: its first and last id, the old ones, their end."""

    extent: Executable
    old: Executable
    delete: Executable


def _rows(table: Table, at_ms: Column[int]) -> _Rows:
    old = (
        table.c.id >= bindparam("start"),
        table.c.id < bindparam("end"),
        at_ms < bindparam("before_ms"),
    )
    return _Rows(
        select(func.min(table.c.id), func.max(table.c.id)),
        select(table.c.id).where(*old),
        delete(table).where(table.c.id.in_(bindparam("ids", expanding=True))),
    )


_HITS = _rows(hit, hit.c.at_ms)
_NEWS = _rows(notification, notification.c.last_ms)
