"""Changed messages reach the open pages of their sender, and nobody else's."""

import asyncio

from collector.feed import QUEUE_SIZE, Feed


async def test_each_page_of_the_sender_hears_of_it() -> None:
    feed = Feed()
    async with feed.subscribe(1) as one, feed.subscribe(1) as other, feed.subscribe(2) as stranger:
        feed.publish(1, 42)
        feed.publish(2, 99)
        assert (await one.get(), await other.get(), await stranger.get()) == (42, 42, 99)


async def test_a_page_waits_for_news() -> None:
    feed = Feed()
    async with feed.subscribe(1) as news:
        waiting = asyncio.create_task(news.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        feed.publish(1, 42)
        assert await waiting == 42


async def test_a_message_waits_once() -> None:
    feed = Feed()
    async with feed.subscribe(1) as news:
        for message_id in (1, 2, 1, 1):
            feed.publish(1, message_id)
        feed.publish(1, 3)
        assert [await news.get() for _ in range(3)] == [1, 2, 3]


async def test_a_slow_page_loses_the_oldest_news() -> None:
    feed = Feed()
    async with feed.subscribe(1) as news:
        for message_id in range(QUEUE_SIZE + 3):
            feed.publish(1, message_id)
        assert [await news.get() for _ in range(QUEUE_SIZE)] == list(range(3, QUEUE_SIZE + 3))


async def test_a_closed_page_is_forgotten() -> None:
    feed = Feed()
    async with feed.subscribe(1):
        pass
    assert not feed._subscribers
    feed.publish(1, 42)


async def test_a_reader_that_gives_up_takes_nothing_along() -> None:
    feed = Feed()
    async with feed.subscribe(1) as news:
        waiting = asyncio.create_task(news.get())
        await asyncio.sleep(0)
        waiting.cancel()
        feed.publish(1, 42)
        assert await news.get() == 42
