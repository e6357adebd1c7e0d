"""Receivers on loopback, and a store with a sender who has news."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from receivers import Receiver, open_receiver

from collector.hits import Hit, store_hits
from collector.store import Sent, Store
from collector.verdict import Verdict


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


@pytest.fixture
def news(store: Store, make_sent: Callable[..., Sent]) -> Callable[..., Awaitable[list[int]]]:
    """`await news(3)`: so many mails of the sender are opened, which are news. Their ids."""

    async def make(count: int = 1, kind: str = "open", **changes: object) -> list[int]:
        ids = []
        for _ in range(count):
            sent = make_sent(**changes)
            await store.record_sent(sent)
            hit = Hit(
                kind=kind,  # type: ignore[arg-type]
                message_id=sent.message_id,
                recipient=0,
                link=0 if kind == "click" else None,
                at_ms=sent.sent_at_ms + 60_000,
                method="GET",
                agent="",
                purpose="",
                address=None,
            )
            await store.write(partial(store_hits, hits=[hit], judge=_believe))
            ids.append(sent.message_id)
        return ids

    return make


def _believe(*_: object) -> Verdict:
    return Verdict("person", "browser", 1.0)
