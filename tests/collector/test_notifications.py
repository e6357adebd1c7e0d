"""A sender's notifications: read, marked as read, told to open pages, and nobody else's."""

import asyncio
from collections.abc import Callable

import pytest
from hits import add_hits, make_hit

from collector.feed import BELL, Feed
from collector.notifications import Notifications, Subject
from collector.store import Sent, Store


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def notifications(store: Store, feed: Feed) -> Notifications:
    return Notifications(store, feed)


@pytest.fixture
def opened(store: Store, make_sent: Callable[..., Sent]) -> Callable[..., object]:
    """`await opened(at_ms)`: the id of a new message that was opened then."""

    async def run(at_ms: int, **changes: object) -> int:
        sent = make_sent(**changes)
        await store.record_sent(sent)
        await add_hits(store, make_hit(sent.message_id, at_ms))
        return sent.message_id

    return run


async def test_a_few_are_counted_each_and_many_as_one(
    sender_id: int, notifications: Notifications, opened: Callable
) -> None:
    assert await notifications.unread(sender_id) == 0
    for number in range(3):
        await opened(1_000 + number)
    assert await notifications.unread(sender_id) == 3
    await opened(2_000)
    assert await notifications.unread(sender_id) == 1
    assert await notifications.count_unread(sender_id) == 4
    [one] = await notifications.folds(sender_id)
    assert (one.mails, one.newest.last_ms) == (4, 2_000)


async def test_one_is_read(sender_id: int, notifications: Notifications, opened: Callable) -> None:
    first, second = await opened(1_000), await opened(2_000)
    [newest, oldest] = await notifications.page(sender_id, before=None, limit=9, unread=False)
    assert (newest.message_id, oldest.message_id) == (second, first)
    assert await notifications.mark(sender_id, [newest.id, 99]) == 1
    assert await notifications.mark(sender_id, [newest.id]) == 0
    [left] = await notifications.page(sender_id, before=None, limit=9, unread=True)
    assert left == oldest
    assert await notifications.page(sender_id, before=newest.id, limit=9, unread=False) == [oldest]


async def test_all_that_was_shown_are_read(
    sender_id: int, notifications: Notifications, opened: Callable
) -> None:
    for at_ms in (1_000, 2_000, 3_000):
        await opened(at_ms)
    assert await notifications.mark_until(sender_id, 2_000) == 2
    assert await notifications.unread(sender_id) == 1
    assert await notifications.mark_all(sender_id) == 1
    assert await notifications.unread(sender_id) == 0


async def test_those_of_a_mail_are_read(
    store: Store, sender_id: int, notifications: Notifications, opened: Callable
) -> None:
    first, second = await opened(1_000), await opened(2_000)
    await add_hits(store, make_hit(first, 3_000, kind="click", link=0))
    assert await notifications.mark_mails(sender_id, [first], "click") == 1
    assert await notifications.mark_mails(sender_id, [first, second]) == 2
    assert await notifications.mark_mails(sender_id, [first, second]) == 0


async def test_open_pages_hear_of_it_where_anything_changed(
    sender_id: int, notifications: Notifications, feed: Feed, opened: Callable
) -> None:
    await opened(1_000)
    async with feed.subscribe(sender_id) as news:
        assert await notifications.mark_all(sender_id) == 1
        assert await news.get() == BELL
        assert await notifications.mark_all(sender_id) == 0
        feed.publish(sender_id, 7)
        async with asyncio.timeout(10):
            assert await news.get() == 7


async def test_nobody_elses(
    sender_id: int, add_sender: Callable, notifications: Notifications, opened: Callable
) -> None:
    other = await add_sender("eve")
    theirs = await opened(1_000, sender_id=other)
    [its] = await notifications.every(other)
    assert await notifications.every(sender_id) == []
    assert await notifications.subjects(sender_id, [theirs]) == {}
    assert await notifications.mark(sender_id, [its.id]) == 0
    assert await notifications.mark_mails(sender_id, [theirs]) == 0
    assert await notifications.mark_until(sender_id, 9_000) == 0
    assert await notifications.mark_all(sender_id) == 0
    assert await notifications.unread(other) == 1


async def test_what_is_told_of_a_message(
    sender_id: int, notifications: Notifications, opened: Callable
) -> None:
    number = await opened(
        1_000, subject="Hi", recipients=("a@x.org", "b@x.org"), per_recipient=True
    )
    assert await notifications.subjects(sender_id, [number, 99]) == {
        number: Subject(subject="Hi", recipients=("a@x.org", "b@x.org"), per_recipient=True)
    }
    assert await notifications.subjects(sender_id, []) == {}
