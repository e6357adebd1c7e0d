"""The sender's pages: HTML rendered here, kept live by htmx and server-sent events. And the one for
recipients, `notice`, which needs neither.

`setup` before the application starts, `routes` into its table. Handlers by feature: `session`,
`messages`, `settings`, `destinations`, `bell`, `atom`, `live`; what they say is in `wording`,
`marks`, `timeline`, `recipients` and `durations`, which are pure; in which language, `speech`
knows, of those in `languages`. `telling` has the words for what leaves the house.
"""

from datetime import UTC, datetime
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from collector.pages import (
    atom,
    bell,
    destinations,
    live,
    messages,
    notice,
    session,
    settings,
    speech,
)
from collector.pages.assets import Assets
from collector.pages.outage import Handler, told
from collector.pages.session import SenderHandler, for_sender
from collector.pages.speech import spoken

HERE = Path(__file__).parent
ASSETS = web.AppKey("ASSETS", Assets)
STATIC = "/static/"
# The pages in the bar: name, address, title.
NAVIGATION = (("mail", "/", "Mail"), ("settings", "/settings", "Settings"))


def setup(app: web.Application) -> None:
    """Gives the application its templates and static files, its memory of sign-ins and streams."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(HERE / "templates")]),
        enable_async=True,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app[ASSETS] = Assets(HERE / "static", STATIC)
    environment.filters["badge"] = bell.say_badge
    environment.globals["asset"] = app[ASSETS].url
    environment.globals["navigation"] = NAVIGATION
    environment.filters["iso"] = _iso
    environment.filters["plain_time"] = _plain_time
    speech.setup(app, environment)
    session.setup(app)
    destinations.setup(app)
    live.setup(app)
    notice.setup(app)


def routes() -> list[web.RouteDef]:
    """Every address of the sender's pages, and of the one for recipients."""
    return [
        *notice.routes(),
        web.get("/", _page(messages.show_list)),
        web.get(r"/mail/{message_id:\d+}", _page(messages.show_message)),
        web.post(r"/mail/{message_id:\d+}/stop", _page(messages.submit_stop)),
        web.post(r"/mail/{message_id:\d+}/erase", _page(messages.submit_erase)),
        web.get("/settings", _page(settings.show_settings)),
        web.post("/settings", _page(settings.submit_settings)),
        *(web.route(way, path, _page(each)) for way, path, each in destinations.routes()),
        web.get(atom.FEED, atom.send_feed),
        web.get("/bell", _page(bell.show_bell)),
        web.get("/bell/recent", _page(bell.show_recent)),
        web.post("/bell/read", _page(bell.submit_read)),
        web.get("/live/bell", _page(live.stream_bell), allow_head=False),
        web.get("/live", _page(live.stream_list), allow_head=False),
        web.get(r"/live/{message_id:\d+}", _page(live.stream_message), allow_head=False),
        web.get(session.SIGN_IN, spoken(told(session.show_sign_in))),
        web.post(session.SIGN_IN, spoken(told(session.submit_sign_in))),
        web.post("/sign-out", _page(session.submit_sign_out)),
        web.get(STATIC + "{name:.+}", _serve_asset),
    ]


def _page(handler: SenderHandler) -> Handler:
    return spoken(told(for_sender(handler)))


async def _serve_asset(request: web.Request) -> web.StreamResponse:
    return await request.app[ASSETS].serve(request)


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _plain_time(milliseconds: int) -> str:
    """For browsers without scripts; the others show the moment in the reader's own time zone."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%-d %b %Y, %H:%M UTC")
