"""What the store is told of a message's fate, and with it the sender's open pages."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

import structlog

from collector.errors import StoreUnavailable
from collector.feed import Feed
from collector.store import Outcome, Store
from relay.fate import recorded
from relay.spoolfile import Entry

log = structlog.get_logger()

NOTE_SECONDS = 2.0
# What is known of a message whose process ended before it could say.
FORGOTTEN = {
    "sending": "The relay was stopped before the mail program had an answer",
    "queued": "The relay was stopped before it noted what became of it",
}


class Records:
    """Of messages that are on record; others are passed over."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._feed = feed
        self._now_ms = now_ms

    async def take_up(self, entries: Mapping[int, Entry]) -> None:
        """What an earlier process left unsettled, by what the spool has of it. Raises nothing.

        To be called before any message is sent.
        """
        try:
            unsettled = await self._store.unsettled()
        except StoreUnavailable as error:
            log.warning("unsettled messages stay so", reason=error.reason)
            return
        for message_id, state in unsettled:
            if entry := entries.get(message_id):
                self.post(entry)
            else:
                outcome = Outcome(at_ms=self._now_ms(), state="deferred", reply=FORGOTTEN[state])
                self._store.record_outcome(message_id, outcome)

    def post(self, entry: Entry, then: Callable[[], None] = lambda: None) -> None:
        """Some time soon; then calls `then`. Never waits, never raises."""
        if not entry.tracked:
            then()
            return

        def told() -> None:
            self._feed.publish(entry.sender_id, entry.id)
            then()

        self._store.record_outcome(entry.id, recorded(entry, self._now_ms()), then=told)

    async def note(self, entry: Entry) -> None:
        """Committed on return, so that nothing is forgotten when its file goes; but mail does not
        wait long for statistics."""
        committed = asyncio.Event()
        self.post(entry, committed.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NOTE_SECONDS):
                await committed.wait()
