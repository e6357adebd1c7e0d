"""Hits find their way into the store, and never hold up an answer for long."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from ipaddress import ip_address

import pytest
from sqlalchemy import select

from collector import metrics
from collector import recorder as module
from collector.errors import StoreUnavailable
from collector.feed import Feed
from collector.hits import Hit
from collector.keeping import Keeping
from collector.presence import Presence
from collector.recorder import Recorder
from collector.schema import hit, message
from collector.store import Outcome, Sent, Store

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
Lock = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def recorder(
    store: Store, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Recorder]:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 60.0)  # so what it has answered is committed
    made = Recorder(store, feed)
    yield made
    await made.close()


@pytest.fixture
async def sent(store: Store, make_sent: Callable[..., Sent]) -> Sent:
    """A message that upstream took at once."""
    made = make_sent()
    await store.record_sent(made)
    taken = asyncio.Event()
    outcome = Outcome(at_ms=made.sent_at_ms, state="delivered", reply="250 ok")
    store.record_outcome(made.message_id, outcome, taken.set)
    await taken.wait()
    return made


@pytest.fixture
def make_hit(sent: Sent) -> Callable[..., Hit]:
    """`make_hit(after=3)`: a hit on that message, so many seconds after it was taken."""

    def make(after: float = 3600, link: int | None = None, **changes: object) -> Hit:
        values: dict[str, object] = {
            "kind": "open" if link is None else "click",
            "message_id": sent.message_id,
            "recipient": 0,
            "link": link,
            "at_ms": sent.sent_at_ms + int(after * 1000),
            "method": "GET",
            "agent": FIREFOX,
            "purpose": "",
            "address": ip_address("198.51.100.7"),
        }
        return Hit(**{**values, **changes})  # type: ignore[arg-type]

    return make


async def rules(store: Store) -> list[str]:
    return [row.rule for row in await store.read(select(hit.c.rule).order_by(hit.c.at_ms))]


def count(counter: object) -> float:
    return counter._value.get()  # type: ignore[attr-defined, no-any-return]


async def test_a_hit_is_committed_when_the_call_returns(
    store: Store, recorder: Recorder, make_hit: Callable[..., Hit]
) -> None:
    await recorder.record(make_hit())
    assert await rules(store) == ["browser"]
    [row] = await store.read(select(message.c.open_count))
    assert row.open_count == 1


async def test_the_sender_hears_of_it(
    recorder: Recorder, feed: Feed, sent: Sent, make_hit: Callable[..., Hit]
) -> None:
    async with feed.subscribe(sent.sender_id) as news:
        await recorder.record(make_hit())
        assert await news.get() == sent.message_id


async def test_hits_on_unknown_messages_are_not_stored(
    store: Store, recorder: Recorder, make_hit: Callable[..., Hit]
) -> None:
    before = count(metrics.HITS_UNKNOWN)
    await recorder.record(make_hit(message_id=99))
    assert await rules(store) == []
    assert count(metrics.HITS_UNKNOWN) == before + 1


async def test_early_clicks_are_a_scanners(
    store: Store, recorder: Recorder, make_hit: Callable[..., Hit]
) -> None:
    await recorder.record(make_hit(after=9.9, link=0))
    await recorder.record(make_hit(after=10, link=0))
    assert await rules(store) == ["early-click", "browser"]


async def test_the_window_of_early_clicks_is_the_sites_choice(
    store: Store, feed: Feed, make_hit: Callable[..., Hit]
) -> None:
    recorder = Recorder(store, feed, early_click=0)
    await recorder.record(make_hit(after=0.001, link=0))
    await recorder.close()
    assert await rules(store) == ["browser"]


async def test_a_burst_is_a_scanners_from_its_first_click(
    store: Store, recorder: Recorder, make_hit: Callable[..., Hit]
) -> None:
    for link in range(4):
        await recorder.record(make_hit(after=100 + link / 2, link=link))
    assert await rules(store) == ["burst"] * 4
    [row] = await store.read(select(message.c.click_count, message.c.raw_click_count))
    assert tuple(row) == (0, 4)


async def test_one_link_often_is_no_burst(
    store: Store, recorder: Recorder, make_hit: Callable[..., Hit]
) -> None:
    for tick in range(4):
        await recorder.record(make_hit(after=100 + tick / 10, link=tick % 2))
    assert await rules(store) == ["browser"] * 4


async def test_many_at_once_share_transactions(
    store: Store, recorder: Recorder, make_hit: Callable[..., Hit]
) -> None:
    await asyncio.gather(*(recorder.record(make_hit(after=100 + n)) for n in range(1_000)))
    assert len(await rules(store)) == 1_000
    [row] = await store.read(select(message.c.open_count))
    assert row.open_count == 1_000


@pytest.mark.usefixtures("impatient")
async def test_a_locked_store_holds_no_answer_up_and_loses_nothing(
    store: Store,
    recorder: Recorder,
    make_hit: Callable[..., Hit],
    locked: Lock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    with locked():
        await recorder.record(make_hit(after=100))
        assert await rules(store) == []
        assert metrics.HITS_WAITING.collect()[0].samples[0].value == 1
        later = asyncio.create_task(recorder.record(make_hit(after=200)))
        await asyncio.sleep(0)
    await later
    await recorder.close()
    assert await rules(store) == ["browser", "browser"]
    assert metrics.HITS_WAITING.collect()[0].samples[0].value == 0


async def test_each_answer_waits_for_its_own_time(
    store: Store, feed: Feed, make_hit: Callable[..., Hit], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(call: object) -> None:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(store, "write", fail)
    recorder = Recorder(store, feed)
    waiting = []
    for seconds in (0.01, 0.05):
        monkeypatch.setattr(module, "ANSWER_SECONDS", seconds)
        waiting.append(asyncio.create_task(recorder.record(make_hit())))
        await asyncio.sleep(0)
    await waiting[0]
    assert not waiting[1].done()
    await waiting[1]
    await recorder.close()


async def test_the_buffer_is_bounded_and_losses_are_counted(
    store: Store, feed: Feed, make_hit: Callable[..., Hit], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(call: object) -> None:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(store, "write", fail)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.0)
    recorder = Recorder(store, feed, max_buffered=3)
    before = count(metrics.HITS_DROPPED)
    for number in range(5):
        await recorder.record(make_hit(after=number))
    assert count(metrics.HITS_DROPPED) == before + 2
    await recorder.close()
    assert count(metrics.HITS_DROPPED) == before + 5
    await recorder.record(make_hit())
    assert count(metrics.HITS_DROPPED) == before + 6


async def test_a_poisoned_group_is_dropped_and_the_next_goes_on(
    store: Store, feed: Feed, make_hit: Callable[..., Hit]
) -> None:
    recorder = Recorder(store, feed, keeping=Keeping(agents="full"))
    before = count(metrics.HITS_DROPPED)
    await recorder.record(make_hit(agent="\ud800"))  # no database takes it; tracking.py mends it
    await recorder.record(make_hit())
    await recorder.close()
    assert await rules(store) == ["browser"]
    assert count(metrics.HITS_DROPPED) == before + 1


async def test_closing_stores_what_is_buffered(
    store: Store, feed: Feed, make_hit: Callable[..., Hit]
) -> None:
    recorder = Recorder(store, feed)
    waiting = [asyncio.create_task(recorder.record(make_hit(after=n))) for n in range(5)]
    await asyncio.sleep(0)
    await recorder.close()
    await asyncio.gather(*waiting)
    assert len(await rules(store)) == 5


async def test_who_hangs_up_leaves_the_hit_behind(
    store: Store, recorder: Recorder, make_hit: Callable[..., Hit]
) -> None:
    leaving = asyncio.create_task(recorder.record(make_hit()))
    await asyncio.sleep(0)
    leaving.cancel()
    await recorder.close()
    assert await rules(store) == ["browser"]


async def test_the_senders_own_views_are_told(
    store: Store, feed: Feed, sent: Sent, make_hit: Callable[..., Hit]
) -> None:
    here, there = ip_address("93.184.216.34"), ip_address("93.184.216.35")
    presence = Presence(now_ms=lambda: sent.sent_at_ms)
    presence.note(sent.sender_id, here, "submission")
    presence.note(sent.sender_id + 1, there, "page")
    recorder = Recorder(store, feed, presence=presence)
    await recorder.record(make_hit(after=100, address=here))
    await recorder.record(make_hit(after=101, address=there))
    await recorder.record(make_hit(after=102, address=there, session_of=sent.sender_id))
    await recorder.record(make_hit(after=103, address=there, session_of=sent.sender_id + 1))
    await recorder.close()
    assert await rules(store) == ["self-submission", "browser", "self-session", "browser"]
    [row] = await store.read(select(message.c.open_count, message.c.raw_open_count))
    assert tuple(row) == (2, 4)
