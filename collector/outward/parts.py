"""The way out in one: its parts, made and run together. The site makes one, the pages use it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.outward.courier import Courier
from collector.outward.digests import Digests
from collector.outward.feeds import Feeds
from collector.outward.outbox import News
from collector.outward.sealing import Seal
from collector.outward.services import Services
from collector.outward.targets import Targets
from collector.outward.ways import Ways
from collector.outward.webhooks import Webhooks
from collector.store import Store
from collector.tokens import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail's texts."""

    subject: str
    text: str
    html: str


class Teller(Protocol):
    """What is said of notifications, in a language (ISO 639)."""

    def tell(self, news: Sequence[News], language: str) -> tuple[str, str]:
        """A title and a text; of no notifications: that this is a test."""

    def write_digest(self, news: Sequence[News], language: str) -> Letter:
        """A day's notifications as a mail."""

    def headline(self, news: News, language: str) -> str:
        """One notification in a line."""

    def title(self, language: str) -> str:
        """What all of them are called."""


class Outward:
    """Make it inside a running loop; `close` it before its store."""

    def __init__(
        self, store: Store, keys: Sequence[Key], teller: Teller, *, public_url: str, ways: Ways
    ) -> None:
        self.ways = ways
        self.teller = teller
        self._seal = Seal(keys)
        self._webhooks = Webhooks(ways.allowed)
        services = Services(ways.allowed)
        self.targets = Targets(store, self._seal, self._webhooks, services)
        self.digests = Digests(store, ways.digest_hour)
        self.feeds = Feeds(store)
        self.courier = Courier(
            store,
            self.targets,
            self._webhooks,
            services,
            teller.tell,
            public_url=public_url,
            kinds=ways.kinds,
        )
        self._running: asyncio.Task[None] | None = None

    def run(self) -> None:
        """From now on what is due is sent."""
        self._running = asyncio.get_running_loop().create_task(self.courier.run(), name="courier")

    def change_keys(self, keys: Sequence[Key]) -> None:
        """From now on these seal what targets are reached by."""
        self._seal.change(keys)
        self.courier.seal_anew()

    async def close(self) -> None:
        """Lets what is being sent end, for some seconds."""
        if self._running:
            self._running.cancel()
            await asyncio.wait({self._running})
        await self.courier.stop()
        await self._webhooks.close()
