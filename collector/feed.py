"""Tells a sender's open pages which of their messages changed, inside this process.

Invariant: publishing never waits and never fails. A page that does not keep up loses the oldest
news, not the newest; a message already waiting in a queue is not queued twice, since the page re-
reads it anyway.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

QUEUE_SIZE = 100
BELL = 0  # what is published, in place of a message, when notifications were read


class News:
    """The ids of changed messages that one page has not heard of yet, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[int, None] = {}
        self._arrived = asyncio.Event()

    def put(self, message_id: int) -> None:
        self._waiting[message_id] = None
        if len(self._waiting) > QUEUE_SIZE:
            del self._waiting[next(iter(self._waiting))]
        self._arrived.set()

    async def get(self) -> int:
        """The id of the next changed message; waits for one."""
        await self._arrived.wait()
        message_id = next(iter(self._waiting))
        del self._waiting[message_id]
        if not self._waiting:
            self._arrived.clear()
        return message_id


class Feed:
    """Publishers name a sender and a message; each subscriber of that sender hears of it."""

    def __init__(self) -> None:
        self._subscribers: defaultdict[int, set[News]] = defaultdict(set)

    def publish(self, sender_id: int, message_id: int) -> None:
        for news in self._subscribers.get(sender_id, ()):
            news.put(message_id)

    @asynccontextmanager
    async def subscribe(self, sender_id: int) -> AsyncIterator[News]:
        """Yields the subscriber's queue; `await queue.get()` gives the id of a changed message."""
        news = News()
        self._subscribers[sender_id].add(news)
        try:
            yield news
        finally:
            self._subscribers[sender_id].discard(news)
            if not self._subscribers[sender_id]:
                del self._subscribers[sender_id]
