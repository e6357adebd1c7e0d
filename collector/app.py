"""The HTTP side in one view: its routes, its parts, its limits."""

from collections.abc import Callable
from importlib.metadata import version

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from collector import keys, pages
from collector.client import Networks, within
from collector.errors import StoreUnavailable
from collector.feed import Feed
from collector.recorder import Recorder
from collector.senders import Senders
from collector.stats import Stats
from collector.store import Store
from collector.tokens import MAX_TOKEN, Tokens
from collector.tracking import find_client, follow_link, send_pixel, send_robots

# A client has this long to send a request's head, the first one or a later one.
HEAD_SECONDS = 10.0

_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


def routes() -> list[web.RouteDef]:
    """Every address of the collector, but for the sender's pages, which pages/ lists itself."""
    return [
        web.get("/o/{token}", send_pixel),
        web.get("/c/{token}", follow_link),
        web.get("/robots.txt", send_robots),
        web.get("/health", send_health),
        web.get("/metrics", send_metrics),
    ]


def build_app(
    *,
    store: Store,
    senders: Senders,
    tokens: Tokens,
    recorder: Recorder,
    stats: Stats,
    feed: Feed,
    read_label: Callable[[str], str],
    public_url: str,
    trusted_proxies: Networks,
    metrics_from: Networks,
    secure_cookies: bool,
) -> web.Application:
    """The application over its parts, which stay their maker's to close."""
    app = web.Application()
    app[keys.STORE] = store
    app[keys.SENDERS] = senders
    app[keys.TOKENS] = tokens
    app[keys.RECORDER] = recorder
    app[keys.STATS] = stats
    app[keys.FEED] = feed
    app[keys.READ_LABEL] = read_label
    app[keys.PUBLIC_URL] = public_url
    app[keys.TRUSTED_PROXIES] = trusted_proxies
    app[keys.METRICS_FROM] = metrics_from
    app[keys.SECURE_COOKIES] = secure_cookies
    pages.setup(app)
    app.add_routes([*routes(), *pages.routes()])
    app.on_response_prepare.append(_secure)
    return app


def build_runner(app: web.Application) -> web.AppRunner:
    """The server for it: no access log (paths hold tokens), long links, slow heads cut off."""
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=HEAD_SECONDS,
        max_line_size=MAX_TOKEN + 1_000,
    )


async def send_health(request: web.Request) -> web.Response:
    """200 when the store takes writes, else 503; JSON."""
    store, status = "ok", 200
    try:
        await request.app[keys.STORE].check()
    except StoreUnavailable:
        store, status = "unavailable", 503
    return web.json_response({"store": store, "version": version("letterbell")}, status=status)


async def send_metrics(request: web.Request) -> web.Response:
    """Prometheus' format for the networks that may see it; for others there is no such page."""
    if not within(find_client(request), request.app[keys.METRICS_FROM]):
        raise web.HTTPNotFound
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
