"""A sender's targets: added, shown, limited, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from receivers import LOOPBACK, Receiver
from sqlalchemy import text

from collector.outward.sealing import Seal
from collector.outward.services import Services
from collector.outward.targets import MAX_TARGETS, TargetRefused, Targets
from collector.outward.webhooks import Webhooks
from collector.store import Store
from collector.tokens import Key


@pytest.fixture
async def targets(store: Store) -> AsyncIterator[Targets]:
    webhooks = Webhooks(LOOPBACK)
    yield Targets(store, Seal([Key(1, bytes(32))]), webhooks, Services())
    await webhooks.close()


async def test_what_it_is_reached_by_is_sealed(
    targets: Targets, store: Store, sender_id: int, receiver: Receiver
) -> None:
    address = f"{receiver.url}/hidden?key=word"
    secret = await targets.add_webhook(sender_id, address, "en")
    await targets.add_service(sender_id, "ntfys://ntfy.sh/hidden", "en")
    one, other = await targets.every(sender_id)
    assert (one.kind, one.shown) == ("webhook", f"{receiver.url}/…")
    assert (other.kind, other.shown) == ("service", "ntfy (ntfy.sh)")
    assert await targets.secret(sender_id, one.id) == {"url": address, "secret": secret}
    assert await targets.secret(sender_id, other.id) == {"url": "ntfys://ntfy.sh/hidden"}
    rows = await store.read(text("SELECT * FROM target"))
    for hidden in ("hidden", "word", secret, secret.removeprefix("whsec_")):
        assert hidden not in str([tuple(row) for row in rows])


async def test_each_is_one_senders(
    targets: Targets, sender_id: int, receiver: Receiver, add_sender: Callable[..., object]
) -> None:
    eve = await add_sender("eve")  # type: ignore[misc]
    await targets.add_webhook(sender_id, receiver.url, "en")
    [hers] = await targets.every(sender_id)
    assert await targets.every(eve) == []
    assert await targets.find(eve, hers.id) is None
    assert await targets.secret(eve, hers.id) is None
    assert not await targets.remove(eve, hers.id)
    assert not await targets.enable(eve, hers.id)
    await targets.add_webhook(eve, receiver.url, "en")  # hers does not count
    assert await targets.find(sender_id, hers.id) == hers
    assert await targets.remove(sender_id, hers.id)
    assert await targets.every(sender_id) == []


async def test_there_may_be_so_many(targets: Targets, sender_id: int, receiver: Receiver) -> None:
    for number in range(MAX_TARGETS - 1):
        await targets.add_webhook(sender_id, f"{receiver.url}/{number}", "en")
    added = await asyncio.gather(
        *(targets.add_webhook(sender_id, f"{receiver.url}/{word}", "en") for word in "ab"),
        return_exceptions=True,
    )
    assert sorted(isinstance(each, TargetRefused) for each in added) == [False, True]
    assert len(await targets.every(sender_id)) == MAX_TARGETS


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nonsense", "address"),
        ("https://no-such-host.invalid/", "name"),
        ("http://10.0.0.1/", "private"),
        ("https://169.254.169.254/latest/meta-data", "private"),
        ("https://ana:word@example.com/", "login"),
    ],
)
async def test_webhooks_that_cannot_be(
    targets: Targets, sender_id: int, address: str, reason: str
) -> None:
    with pytest.raises(TargetRefused) as refused:
        await targets.add_webhook(sender_id, address, "en")
    assert refused.value.reason == reason
    assert await targets.every(sender_id) == []


async def test_nothing_is_added_twice(targets: Targets, sender_id: int, receiver: Receiver) -> None:
    await targets.add_webhook(sender_id, receiver.url, "en")
    await targets.add_service(sender_id, "ntfys://ntfy.sh/topic", "en")
    for again in (
        targets.add_webhook(sender_id, receiver.url, "de"),
        targets.add_service(sender_id, " ntfys://ntfy.sh/topic ", "de"),
    ):
        with pytest.raises(TargetRefused, match="twice"):
            await again
    with pytest.raises(TargetRefused, match="service"):
        await targets.add_service(sender_id, "syslog://", "en")
