"""What a person is told while the store is away: that mail goes on, and that trying again helps."""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from collector.errors import StoreUnavailable
from collector.pages.rendering import render

RETRY_SECONDS = 10

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()


def told(handler: Handler) -> Handler:
    """The handler, with a page in place of an outage."""

    async def telling(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StoreUnavailable as outage:
            log.warning("page without store", page=_page(request), reason=outage.reason)
            response = await render(request, "outage.html", status=503)
            response.headers["Retry-After"] = str(RETRY_SECONDS)
            return response

    return telling


def _page(request: web.Request) -> str:
    """Which page it is, without the tokens that stand in some addresses."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""
