"""The feed, read by a feed reader's parser, and by nobody without its address."""

from collections.abc import Awaitable, Callable

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import text

from collector.outward.feeds import ENTRIES, NAMESPACE, Feed, Feeds, etag, write_feed
from collector.outward.outbox import News
from collector.store import Store

Make = Callable[..., Awaitable[list[int]]]
PUBLIC = "https://t.example.com"


def write(feed: Feed, address: str = f"{PUBLIC}/feed/token.atom") -> bytes:
    return write_feed(
        feed,
        address=address,
        public_url=PUBLIC,
        title="Opens and clicks",
        headline=lambda news: f"Opened: {news.subject}",
    )


def made(number: int, subject: str = "Hello") -> News:
    return News(
        id=number,
        kind="open",
        recipient=0,
        verdict="person",
        count=1,
        first_ms=1_700_000_000_000 + number,
        last_ms=1_700_000_060_000 + number,
        message_id=number,
        subject=subject,
        recipients=("ben@example.net",),
        sent_at_ms=0,
    )


@pytest.fixture
def feeds(store: Store) -> Feeds:
    return Feeds(store)


async def test_a_reader_understands_it(feeds: Feeds, sender_id: int, news: Make) -> None:
    ids = await news(3, subject="Offer <b>& more</b>")
    feed = await feeds.open(await feeds.make(sender_id, "en"))
    assert feed is not None
    read = feedparser.parse(write(feed))
    assert not read.bozo
    assert read.version == "atom10"
    assert read.feed.title == "Opens and clicks"
    assert read.feed.language == "en"
    assert [each.link for each in read.entries] == [
        f"{PUBLIC}/mail/{each}" for each in reversed(ids)
    ]
    assert read.entries[0].title == "Opened: Offer <b>& more</b>"
    assert len({each.id for each in read.entries}) == 3
    links = {each.rel: each.href for each in read.feed.links}
    assert links == {"self": f"{PUBLIC}/feed/token.atom", "alternate": f"{PUBLIC}/"}


def test_has_what_the_standard_wants() -> None:
    """RFC 4287 §4.1.1 and §4.1.2: exactly one of each."""
    root = etree.fromstring(write(Feed(1, "en", 0, [made(2), made(1)])))
    assert root.tag == f"{{{NAMESPACE}}}feed"
    for element in (root, *root.findall(f"{{{NAMESPACE}}}entry")):
        for name in ("id", "title", "updated"):
            [only] = element.findall(f"{{{NAMESPACE}}}{name}")
            assert only.text
    assert root.findtext(f"{{{NAMESPACE}}}author/{{{NAMESPACE}}}name")
    assert root.findtext(f"{{{NAMESPACE}}}updated") == "2023-11-14T22:14:20.002Z"
    empty = feedparser.parse(write(Feed(1, "en", 1_700_000_000_000, [])))
    assert not empty.bozo
    assert empty.entries == []


@given(st.text(alphabet=st.characters(codec="utf-8")))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_subject_is_well_formed(subject: str) -> None:
    root = etree.fromstring(write(Feed(1, "en", 0, [made(1, subject)])))
    assert len(root.findall(f"{{{NAMESPACE}}}entry")) == 1


def test_a_tag_is_of_the_content_alone() -> None:
    feed = Feed(1, "en", 0, [made(1)])
    assert etag(write(feed)) == etag(write(feed))
    assert etag(write(feed)) != etag(write(Feed(1, "en", 0, [made(2)])))


async def test_only_the_newest_address_opens_it(
    feeds: Feeds, store: Store, sender_id: int, news: Make
) -> None:
    await news()
    assert await feeds.since(sender_id) is None
    old, new = await feeds.make(sender_id, "en"), await feeds.make(sender_id, "de")
    assert await feeds.open(old) is None
    feed = await feeds.open(new)
    assert feed is not None
    assert feed.language == "de"
    assert await feeds.since(sender_id) == feed.created_at_ms
    rows = await store.read(text("SELECT * FROM atom"))
    assert new not in str([tuple(row) for row in rows])
    await feeds.close(sender_id)
    assert await feeds.open(new) is None
    for forged in ("", "x", new[:-1], new + "A", "é" * 43):
        assert await feeds.open(forged) is None


async def test_is_of_one_enabled_sender(
    feeds: Feeds, store: Store, sender_id: int, news: Make, add_sender: Callable[..., object]
) -> None:
    eve = await add_sender("eve")  # type: ignore[misc]
    await news(2)
    hers = await feeds.open(await feeds.make(eve, "en"))
    assert hers is not None
    assert hers.news == []
    token = await feeds.make(sender_id, "en")
    await store.write(lambda c: c.execute(text("UPDATE sender SET enabled = false")))
    assert await feeds.open(token) is None
    await store.write(lambda c: c.execute(text("DELETE FROM sender")))
    assert await store.read(text("SELECT * FROM atom")) == []


async def test_has_the_newest_alone(feeds: Feeds, sender_id: int, news: Make) -> None:
    ids = await news(ENTRIES + 3)
    feed = await feeds.open(await feeds.make(sender_id, "en"))
    assert feed is not None
    assert [each.message_id for each in feed.news] == ids[:2:-1]
