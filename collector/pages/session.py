"""Who sits in front of the page: sign in, sign out, and the cookie between.

A session begins with a new cookie each time and ends with sign-out or after SESSION_SECONDS; the
store keeps only its hash. Before there is a session, a throw-away cookie binds the sign-in form
to the browser that asked for it.
"""

import math
import re
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from collector.attempts import Attempts
from collector.cookies import session_cookie, visit_cookie
from collector.errors import StoreUnavailable
from collector.keys import PRESENCE, SECURE_COOKIES, SENDERS
from collector.pages import forms, speech
from collector.pages.outage import Handler
from collector.pages.rendering import render, see_other
from collector.pages.speech import say, say_number
from collector.pages.wording import say_busy
from collector.passwords import PasswordsBusy
from collector.senders import Sender
from collector.tracking import find_client

SESSION_SECONDS = 14 * 86_400
VISIT_SECONDS = 3_600
SIGN_IN = "/sign-in"

ATTEMPTS = web.AppKey("ATTEMPTS", Attempts)
# A path of this site and nothing that a browser might read as another's: it takes "\\" for "/", and
# passes over tabs and line ends.
_OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")

SenderHandler = Callable[[web.Request, Sender], Awaitable[web.StreamResponse]]


def setup(app: web.Application) -> None:
    """Gives the application its memory of failed sign-ins."""
    app[ATTEMPTS] = Attempts()


def for_sender(handler: SenderHandler) -> Handler:
    """Lets only signed-in senders through: a page is sent to sign in, a script is told 401."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        sender = await who(request)
        if sender is None:
            return _ask_to_sign_in(request)
        speech.use(request, sender.language)
        presence = request.app[PRESENCE]
        presence.note(sender.id, find_client(request), "page")
        presence.note_session(request.cookies[session_cookie(request)], sender.id)
        return await handler(request, sender)

    return guarded


async def who(request: web.Request) -> Sender | None:
    """The sender whose session the browser holds, if it still stands."""
    token = request.cookies.get(session_cookie(request))
    return await request.app[SENDERS].session(token) if token else None


def form_token(request: web.Request) -> str:
    """What each form on a signed-in sender's page carries."""
    return forms.token(request.cookies.get(session_cookie(request), ""))


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields that a signed-in sender posted. Raises forms.ForeignForm."""
    return await forms.read_form(request, request.cookies.get(session_cookie(request)))


async def sign_in(request: web.Request, response: web.StreamResponse, sender_id: int) -> None:
    """Opens a session and hands its cookie to `response`; one that the browser had is closed."""
    await _close(request)
    agent = request.headers.get("User-Agent", "")
    token = await request.app[SENDERS].open_session(sender_id, SESSION_SECONDS, agent)
    _set_cookie(request, response, session_cookie(request), token, SESSION_SECONDS)


async def show_sign_in(request: web.Request) -> web.StreamResponse:
    """GET /sign-in"""
    if await who(request) is not None:
        return see_other(_next_page(request))
    return await _sign_in_page(request)


async def submit_sign_in(request: web.Request) -> web.StreamResponse:
    """POST /sign-in: `login` and `password` as for SMTP."""
    try:
        fields = await forms.read_form(request, request.cookies.get(visit_cookie(request)))
    except forms.ForeignForm:
        problem = say("This page was open for too long. Please try again.")
        return await _sign_in_page(request, status=403, problem=problem)
    login, password = fields.get("login", "").strip(), fields.get("password", "")
    try:
        sender = await check_password(request, login, password)
    except TooManyTries as tries:
        response = await _sign_in_page(request, status=429, login=login, problem=str(tries))
        response.headers["Retry-After"] = str(tries.seconds)
        return response
    except PasswordsBusy:
        problem = say_busy()
        return await _sign_in_page(request, status=503, login=login, problem=problem)
    if sender is None:
        problem = say(
            "That login and password do not match. They are the ones your mail client uses."
        )
        return await _sign_in_page(request, status=403, login=login, problem=problem)
    response = see_other(_next_page(request))
    await sign_in(request, response, sender.id)
    _drop_cookie(request, response, visit_cookie(request))
    return response


async def check_password(request: web.Request, login: str, password: str) -> Sender | None:
    """The sender whose login and password these are. Who guesses waits, as at the relay.

    Raises TooManyTries, PasswordsBusy.
    """
    attempts, peer = request.app[ATTEMPTS], str(find_client(request))
    if wait := attempts.wait(peer, login):
        raise TooManyTries(math.ceil(wait))
    # Counted before the check, so that many tries at once gain nothing.
    attempts.fail(peer, login)
    try:
        sender = await request.app[SENDERS].authenticate(login, password)
    except (PasswordsBusy, StoreUnavailable):
        attempts.excuse(peer, login)
        raise
    if sender is not None:
        attempts.excuse(peer, login)
        attempts.succeed(peer, login)
    return sender


class TooManyTries(Exception):  # noqa: N818 - named for what happened
    """A password that was not looked at, since others were wrong; `seconds` until one will be."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(
            say_number(
                "Too many failed tries. Wait %(number)s second, then try again.",
                "Too many failed tries. Wait %(number)s seconds, then try again.",
                seconds,
            )
        )


async def submit_sign_out(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /sign-out"""
    await read_form(request)
    return await sign_out(request)


async def sign_out(request: web.Request) -> web.StreamResponse:
    """Ends the browser's session and shows it the door."""
    await _close(request)
    response = see_other(SIGN_IN)
    _drop_cookie(request, response, session_cookie(request))
    return response


async def _sign_in_page(
    request: web.Request, *, status: int = 200, login: str = "", problem: str = ""
) -> web.Response:
    visit = request.cookies.get(visit_cookie(request)) or secrets.token_urlsafe(16)
    response = await render(
        request,
        "sign_in.html",
        status=status,
        form_token=forms.token(visit),
        login=login,
        problem=problem,
        next_page=_next_page(request),
    )
    _set_cookie(request, response, visit_cookie(request), visit, VISIT_SECONDS)
    return response


async def _close(request: web.Request) -> None:
    if token := request.cookies.get(session_cookie(request)):
        request.app[PRESENCE].forget_session(token)
        await request.app[SENDERS].close_session(token)


def _ask_to_sign_in(request: web.Request) -> web.Response:
    if request.method != "GET" or "HX-Request" in request.headers:
        return web.Response(
            status=401, text=say("Signed out: open the page again to sign in.") + "\n"
        )
    if request.path == "/":
        return see_other(SIGN_IN)
    return see_other(str(request.rel_url.with_path(SIGN_IN).with_query(next=request.path_qs)))


def _next_page(request: web.Request) -> str:
    """Where to go after signing in: a path of this site, never another site."""
    path = request.query.get("next", "/")
    return path if _OWN_PATH.fullmatch(path) else "/"


def _set_cookie(
    request: web.Request, response: web.StreamResponse, name: str, value: str, seconds: int
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=request.app[SECURE_COOKIES],
    )


def _drop_cookie(request: web.Request, response: web.StreamResponse, name: str) -> None:
    # As it was set, or a browser holds on to one whose name begins with __Host-.
    _set_cookie(request, response, name, "", 0)
