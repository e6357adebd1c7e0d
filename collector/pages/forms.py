"""Only our own pages may post to us.

Two locks on every POST: what the browser says of where the form stood (Sec-Fetch-Site, else
Origin), and a token in the form that is bound to a cookie which another site can neither read nor
set.
"""

import asyncio
import hmac
from collections.abc import Mapping
from hashlib import blake2b
from urllib.parse import urlsplit

from aiohttp import web

from collector.pages.speech import say

FIELD = "form_token"
BODY_SECONDS = 30.0  # until what is posted has to be here


class ForeignForm(web.HTTPForbidden):
    """A POST that did not come from a page of ours, or from one that is too old."""

    def __init__(self) -> None:
        super().__init__(text=say("This page is too old: go back, reload it and try again.") + "\n")


def token(secret: str) -> str:
    """What a form carries for the browser that holds the cookie `secret`."""
    return blake2b(secret.encode(), digest_size=16, person=b"letterbell.form").hexdigest()


async def read_fields(request: web.Request) -> Mapping[str, object]:
    """What was posted. Raises HTTPRequestTimeout where it does not come: it holds a connection."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


async def read_form(request: web.Request, secret: str | None) -> dict[str, str]:
    """The posted text fields; `secret` is the cookie that the form is for. Raises ForeignForm."""
    if not is_from_here(request):
        raise ForeignForm
    fields = await read_fields(request)
    sent = fields.get(FIELD)
    if not secret or not isinstance(sent, str):
        raise ForeignForm
    if not hmac.compare_digest(sent.encode(), token(secret).encode()):
        raise ForeignForm
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def is_from_here(request: web.Request) -> bool:
    """Whether the form stood on a page of ours, by what the browser says of it."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    origin = request.headers.get("Origin")
    # The scheme is left out: behind a proxy that speaks TLS for us we do not see it.
    return origin is None or urlsplit(origin).netloc == request.host
