"""The way out as a whole: run, its keys changed, closed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from receivers import LOOPBACK, Receiver
from sqlalchemy import text
from standardwebhooks import Webhook

from collector.outward import courier
from collector.outward.parts import Outward
from collector.outward.ways import Ways
from collector.pages.telling import Words
from collector.store import Store
from collector.tokens import Key

OLD, NEW = Key(1, bytes(32)), Key(2, bytes(range(32)))


def test_only_what_is_on_is_sent_to() -> None:
    assert Ways().kinds == ("webhook", "service")
    assert Ways(webhooks=False).kinds == ("service",)
    assert Ways(services=False, webhooks=False).kinds == ()


async def test_new_keys_seal_what_is_there(
    store: Store,
    sender_id: int,
    receiver: Receiver,
    news: Callable[..., Awaitable[list[int]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(courier, "LOOK_SECONDS", 0.01)
    url = "https://t.example.com"
    outward = Outward(store, [OLD], Words(url), public_url=url, ways=Ways(allowed=LOOPBACK))
    secret = await outward.targets.add_webhook(sender_id, receiver.url, "en")
    sealed, reseal = asyncio.Event(), outward.targets.reseal

    async def watched() -> None:
        await reseal()
        sealed.set()

    outward.targets.reseal = watched  # type: ignore[method-assign]
    outward.change_keys([NEW, OLD])
    outward.run()
    async with asyncio.timeout(30):
        await sealed.wait()
        sealed.clear()
        outward.change_keys([NEW, OLD])  # while it runs
        await sealed.wait()
    outward.change_keys([NEW])
    await news()
    await store.write(lambda c: c.execute(text("UPDATE outbox SET next_at_ms = 0")))
    async with asyncio.timeout(30):
        await receiver.called.wait()
    await outward.close()
    [(headers, body)] = receiver.calls
    Webhook(secret).verify(body, headers)
