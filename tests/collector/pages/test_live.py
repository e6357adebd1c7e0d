"""Server-sent events: at once, one's own only, nothing lost, nothing left open."""

import asyncio

import pytest

from collector.erasing import erase
from collector.notifications import Notifications
from collector.pages import mails

BELL = 'hx-target="#bell"'
NONE, ONE = 'data-unread=""', 'data-unread="1"'


class Stream:
    """The events of one open page."""

    def __init__(self, response) -> None:
        self._response = response

    async def next(self) -> str:
        """The data of the next event of the page's own."""
        while BELL in (event := await self.event()):
            pass
        return event

    async def bell(self, says: str) -> str:
        """The next event of the bell that says so."""
        while BELL not in (event := await self.event()) or says not in event:
            pass
        return event

    async def event(self) -> str:
        """The data of the next event; pings are passed over."""
        lines: list[str] = []
        async with asyncio.timeout(10):
            while True:
                line = (await self._response.content.readline()).decode().rstrip("\r\n")
                if line.startswith("data: "):
                    lines.append(line.removeprefix("data: "))
                elif not line and lines:
                    return "\n".join(lines)

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            return await self._response.content.read() == b""


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    return browser


@pytest.fixture
async def listen(signed_in):
    """`await listen("/live")`: the open stream."""
    opened = []

    async def open_stream(path: str, browser=signed_in) -> Stream:
        response = await browser.session.get(browser.url + path)
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        opened.append(response)
        return Stream(response)

    yield open_stream
    for response in opened:
        response.close()


async def test_begins_with_what_the_page_shows_now(site, ana, listen) -> None:
    mail = await site.add_mail(ana, "Already there")
    first = await (await listen("/live")).next()
    assert 'hx-target="#mails"' in first
    assert f'id="mail-{mail}"' in first


async def test_a_hit_changes_its_row_and_no_other(site, ana, listen) -> None:
    mail = await site.add_mail(ana, "Watched")
    other = await site.add_mail(ana, "Another")
    stream = await listen("/live")
    await stream.next()
    await site.hit(ana, mail, "open")
    event = await stream.next()
    assert f'hx-target="#mail-{mail}" hx-swap="outerMorph"' in event
    assert 'data-state="hit"' in event
    assert str(other) not in event


async def test_a_new_mail_joins_the_newest_page(site, ana, listen) -> None:
    stream = await listen("/live")
    await stream.next()
    mail = await site.add_mail(ana, "Just sent")
    event = await stream.next()
    assert 'hx-target="#mails"' in event
    assert f'id="mail-{mail}"' in event
    await site.hit(ana, mail, "click", link=0)
    assert f'hx-target="#mail-{mail}"' in await stream.next()


async def test_an_older_page_keeps_to_its_own_rows(site, ana, listen, monkeypatch) -> None:
    monkeypatch.setattr(mails, "PAGE", 1)
    old, new = await site.add_mail(ana, "Old"), await site.add_mail(ana, "New")
    stream = await listen(f"/live?before={new}")
    assert f'id="mail-{old}"' in await stream.next()
    await site.hit(ana, new, "open")
    await site.add_mail(ana, "Newest")
    await site.hit(ana, old, "open")
    assert f'hx-target="#mail-{old}"' in await stream.next()


async def test_a_mail_leaves_when_it_matches_no_more_and_joins_when_it_does(
    site, ana, listen
) -> None:
    mail, other = await site.add_mail(ana, "Watched"), await site.add_mail(ana, "Another")
    waiting, opened = await listen("/live?opened=no"), await listen("/live?opened=yes")
    first = await waiting.next()
    assert f'id="mail-{mail}"' in first
    assert f'id="mail-{other}"' in first
    assert "mail-" not in await opened.next()
    await site.hit(ana, mail, "open")
    for stream, here, gone in ((waiting, other, mail), (opened, mail, other)):
        event = await stream.next()
        assert 'hx-target="#mails"' in event
        assert f'id="mail-{here}"' in event
        assert f"mail-{gone}" not in event
    await site.hit(ana, mail, "click", link=0)
    assert f'hx-target="#mail-{mail}"' in await opened.next()


async def test_what_does_not_match_is_not_heard_of(site, ana, listen) -> None:
    stream = await listen("/live?q=quote")
    await stream.next()
    other = await site.add_mail(ana, "Invoice")
    await site.hit(ana, other, "open")
    mail = await site.add_mail(ana, "Your quote")
    event = await stream.next()
    assert f'id="mail-{mail}"' in event
    assert str(other) not in event


async def test_a_full_page_moves_its_link_to_older_mail(site, ana, listen, monkeypatch) -> None:
    monkeypatch.setattr(mails, "PAGE", 2)
    oldest, old = await site.add_mail(ana, "Oldest"), await site.add_mail(ana, "Old")
    paged, bare = await listen("/live?paged=yes"), await listen("/live")
    assert 'hx-target="#paging"' in await paged.next()
    assert "paging" not in await bare.next()
    new = await site.add_mail(ana, "New")
    event = await paged.next()
    assert f"mail-{oldest}" not in event
    assert f'href="/?before={old}"' in event
    assert "paging" not in await bare.next()
    # One that leaves makes no room for older ones: their page begins where it did.
    for gone, left in ((new, old), (old, None)):
        await erase(site.store, ana.id, gone)
        site.feed.publish(ana.id, gone)
        event = await paged.next()
        assert f"mail-{gone}" not in event
        assert f"mail-{oldest}" not in event
        assert left is None or f'id="mail-{left}"' in event


async def test_an_erased_mail_leaves_the_list(site, ana, listen) -> None:
    gone, other = await site.add_mail(ana), await site.add_mail(ana)
    stream = await listen("/live")
    assert f'id="mail-{gone}"' in await stream.next()
    await erase(site.store, ana.id, gone)
    site.feed.publish(ana.id, gone)
    event = await stream.next()
    assert 'hx-target="#mails"' in event
    assert f'id="mail-{other}"' in event
    assert str(gone) not in event


async def test_one_mails_page_follows_its_story(site, ana, listen) -> None:
    mail, other = await site.add_mail(ana), await site.add_mail(ana)
    stream = await listen(f"/live/{mail}")
    assert "Not opened yet" in await stream.next()
    await site.hit(ana, other, "open")
    await site.hit(ana, mail, "open")
    event = await stream.next()
    assert 'hx-target="#story"' in event
    assert 'hx-target="#known"' in event
    assert "likely a person" in event


async def test_one_copys_page_follows_that_copy(site, ana, listen) -> None:
    mail = await site.add_mail(ana, recipients=("a@x.org", "b@x.org"), per_recipient=True)
    stream = await listen(f"/live/{mail}?recipient=2")
    assert "Only the copy of b@x.org." in await stream.next()
    await site.hit(ana, mail, "open", recipient=1)
    assert '<p class="what">Opened' not in await stream.next()
    await site.hit(ana, mail, "open", recipient=2)
    assert '<p class="what">Opened' in await stream.next()


async def test_every_open_page_hears_of_it(site, ana, listen) -> None:
    mail = await site.add_mail(ana)
    streams = [await listen("/live"), await listen("/live"), await listen(f"/live/{mail}")]
    for stream in streams:
        await stream.next()
    await site.hit(ana, mail, "open")
    for stream in streams:
        assert 'data-state="hit"' in await stream.next()


async def test_another_sender_hears_nothing(site, ana, eve, listen, open_browser) -> None:
    mail = await site.add_mail(ana, "A secret of Ana's")
    other = await open_browser()
    await other.be(site, eve)
    assert (await other.get(f"/live/{mail}")).status == 404
    stream = await listen("/live", other)
    assert "secret" not in await stream.next()
    await site.hit(ana, mail, "open")
    own = await site.add_mail(eve, "Eve's own")
    event = await stream.next()  # the first thing heard is one's own
    assert f'id="mail-{own}"' in event
    assert str(mail) not in event


async def test_ends_with_the_session(site, ana, signed_in, listen) -> None:
    mail = await site.add_mail(ana)
    stream = await listen("/live")
    for _ in range(2):  # the list's, and the bell's
        await stream.event()
    await site.senders.close_session(signed_in.cookie())
    await site.hit(ana, mail, "open")
    assert await stream.ended()


@pytest.mark.parametrize("path", ["/live", "/live/{mail}", "/live/bell", "/live/bell?list"])
async def test_the_bell_rings_in_each_pages_one_stream(site, ana, listen, path: str) -> None:
    mail = await site.add_mail(ana, "Rung for")
    stream = await listen(path.format(mail=mail))
    await stream.bell(NONE)
    await site.hit(ana, mail, "open")
    await stream.bell(ONE)
    await Notifications(site.store, site.feed).mark_all(ana.id)
    await stream.bell(NONE)


async def test_the_bells_page_is_live(site, ana, listen) -> None:
    stream = await listen("/live/bell?list")
    assert "No notifications yet" in await stream.next()
    mail = await site.add_mail(ana, "Rung for")
    await site.hit(ana, mail, "open")
    while "Rung for" not in await stream.next():
        pass


async def test_the_bell_says_nothing_twice(site, ana, listen) -> None:
    stream = await listen("/live/bell")
    await stream.bell(NONE)
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open", verdict="scanner", rule="safe-links")
    await site.hit(ana, mail, "click", link=0)
    # The next thing that it says is news.
    assert ONE in await stream.event()


async def test_the_bell_of_another_is_silent(site, ana, eve, listen, open_browser) -> None:
    other = await open_browser()
    await other.be(site, eve)
    stream = await listen("/live/bell", other)
    await stream.bell(NONE)
    await site.hit(ana, await site.add_mail(ana, "A secret of Ana's"), "open")
    await site.hit(eve, await site.add_mail(eve, "Eve's own"), "open")
    assert ONE in await stream.event()


async def test_a_burst_is_one_event(site, ana, listen) -> None:
    stream = await listen("/live")
    await stream.next()
    mails = [await site.add_mail(ana, f"Mail {number}") for number in range(5)]
    seen = ""
    while not all(f'id="mail-{mail}"' in seen for mail in mails):
        seen = await stream.next()
    assert seen.count("<hx-partial") == 1
