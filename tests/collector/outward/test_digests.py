"""Who gets a mail a day, when, and of what."""

import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from collector.outward.digests import LEASE_MS, Digests, next_time, own_address
from collector.store import Store

Make = Callable[..., Awaitable[list[int]]]
HOUR = 3_600_000
NOON = 1_700_049_600_000  # 12:00 by UTC


class Clock:
    def __init__(self) -> None:
        self.ms = NOON

    def __call__(self) -> int:
        return self.ms


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def digests(store: Store, clock: Clock, sender_id: int) -> Digests:
    """Of a sender whose address is known."""
    await store.write(
        lambda c: c.execute(
            text("INSERT INTO sender_address VALUES (:id, 0, 'ana@example.com')"), {"id": sender_id}
        )
    )
    return Digests(store, 7, clock)


async def test_once_a_day_at_its_hour(
    digests: Digests, clock: Clock, sender_id: int, news: Make
) -> None:
    await news()  # of before it was wished
    await digests.turn_on(sender_id, "de")
    ids = await news(2)
    clock.ms += 18 * HOUR
    assert await digests.due() == []
    clock.ms += HOUR
    [due] = await digests.due()
    assert (due.address, due.language) == ("ana@example.com", "de")
    assert [each.message_id for each in due.news] == ids
    await digests.told(sender_id, due.last_id)
    clock.ms += 23 * HOUR
    assert await digests.due() == []
    [later] = await news()
    clock.ms += HOUR
    [due] = await digests.due()
    assert [each.message_id for each in due.news] == [later]


async def test_without_news_there_is_no_mail(
    digests: Digests, clock: Clock, sender_id: int, news: Make
) -> None:
    await digests.turn_on(sender_id, "en")
    clock.ms += 20 * HOUR
    assert await digests.due() == []
    await news()
    assert await digests.due() == []  # it was this day's turn
    clock.ms += 24 * HOUR
    assert len(await digests.due()) == 1


async def test_what_was_not_told_is_due_again(
    digests: Digests, clock: Clock, sender_id: int, news: Make
) -> None:
    await digests.turn_on(sender_id, "en")
    await news()
    clock.ms += 20 * HOUR
    assert len(await digests.due()) == 1
    assert await digests.due() == []  # somebody is at it
    clock.ms += LEASE_MS
    assert len(await digests.due()) == 1


async def test_is_turned_on_and_off(
    digests: Digests, clock: Clock, sender_id: int, news: Make, add_sender: Callable[..., object]
) -> None:
    eve = await add_sender("eve")  # type: ignore[misc]
    await digests.turn_on(sender_id, "en")
    await news()
    await digests.turn_on(sender_id, "fr")  # changes the language, loses no news
    assert await digests.is_on(sender_id)
    assert not await digests.is_on(eve)
    clock.ms += 20 * HOUR
    [due] = await digests.due()
    assert (due.language, len(due.news)) == ("fr", 1)
    await digests.turn_off(eve)
    assert await digests.is_on(sender_id)
    await digests.turn_off(sender_id)
    assert not await digests.is_on(sender_id)
    clock.ms += 48 * HOUR
    assert await digests.due() == []


async def test_whoever_is_disabled_or_has_no_address_gets_none(
    digests: Digests, store: Store, clock: Clock, sender_id: int, news: Make
) -> None:
    await digests.turn_on(sender_id, "en")
    for change, mend in (
        ("UPDATE sender SET enabled = false", "UPDATE sender SET enabled = true"),
        ("UPDATE sender_address SET address = '*@example.com'", ""),
    ):
        await news()
        await store.write(lambda c, sql=change: c.execute(text(sql)))
        clock.ms += 24 * HOUR
        assert await digests.due() == []
        if mend:
            await store.write(lambda c, sql=mend: c.execute(text(sql)))


@pytest.mark.parametrize(
    ("addresses", "login", "own"),
    [
        (["ana@example.com", "b@example.com"], "ana", "ana@example.com"),
        (["*@example.com", "b@example.com"], "ana", "b@example.com"),
        (["*@example.com"], "ana@example.org", "ana@example.org"),
        ([], "ana@example.org", "ana@example.org"),
        ([], "ana", None),
        ([], "an a@example.org", None),
        (["*@example.com"], "*@example.com", None),
    ],
)
def test_where_a_senders_own_mail_goes(addresses: list[str], login: str, own: str | None) -> None:
    assert own_address(addresses, login) == own


@given(
    st.integers(946_684_800_000, 2_145_830_400_000),  # up to 2037
    st.integers(0, 23),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_the_next_time_is_soon_and_at_the_hour(now_ms: int, hour: int, zone: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        at_ms = next_time(now_ms, hour)
        at = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    assert now_ms < at_ms <= now_ms + 25 * HOUR
    # The hour that is left out in spring comes one later.
    assert at.hour == hour or (at.hour - hour) % 24 == 1
    assert (at.minute, at.second) == (0, 0)
