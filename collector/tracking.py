"""The two addresses that recipients' programs fetch: the pixel and the link.

Invariant: they always answer. A link leads where its signed token says, byte for byte, whatever
becomes of the store; nothing else in a request can lead anywhere. No answer is cached.
"""

import re
import time
from functools import lru_cache
from http import HTTPStatus

from aiohttp import web

from collector import metrics
from collector.answer import Answer, spell_head
from collector.client import Address, client_address
from collector.consent import Kind
from collector.cookies import session_cookie
from collector.hits import Hit
from collector.keys import PRESENCE, RECORDER, TOKENS, TRUSTED_PROXIES
from collector.store import storable

# A transparent GIF of one pixel, 43 bytes.
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
_PIXEL_HEAD = spell_head(
    HTTPStatus.OK,
    {
        "Content-Type": "image/gif",
        "Cache-Control": "no-store, max-age=0",
        "X-Robots-Tag": "noindex",
    },
)
_CLICK_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_CLICK_HEAD = spell_head(HTTPStatus.FOUND, _CLICK_HEADERS)
_NOT_FOUND = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">'
    "<title>Not found</title><h1>Not found</h1><p>There is nothing at this address. "
    "If you came by a link in a mail, it may have been cut short: try to copy all of it.</p></html>"
)
MAX_AGENT = 300
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PURPOSES = ("Purpose", "Sec-Purpose", "X-Moz")


async def send_pixel(request: web.Request) -> web.StreamResponse:
    """The GIF, always; an open if the token is one."""
    token = request.app[TOKENS].read_open(request.match_info["token"])
    if token is None:
        metrics.BAD_TOKENS.labels("open").inc()
    else:
        await _record(request, "open", token.message_id, token.recipient, None)
    return Answer(_PIXEL_HEAD, PIXEL)


async def follow_link(request: web.Request) -> web.StreamResponse:
    """302 to the address inside the token; a neutral 404 if the token is none of ours."""
    token = request.app[TOKENS].read_click(request.match_info["token"])
    if token is None:
        metrics.BAD_TOKENS.labels("click").inc()
        return web.Response(
            status=404, text=_NOT_FOUND, content_type="text/html", headers=_CLICK_HEADERS
        )
    await _record(request, "click", token.message_id, token.recipient, token.link)
    # As it was signed: printable ASCII, so no line of its own (tokens.py).
    return Answer(b"%bLocation: %b\r\n" % (_CLICK_HEAD, token.target))


async def send_robots(request: web.Request) -> web.Response:
    """No page of ours is for search engines."""
    return web.Response(text="User-agent: *\nDisallow: /\n")


def find_client(request: web.Request) -> Address | None:
    """The client's address, seen through the trusted proxies."""
    return client_address(
        request.remote,
        forwarded=request.headers.getall("Forwarded", ()),
        forwarded_for=request.headers.getall("X-Forwarded-For", ()),
        trusted=request.app[TRUSTED_PROXIES],
    )


async def _record(
    request: web.Request, kind: Kind, message_id: int, recipient: int, link: int | None
) -> None:
    headers = request.headers
    hit = Hit(
        kind=kind,
        message_id=message_id,
        recipient=recipient,
        link=link,
        at_ms=time.time_ns() // 1_000_000,
        method=request.method,
        agent=_storable_agent(headers.get("User-Agent", "")),
        purpose=" ".join(headers[name] for name in _PURPOSES if name in headers),
        address=find_client(request),
        session_of=_session_owner(request) if "Cookie" in headers else None,
    )
    await request.app[RECORDER].record(hit)


def _session_owner(request: web.Request) -> int | None:
    token = request.cookies.get(session_cookie(request))
    return request.app[PRESENCE].owner(token) if token else None


@lru_cache(maxsize=1_000)  # few programs make nearly all hits
def _storable_agent(text: str) -> str:
    return storable(_CONTROLS.sub(" ", text).strip()[:MAX_AGENT])
