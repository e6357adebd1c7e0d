"""GET /feed/TOKEN.atom: a sender's notifications for a feed reader, which has no cookies."""

import structlog
from aiohttp import web

from collector.errors import StoreUnavailable
from collector.keys import OUTWARD, PUBLIC_URL
from collector.outward.feeds import etag, write_feed

log = structlog.get_logger()
FEED = r"/feed/{token:[A-Za-z0-9_-]{1,100}}.atom"


async def send_feed(request: web.Request) -> web.StreamResponse:
    """The feed, or 304 where the reader has it as it is. Whatever opens nothing gets one answer."""
    outward = request.app[OUTWARD]
    token = request.match_info["token"]
    try:
        feed = await outward.feeds.open(token) if outward else None
    except StoreUnavailable as outage:  # told here, as the path is secret
        log.warning("a feed without store", reason=outage.reason)
        return web.Response(status=503, headers={"Retry-After": "60"})
    if outward is None or feed is None:
        raise web.HTTPNotFound
    public_url = request.app[PUBLIC_URL]
    octets = write_feed(
        feed,
        address=f"{public_url}/feed/{token}.atom",
        public_url=public_url,
        title=outward.teller.title(feed.language),
        headline=lambda news: outward.teller.headline(news, feed.language),
    )
    tag = etag(octets)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex"}
    if _has(request.headers.getall("If-None-Match", []), tag):
        return web.Response(status=304, headers=headers)
    return web.Response(
        body=octets, headers={**headers, "Content-Type": "application/atom+xml; charset=utf-8"}
    )


def _has(said: list[str], tag: str) -> bool:
    """RFC 9110 §13.1.2: weakly compared."""
    known = {each.strip().removeprefix("W/") for line in said for each in line.split(",")}
    return tag in known or "*" in known
