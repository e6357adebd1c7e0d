"""The HTTP side in one view: its routes, its parts, its limits."""

from collections.abc import Callable, Mapping
from importlib.metadata import version

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from collector import keys, pages
from collector.answer import SECURITY_HEADERS
from collector.api import site as api
from collector.client import Networks, within
from collector.consents import Consents
from collector.enrolment import ALL_ON, Enrolment
from collector.errors import StoreUnavailable
from collector.feed import Feed
from collector.logins import OURS, Logins
from collector.notifications import Notifications
from collector.outward.parts import Outward
from collector.presence import Presence
from collector.recorder import Recorder
from collector.retention import FOR_EVER, Retention
from collector.senders import Senders
from collector.servers import DEFAULT as UNSAID
from collector.servers import Servers
from collector.stats import Stats
from collector.store import Store
from collector.tokens import MAX_TOKEN, Tokens
from collector.tracking import find_client, follow_link, send_pixel, send_robots
from collector.waiting import MailQueue, NoQueue

# A client has this long to send a request's head, the first one or a later one.
HEAD_SECONDS = 10.0
# When the site stops, requests that run have so long to end, and so long again once cancelled.
STOP_SECONDS = 2.0


def routes() -> list[web.RouteDef]:
    """Every address of the collector, but for those that pages/ and api/ list themselves."""
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
    consents: Consents,
    tokens: Tokens,
    recorder: Recorder,
    stats: Stats,
    feed: Feed,
    read_label: Callable[[str], str],
    public_url: str,
    trusted_proxies: Networks,
    metrics_from: Networks,
    secure_cookies: bool,
    presence: Presence | None = None,
    retention: Retention | None = None,
    servers: Servers = UNSAID,
    sign_profile: Callable[[bytes], bytes] = bytes,
    logins: Logins = OURS,
    alarms: Callable[[], Mapping[str, str]] = dict,
    queue: MailQueue | None = None,
    enrolment: Enrolment = ALL_ON,
    outward: Outward | None = None,
) -> web.Application:
    """The application over its parts, which stay their maker's to close.

    `presence` is the recorder's, and is told where the pages are used from. `retention` and what
    the recorder keeps are what recipients are told of; `servers` is what mail programs are told to
    connect to. `sign_profile` puts the site's signature on a profile for Apple's devices; it may
    block. `logins` is what their own pages tell senders of passwords, `enrolment` what new ones
    begin with. `alarms` says what is wrong with the relay just now: what about, and the problem;
    `queue` is its mail that waits, if there is any. Without `outward` notifications stay in the
    house, and there is no page for where they go.
    """
    app = web.Application()
    app[keys.STORE] = store
    app[keys.SENDERS] = senders
    app[keys.CONSENTS] = consents
    app[keys.TOKENS] = tokens
    app[keys.RECORDER] = recorder
    app[keys.PRESENCE] = presence or Presence()
    app[keys.RETENTION] = retention or Retention(store, FOR_EVER)
    app[keys.STATS] = stats
    app[keys.FEED] = feed
    app[keys.NOTIFICATIONS] = Notifications(store, feed)
    app[keys.READ_LABEL] = read_label
    app[keys.PUBLIC_URL] = public_url
    app[keys.SERVERS] = servers
    app[keys.SIGN_PROFILE] = sign_profile
    app[keys.TRUSTED_PROXIES] = trusted_proxies
    app[keys.METRICS_FROM] = metrics_from
    app[keys.SECURE_COOKIES] = secure_cookies
    app[keys.LOGINS] = logins
    app[keys.ALARMS] = alarms
    app[keys.QUEUE] = queue or NoQueue()
    app[keys.ENROLMENT] = enrolment
    app[keys.OUTWARD] = outward
    pages.setup(app)
    api.setup(app)
    app.add_routes([*routes(), *pages.routes(), *api.routes()])
    app.on_response_prepare.append(_secure)
    return app


def build_runner(app: web.Application) -> web.AppRunner:
    """The server for it: no access log (paths hold tokens), long links, slow heads cut off."""
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=HEAD_SECONDS,
        shutdown_timeout=STOP_SECONDS,
        max_line_size=MAX_TOKEN + 1_000,
    )


async def send_health(request: web.Request) -> web.Response:
    """200 when the store takes writes, else 503; JSON. The relay's alarms, for those who may see
    metrics: it goes on with its work, so they are no 503."""
    store, status = "ok", 200
    try:
        await request.app[keys.STORE].check()
    except StoreUnavailable:
        store, status = "unavailable", 503
    told: dict[str, object] = {"store": store, "version": version("letterbell")}
    if within(find_client(request), request.app[keys.METRICS_FROM]):
        told["alarms"] = dict(request.app[keys.ALARMS]())
    return web.json_response(told, status=status)


async def send_metrics(request: web.Request) -> web.Response:
    """Prometheus' format for the networks that may see it; for others there is no such page."""
    if not within(find_client(request), request.app[keys.METRICS_FROM]):
        raise web.HTTPNotFound
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
