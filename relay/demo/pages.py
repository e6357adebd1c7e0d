"""The demo's page: the sender on the left, the recipient's inbox on the right.

The left half is made of the same parts as the sender's own pages. The right half stands for a mail
program: it shows the letter in a frame that can do nothing but show, and images wait to be asked.
"""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from aiohttp_sse import EventSourceResponse

from collector.feed import News
from collector.keys import SENDERS
from collector.pages import NAVIGATION
from collector.pages.assets import Assets
from collector.pages.live import send_part, serve
from collector.pages.mails import read_list
from collector.pages.rendering import header, render, see_other
from collector.pages.session import for_sender, form_token, read_form, sign_in
from collector.senders import Sender
from relay.demo import letter, submission
from relay.demo.blocking import without_images
from relay.demo.difference import Piece, compare, fold
from relay.demo.inbox import READER, Delivered
from relay.demo.state import DEMO, LANDING, LOGIN, NAME, RECIPIENT, Demo

HERE = Path(__file__).parent
ASSETS = web.AppKey("DEMO_ASSETS", Assets)
STATIC = "/demo/static/"
_EMPTY = {"to": "", "subject": "", "text": ""}
SHOWN_SOURCE = 100_000  # octets of a mail's source; more would not be read anyway

SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
LETTER_POLICY = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",  # the letter's own; it stands alone in its frame
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'self'",
    "sandbox": SANDBOX,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail open in the recipient's mail program; `view` is "letter" or "changes"."""

    mail: Delivered
    view: str
    images: bool
    known: bool  # whether we saw it as it was sent
    pieces: tuple[Piece, ...]


def setup(app: web.Application, demo: Demo) -> None:
    """Adds the demo to the collector's application, before it starts."""
    app[DEMO] = demo
    app[ASSETS] = Assets(HERE / "static", STATIC)
    environment = aiohttp_jinja2.get_env(app)
    assert isinstance(environment.loader, jinja2.ChoiceLoader)
    environment.loader = jinja2.ChoiceLoader(
        [*environment.loader.loaders, jinja2.FileSystemLoader(HERE / "templates")]
    )
    environment.globals["demo_asset"] = app[ASSETS].url
    environment.globals["sandbox"] = SANDBOX
    environment.globals["navigation"] = (("demo", "/demo", "Demo"), *NAVIGATION)
    app.add_routes(routes())


def routes() -> list[web.RouteDef]:
    """Every address of the demo."""
    return [
        web.get("/demo", for_sender(show_demo)),
        web.get("/demo/enter/{one_time}", enter),
        web.post("/demo/letters", for_sender(submit_letter)),
        web.get("/demo/live", for_sender(stream_inbox), allow_head=False),
        web.get(r"/demo/inbox/{number:\d{1,9}}", for_sender(show_mail)),
        web.get(r"/demo/inbox/{number:\d{1,9}}/letter", for_sender(show_letter)),
        web.get(LANDING + "/picture.svg", send_picture),
        web.get(LANDING + "/{page}", show_landing),
        web.get(STATIC + "{name:.+}", _serve_asset),
    ]


async def enter(request: web.Request) -> web.StreamResponse:
    """GET /demo/enter/ONE_TIME: signs in, once."""
    demo = request.app[DEMO]
    given, expected = request.match_info["one_time"], demo.one_time or ""
    response = see_other("/demo")
    if expected and secrets.compare_digest(given.encode(), expected.encode()):
        demo.one_time = None
        await sign_in(request, response, demo.sender_id)
    # A used address falls through to /demo, which asks those to sign in who are not.
    return response


async def show_demo(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /demo?mail=N&view=…: both halves; the mail N is open on the right."""
    return await _page(request, sender)


async def submit_letter(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /demo/letters: keeps the toggles, then sends the letter through the relay by SMTP."""
    fields = await read_form(request)
    demo = request.app[DEMO]
    sender = await request.app[SENDERS].set_tracking(
        sender.id, opens="opens" in fields, clicks="clicks" in fields
    )
    try:
        written = letter.write(
            sender=LOGIN,
            name=NAME,
            to=fields.get("to", ""),
            subject=fields.get("subject", ""),
            text=fields.get("text", ""),
            picture=f"{demo.recipient_site}/picture.svg",
        )
        answer = await submission.submit(demo, written)
    except (letter.LetterError, submission.SubmissionError) as error:
        return await _answer(request, sender, fields, str(error), taken=False)
    return await _answer(request, sender, fields, answer, taken=True)


async def show_mail(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /demo/inbox/N?view=…: the reading pane alone; a whole page where htmx did not ask."""
    if "HX-Request" not in request.headers:
        query = {**request.query, "mail": request.match_info["number"]}
        return see_other(str(request.rel_url.with_path("/demo").with_query(query)))
    mail = _mail(request, request.match_info["number"])
    if mail is None:
        raise web.HTTPNotFound
    return await render(request, "demo/reading.html", reading=await _read(request, mail))


async def show_letter(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /demo/inbox/N/letter?images: the mail's body as a mail program shows it, for a frame."""
    mail = _mail(request, request.match_info["number"])
    if mail is None:
        raise web.HTTPNotFound
    kind, text = mail.body()
    images = "http: https: data:"
    if "images" not in request.query:
        images, text = "data:", without_images(text) if kind == "html" else text
    return web.Response(
        text=await aiohttp_jinja2.render_string_async(
            "demo/letter.html", request, {"kind": kind, "text": text}
        ),
        content_type="text/html",
        headers={
            "Content-Security-Policy": header(LETTER_POLICY | {"img-src": images}),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def stream_inbox(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /demo/live: keeps the inbox as it is now; opens the newest mail while none is open."""
    inbox = request.app[DEMO].inbox

    async def pump(stream: EventSourceResponse, news: News) -> None:
        while True:
            mails = inbox.mails
            reading = await _read(request, mails[0]) if mails else None
            await send_part(request, stream, "demo/live.html", mails=mails, reading=reading)
            await news.get()

    return await serve(request, inbox.feed, READER, pump)


async def send_picture(request: web.Request) -> web.StreamResponse:
    """GET /demo/landing/picture.svg: the picture in the letter."""
    return web.FileResponse(HERE / "static" / "picture.svg")


async def show_landing(request: web.Request) -> web.StreamResponse:
    """GET /demo/landing/PAGE: where the letter's links lead."""
    return await render(request, "demo/landing.html", page=request.match_info["page"])


async def _answer(
    request: web.Request, sender: Sender, fields: dict[str, str], words: str, *, taken: bool
) -> web.StreamResponse:
    if "HX-Request" in request.headers:
        return await render(request, "demo/answer.html", words=words, taken=taken)
    return await _page(request, sender, fields=fields, words=words, taken=taken)


async def _page(
    request: web.Request,
    sender: Sender,
    *,
    fields: dict[str, str] | None = None,
    words: str = "",
    taken: bool = True,
) -> web.Response:
    demo = request.app[DEMO]
    mails = demo.inbox.mails
    mail = _mail(request, request.query.get("mail", "")) or (mails[0] if mails else None)
    return await render(
        request,
        "demo/demo.html",
        policy={"frame-src": "'self'"},
        sender=sender,
        form_token=form_token(request),
        page=await read_list(request, sender),
        demo=demo,
        login=LOGIN,
        recipient=RECIPIENT,
        fields=_EMPTY | fields if fields else _sample(demo),
        words=words,
        taken=taken,
        mails=mails,
        reading=await _read(request, mail) if mail else None,
    )


def _sample(demo: Demo) -> dict[str, str]:
    text = letter.TEXT.format(site=demo.recipient_site)
    return {"to": RECIPIENT, "subject": letter.SUBJECT, "text": text}


async def _read(request: web.Request, mail: Delivered) -> Reading:
    view = request.query.get("view", "letter")
    before = request.app[DEMO].submitted.get(mail.message_id)
    pieces: tuple[Piece, ...] = ()
    if view == "changes":
        pieces = await asyncio.to_thread(_compare, before or mail.source, mail.source)
    return Reading(mail, view, "images" in request.query, before is not None, pieces)


def _compare(before: bytes, after: bytes) -> tuple[Piece, ...]:
    return fold(compare(_as_text(before), _as_text(after)))


def _as_text(source: bytes) -> str:
    shown = source[:SHOWN_SOURCE].replace(b"\r\n", b"\n")
    return shown.decode("utf-8", "backslashreplace")


def _mail(request: web.Request, number: str) -> Delivered | None:
    return request.app[DEMO].inbox.get(int(number)) if number.isdecimal() else None


async def _serve_asset(request: web.Request) -> web.StreamResponse:
    return await request.app[ASSETS].serve(request)
