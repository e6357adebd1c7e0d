"""From the notification to its targets: nothing is lost, nothing floods, nobody holds up others."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from receivers import LOOPBACK, Receiver, open_receiver
from sqlalchemy import func, select, text
from standardwebhooks import Webhook

from collector.outward import courier as module
from collector.outward import outbox
from collector.outward.courier import Courier
from collector.outward.outbox import HOLD_MS, LEASE_MS, MAX_WAITING, News
from collector.outward.outcomes import Failed, Taken
from collector.outward.pace import LIFETIME, PATIENCE
from collector.outward.sealing import Seal
from collector.outward.services import Services
from collector.outward.targets import Target, Targets
from collector.outward.webhooks import Webhooks
from collector.schema import outbox as outbox_table
from collector.store import Store
from collector.tokens import Key

DAY_MS = 86_400_000
Make = Callable[..., Awaitable[list[int]]]


@dataclass(slots=True)
class House:
    """A courier with a clock of its own: `ahead` milliseconds before ours."""

    store: Store
    sender_id: int
    targets: Targets
    webhooks: Webhooks
    services: Services
    told: list[int] = field(default_factory=list)
    ahead: int = 0

    def now_ms(self) -> int:
        return module.time.time_ns() // 1_000_000 + self.ahead

    def tell(self, news: Sequence[News], language: str) -> tuple[str, str]:
        self.told.append(len(news))
        return f"{len(news)} in {language}", "\n".join(each.subject for each in news)

    def courier(self, **changes: object) -> Courier:
        options = {"kinds": ("webhook", "service"), "chance": lambda: 0.5} | changes
        return Courier(
            self.store,
            self.targets,
            self.webhooks,
            self.services,
            self.tell,
            public_url="https://t.example.com",
            now_ms=self.now_ms,
            **options,  # type: ignore[arg-type]
        )

    async def go(self, courier: Courier | None = None, ahead: int = HOLD_MS) -> None:
        """So much later, one look and all that comes of it."""
        self.ahead += ahead
        courier = courier or self.courier()
        await courier.look()
        await courier.settle()

    async def target(self) -> Target:
        [only] = await self.targets.every(self.sender_id)
        return only

    async def waiting(self) -> int:
        rows = await self.store.read(select(func.count()).select_from(outbox_table))
        return int(rows[0][0])


@pytest.fixture
async def house(store: Store, sender_id: int) -> AsyncIterator[House]:
    webhooks, services = Webhooks(LOOPBACK), Services(LOOPBACK)
    targets = Targets(store, Seal([Key(1, bytes(32))]), webhooks, services)
    made = House(store, sender_id, targets, webhooks, services)
    targets._now_ms = made.now_ms
    yield made
    await webhooks.close()


@pytest.fixture
async def secret(house: House, receiver: Receiver) -> str:
    """That of the sender's one webhook."""
    return await house.targets.add_webhook(house.sender_id, f"{receiver.url}/hook", "de")


async def test_a_webhook_is_told_of_each(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    [first] = await news(subject="Offer")
    await news(kind="click")
    await house.go()
    opened, followed = (Webhook(secret).verify(body, headers) for headers, body in receiver.calls)
    assert opened["type"] == "mail.opened"
    assert opened["timestamp"].endswith("Z")
    assert opened["data"] == {
        "message": f"{first:016x}",
        "subject": "Offer",
        "sent": opened["data"]["sent"],
        "recipient": "ben@example.net",
        "recipients": 1,
        "verdict": "person",
        "page": f"https://t.example.com/mail/{first}",
    }
    assert followed["type"] == "mail.link_followed"
    ids = {headers["webhook-id"] for headers, _ in receiver.calls}
    assert len(ids) == 2
    assert not any("." in each for each in ids)
    target = await house.target()
    assert target.sent_at_ms
    assert (target.waiting, target.failures, target.reason) == (0, 0, "")


async def test_a_moment_passes_first(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    """A scanner's clicks are taken back by then."""
    await news()
    await house.go(ahead=0)
    assert receiver.calls == []
    await house.store.write(lambda c: c.execute(text("DELETE FROM notification")))
    await house.go()
    assert receiver.calls == []
    assert await house.waiting() == 0


async def test_what_fails_is_tried_again_as_the_same(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    receiver.answer = lambda: web.Response(status=500)
    await news()
    await house.go()
    await house.go(ahead=1_000)  # too early
    assert len(receiver.calls) == 1
    failing = await house.target()
    assert (failing.reason, failing.detail, failing.failures) == ("status", "500", 1)
    assert failing.waiting == 1
    receiver.answer = lambda: web.Response()
    await house.go(ahead=5_000)
    (one, body), (other, again) = receiver.calls
    assert one["webhook-id"] == other["webhook-id"]
    assert body == again
    Webhook(secret).verify(again, other)
    well = await house.target()
    assert (well.failures, well.failing_since_ms, well.waiting) == (0, None, 0)


async def test_a_restart_loses_nothing(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    """Killed in the middle of an attempt: another process sends it, once the lease is over."""
    entered, held = asyncio.Event(), asyncio.Event()

    async def hold(*_: object) -> Taken:
        entered.set()
        await held.wait()
        return Taken()

    await news()
    killed = house.courier()
    post, house.webhooks.post = house.webhooks.post, hold  # type: ignore[method-assign,assignment]
    house.ahead += HOLD_MS
    await killed.look()
    await entered.wait()
    for task in killed._at_work.values():
        task.cancel()
    await killed.settle()
    house.webhooks.post = post  # type: ignore[method-assign]
    await house.go(ahead=LEASE_MS // 2)
    assert receiver.calls == []
    await house.go(ahead=LEASE_MS)
    assert len(receiver.calls) == 1
    assert await house.waiting() == 0


async def test_two_couriers_send_it_once(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    await news(3)
    couriers = [house.courier() for _ in range(3)]
    house.ahead += HOLD_MS
    await asyncio.gather(*(each.look() for each in couriers))
    await asyncio.gather(*(each.settle() for each in couriers))
    assert len(receiver.calls) == 3


async def test_one_bad_event_holds_up_no_other(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    await news(subject="Poison")
    await news(2)

    def judge() -> web.Response:
        status = 422 if b"Poison" in receiver.calls[-1][1] else 200
        return web.Response(status=status)

    receiver.answer = judge
    await house.go()
    assert len(receiver.calls) == 3
    assert (await house.target()).waiting == 1
    for _ in range(7):
        await house.go(ahead=DAY_MS)
    target = await house.target()
    assert (target.waiting, target.left_out, target.disabled_at_ms) == (0, 1, None)
    assert sum(b"Poison" in body for _, body in receiver.calls) == 7


async def test_one_that_is_down_is_asked_ever_less_and_then_left_alone(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    receiver.answer = lambda: web.Response(status=503)
    start = house.now_ms()
    while (await house.target()).disabled_at_ms is None:
        await news()
        await house.go(ahead=1_800_000)
    spent = house.now_ms() - start
    assert PATIENCE * 1000 <= spent < 2 * PATIENCE * 1000
    assert len(receiver.calls) < 20
    target = await house.target()
    assert target.waiting == 0
    assert target.left_out >= spent // 1_800_000
    await news()
    assert await house.waiting() == 0  # nothing is put in any more
    assert await house.targets.enable(house.sender_id, target.id)
    receiver.answer = lambda: web.Response()
    receiver.calls.clear()
    await news()
    await house.go()
    assert len(receiver.calls) == 1


async def test_what_is_a_day_old_is_given_up(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    receiver.answer = lambda: web.Response(status=503)
    await news(3)
    await house.go(ahead=int(LIFETIME * 1000) + HOLD_MS)
    target = await house.target()
    assert (target.waiting, target.left_out) == (0, 3)


async def test_gone_is_gone(house: House, secret: str, receiver: Receiver, news: Make) -> None:
    receiver.answer = lambda: web.Response(status=410)
    await news(2)
    await house.go()
    target = await house.target()
    assert target.disabled_at_ms is not None
    assert (target.reason, target.waiting, target.left_out) == ("gone", 0, 2)
    assert len(receiver.calls) == 1


async def test_retry_after_is_heeded(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    receiver.answer = lambda: web.Response(status=429, headers={"Retry-After": "600"})
    await news()
    await house.go()
    await house.go(ahead=590_000)
    assert len(receiver.calls) == 1
    await house.go(ahead=20_000)
    assert len(receiver.calls) == 2


async def test_a_flood_comes_in_turns_and_in_order(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    ids = await news(module.EVENTS_A_TURN + 5)
    await house.go()
    assert len(receiver.calls) == module.EVENTS_A_TURN
    await house.go(ahead=1)
    told = [int(json.loads(body)["data"]["message"], 16) for _, body in receiver.calls]
    assert told == ids


async def test_a_service_gets_one_message_for_many(
    house: House, receiver: Receiver, news: Make
) -> None:
    address = f"json://127.0.0.1:{receiver.port}/"
    await house.targets.add_service(house.sender_id, address, "de")
    await news(12)
    await house.go()
    [(_, body)] = receiver.calls
    assert json.loads(body)["title"] == "12 in de"
    await news(2)
    await house.go()  # within the minute
    assert len(receiver.calls) == 1
    await house.go(ahead=module.FOLD_MS)
    assert house.told == [12, 2]
    assert len(receiver.calls) == 2
    assert await house.waiting() == 0


FILL = """
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :most)
    INSERT INTO outbox (target_id, notification_id, created_at_ms, next_at_ms)
    SELECT target.id, notification.id, 0, 0 FROM number, target, notification
"""


async def test_no_more_waits_than_may(house: House, secret: str, news: Make) -> None:
    await news()
    fill = {"most": MAX_WAITING}
    await house.store.write(lambda connection: connection.execute(text(FILL), fill))
    before = await house.waiting()
    await news(5)
    assert await house.waiting() == before > MAX_WAITING


async def test_a_slow_target_holds_up_no_other(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    entered, held = asyncio.Event(), asyncio.Event()
    post = house.webhooks.post

    async def hold(url: str, *rest: object) -> object:
        if "slow" in url:
            entered.set()
            await held.wait()
            return Failed("slow")
        return await post(url, *rest)  # type: ignore[arg-type]

    house.webhooks.post = hold  # type: ignore[method-assign,assignment]
    await house.targets.add_webhook(house.sender_id, f"{receiver.url}/slow", "en")
    await news()
    courier = house.courier()
    house.ahead += HOLD_MS
    await courier.look()
    await entered.wait()
    async with asyncio.timeout(30):
        await receiver.called.wait()
    held.set()
    await courier.settle()


async def test_what_the_site_switches_off_waits(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    await news()
    await house.go(house.courier(kinds=("service",)))
    assert receiver.calls == []
    assert await house.store.write(lambda c: outbox.sweep(c, house.now_ms() + 3 * DAY_MS)) == 1


async def test_a_sender_hears_of_nobody_else(
    house: House, secret: str, receiver: Receiver, news: Make, add_sender: Callable[..., object]
) -> None:
    eve = await add_sender("eve")  # type: ignore[misc]
    await house.targets.add_webhook(eve, f"{receiver.url}/eve", "en")
    [mine] = await news()
    await house.go()
    [(_, body)] = receiver.calls
    assert json.loads(body)["data"]["message"] == f"{mine:016x}"
    [hers] = await house.targets.every(eve)
    assert (hers.waiting, hers.sent_at_ms) == (0, None)


async def test_nothing_is_sent_for_a_disabled_sender(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    await news()
    await house.store.write(lambda c: c.execute(text("UPDATE sender SET enabled = false")))
    await house.go()
    assert receiver.calls == []


async def test_a_fault_of_ours_is_waited_out_as_well(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    async def fail(*_: object) -> Taken:
        raise KeyError("ours")

    post, house.webhooks.post = house.webhooks.post, fail  # type: ignore[method-assign,assignment]
    await news()
    await house.go()
    assert (await house.target()).failures == 1
    house.webhooks.post = post  # type: ignore[method-assign]
    await house.go(ahead=10_000)
    assert len(receiver.calls) == 1


async def test_an_erased_mail_is_told_nowhere(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    await news(2)
    await house.store.write(lambda c: c.execute(text("DELETE FROM message")))
    assert await house.waiting() == 0
    await house.go()
    assert receiver.calls == []


async def test_a_removed_sender_takes_all_along(house: House, secret: str, news: Make) -> None:
    await news()
    await house.store.write(lambda c: c.execute(text("DELETE FROM sender")))
    assert await house.waiting() == 0
    assert await house.targets.every(house.sender_id) == []


async def test_a_test_tells_nothing_and_whether_it_arrived(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    courier = house.courier()
    receiver.answer = lambda: web.Response(status=503)
    await news()
    await house.go(courier)
    assert await courier.test(await house.target()) == Failed("status", "503")
    assert (await house.target()).failures == 1
    receiver.answer = lambda: web.Response()
    assert await courier.test(await house.target()) == Taken()
    headers, body = receiver.calls[-1]
    assert Webhook(secret).verify(body, headers)["type"] == "test"
    assert b"ben@" not in body
    target = await house.target()
    assert target.failures == 0
    await house.go(courier, ahead=1)  # what waited goes at once
    assert (await house.target()).waiting == 0


async def test_keys_follow_each_other(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    new = Key(2, bytes(range(32)))
    house.targets._seal.change([new, Key(1, bytes(32))])
    await house.targets.reseal()
    house.targets._seal.change([new])
    await news()
    await house.go()
    [(headers, body)] = receiver.calls
    Webhook(secret).verify(body, headers)


async def test_a_key_that_is_gone_is_told(
    house: House, secret: str, receiver: Receiver, news: Make
) -> None:
    house.targets._seal.change([Key(2, bytes(range(32)))])
    await news()
    await house.go()
    target = await house.target()
    assert target.reason == "key"
    assert target.disabled_at_ms is not None
    assert receiver.calls == []


async def test_runs_until_it_is_stopped(
    house: House, secret: str, news: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    async with open_receiver() as other:
        await house.targets.add_webhook(house.sender_id, other.url, "en")
        courier = house.courier()
        house.ahead = HOLD_MS
        running = asyncio.create_task(courier.run())
        await news()
        async with asyncio.timeout(30):
            await other.called.wait()
        running.cancel()
        await asyncio.wait({running})
        await courier.stop()
    assert not courier._at_work


async def test_an_outage_of_the_store_is_waited_out(
    house: House,
    secret: str,
    receiver: Receiver,
    news: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    await news()
    house.ahead = HOLD_MS
    courier, read = house.courier(), outbox.find_due
    failed = asyncio.Event()

    async def fail(*_: object) -> list[object]:
        failed.set()
        raise module.StoreUnavailable("locked")

    monkeypatch.setattr(outbox, "find_due", fail)
    running = asyncio.create_task(courier.run())
    await failed.wait()
    monkeypatch.setattr(outbox, "find_due", read)
    async with asyncio.timeout(30):
        await receiver.called.wait()
    running.cancel()
    await asyncio.wait({running})
    await courier.stop()
