"""Live updates: each open page hears of its sender's hits and mails by server-sent events.

A stream subscribes first and then sends what the page shows now: nothing between the page's
rendering and its subscription is lost, nor while a browser had paused a tab. Each event is ready
HTML that htmx morphs into the page.

Browsers allow six connections to a site, so a page has one stream for all it shows: what rings its
header's bell comes between its own events, or alone on a page that has none.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from weakref import WeakSet

from aiohttp import web
from aiohttp_jinja2 import render_string_async
from aiohttp_sse import EventSourceResponse, sse_response

from collector.errors import StoreUnavailable
from collector.feed import BELL, Feed, News
from collector.keys import FEED, NOTIFICATIONS, STATS
from collector.pages.bell import read_page
from collector.pages.mails import ListView, MailView, read_id, read_list, renew_list
from collector.pages.messages import read_asked, read_message
from collector.pages.narrowing import read_narrowing
from collector.pages.session import form_token, who
from collector.senders import Sender

# How long news is gathered before it is sent, so that a burst is one update.
GATHER_SECONDS = 0.05
# The same for the bell: a mailing that is being opened need not be counted twenty times a second.
BELL_SECONDS = 0.3

STREAMS: web.AppKey[WeakSet[EventSourceResponse]] = web.AppKey("STREAMS")

Pump = Callable[[EventSourceResponse, News], Awaitable[None]]


def setup(app: web.Application) -> None:
    """Has open streams end when the application stops, so that it does not wait for them."""
    app[STREAMS] = WeakSet()
    app.on_shutdown.append(_end_streams)


async def stream_list(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /live with the parameters of a list: keeps its rows as they are now, lets mails leave
    that do not match any more, and join that do. With `paged` also its link to older ones."""
    narrowing = read_narrowing(request.query)
    before = read_id(request.query.get("before"))
    paged = "paged" in request.query

    async def pump(stream: EventSourceResponse, news: News) -> None:
        page = await read_list(request, sender, narrowing, before=before)
        await _send_list(request, stream, page, with_paging=paged)
        while True:
            changed = await _gather(news)
            if await who(request) is None:
                return
            was, page = page, await renew_list(request, sender, page, changed)
            if page.ids != was.ids:
                moved = page.older != was.older
                await _send_list(request, stream, page, with_paging=paged and moved)
                continue
            for mail in page.mails:
                if mail.row.message_id in changed:
                    await _send_row(request, stream, mail)

    return await serve(request, request.app[FEED], sender.id, pump, ring(request, sender))


async def stream_message(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /live/ID?all&recipient=N: keeps one mail's page as it is now."""
    message_id, asked = read_id(request.match_info["message_id"]), read_asked(request)

    async def pump(stream: EventSourceResponse, news: News) -> None:
        while view := await read_message(request, sender, message_id, asked):
            await send_part(request, stream, "live/message.html", view=view)
            while message_id not in await _gather(news):
                pass
            if await who(request) is None:
                return

    if message_id is None or not await request.app[STATS].has(sender.id, message_id):
        raise web.HTTPNotFound
    return await serve(request, request.app[FEED], sender.id, pump, ring(request, sender))


async def stream_bell(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /live/bell: the header's bell alone; with `list` the newest notifications' page, too."""
    if "list" not in request.query:
        return await serve(request, request.app[FEED], sender.id, ring(request, sender))

    async def pump(stream: EventSourceResponse, news: News) -> None:
        while True:
            page = await read_page(request, sender, None)
            token = form_token(request)
            await send_part(request, stream, "live/notes.html", page=page, form_token=token)
            await _gather(news, BELL_SECONDS)
            if await who(request) is None:
                return

    pumps = (pump, ring(request, sender))
    return await serve(request, request.app[FEED], sender.id, *pumps)


def ring(request: web.Request, sender: Sender) -> Pump:
    """Keeps the bell in a page's header as it is now; for a page's stream beside its own pump."""

    async def pump(stream: EventSourceResponse, news: News) -> None:
        told: int | None = None
        while True:
            unread = await request.app[NOTIFICATIONS].unread(sender.id)
            if unread != told:
                await send_part(request, stream, "live/bell.html", unread=unread)
            told = unread
            await _gather(news, BELL_SECONDS)
            if await who(request) is None:
                return

    return pump


async def serve(
    request: web.Request, feed: Feed, subscriber_id: int, *pumps: Pump
) -> web.StreamResponse:
    """Runs `pumps` over a new stream until one ends, the browser leaves or the application stops.

    Each has news of its own.
    """
    async with AsyncExitStack() as stack:
        news = [await stack.enter_async_context(feed.subscribe(subscriber_id)) for _ in pumps]
        stream = await stack.enter_async_context(sse_response(request))
        request.app[STREAMS].add(stream)
        pumping = [
            asyncio.ensure_future(pump(stream, own)) for pump, own in zip(pumps, news, strict=True)
        ]
        gone = asyncio.ensure_future(stream.wait())
        try:
            await asyncio.wait({*pumping, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (*pumping, gone):
                each.cancel()
            await asyncio.wait({*pumping, gone})
        for each in pumping:
            if not each.cancelled():
                # The browser left in the middle of an event, or the store is away: it comes again.
                with suppress(ConnectionError, StoreUnavailable):
                    each.result()
    return stream


async def send_part(
    request: web.Request, stream: EventSourceResponse, template: str, **context: object
) -> None:
    """Sends one event: the HTML of `template`, made of <hx-partial> elements."""
    await stream.send(await render_string_async(template, request, context))


async def _send_list(
    request: web.Request, stream: EventSourceResponse, page: ListView, *, with_paging: bool
) -> None:
    await send_part(request, stream, "live/list.html", page=page, with_paging=with_paging)


async def _send_row(request: web.Request, stream: EventSourceResponse, mail: MailView) -> None:
    await send_part(request, stream, "live/row.html", mail=mail)


async def _gather(news: News, seconds: float = GATHER_SECONDS) -> set[int]:
    """The ids of changed messages: waits for news, then takes what else comes in a moment.

    There are none where notifications were read.
    """
    changed = {await news.get()}
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                changed.add(await news.get())
    return changed - {BELL}


async def _end_streams(app: web.Application) -> None:
    for stream in app[STREAMS]:
        stream.stop_streaming()
