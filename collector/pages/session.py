"""Who sits in front of the page: sign in, sign out, and the cookie between.

A session begins with a new cookie each time and ends with sign-out or after SESSION_SECONDS; the
store keeps only its hash. Before there is a session, a throw-away cookie binds the sign-in form
to the browser that asked for it.
"""

import math
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from collector.cookies import session_cookie, visit_cookie
from collector.keys import PRESENCE, SECURE_COOKIES, SENDERS
from collector.pages import forms
from collector.pages.outage import Handler
from collector.pages.rendering import render, see_other
from collector.passwords import PasswordsBusy
from collector.senders import Sender, login_key
from collector.throttle import Throttle
from collector.tracking import find_client

SESSION_SECONDS = 14 * 86_400
VISIT_SECONDS = 3_600
SIGN_IN = "/sign-in"

BY_LOGIN = web.AppKey("BY_LOGIN", Throttle)
BY_ADDRESS = web.AppKey("BY_ADDRESS", Throttle)

SenderHandler = Callable[[web.Request, Sender], Awaitable[web.StreamResponse]]


def setup(app: web.Application) -> None:
    """Gives the application its memory of failed sign-ins."""
    app[BY_LOGIN] = Throttle(free=5)
    app[BY_ADDRESS] = Throttle(free=20)


def for_sender(handler: SenderHandler) -> Handler:
    """Lets only signed-in senders through: a page is sent to sign in, a script is told 401."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        sender = await who(request)
        if sender is None:
            return _ask_to_sign_in(request)
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
    token = await request.app[SENDERS].open_session(sender_id, SESSION_SECONDS)
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
        problem = "This page was open for too long. Please try again."
        return await _sign_in_page(request, status=403, problem=problem)
    login, password = fields.get("login", "").strip(), fields.get("password", "")
    address = str(find_client(request))
    by_login, by_address = request.app[BY_LOGIN], request.app[BY_ADDRESS]
    pair = (login_key(login), address)
    if wait := max(by_login.wait(pair), by_address.wait(address)):
        return await _throttled(request, login, wait)
    # Counted before the check, so that many tries at once gain nothing.
    by_login.fail(pair)
    by_address.fail(address)
    try:
        sender = await request.app[SENDERS].authenticate(login, password)
    except PasswordsBusy:
        by_login.excuse(pair)
        by_address.excuse(address)
        problem = "Too many people are signing in just now. Please try again in a moment."
        return await _sign_in_page(request, status=503, login=login, problem=problem)
    if sender is None:
        problem = "That login and password do not match. They are the ones your mail client uses."
        return await _sign_in_page(request, status=403, login=login, problem=problem)
    by_login.forgive(pair)
    by_address.forgive(address)
    response = see_other(_next_page(request))
    await sign_in(request, response, sender.id)
    response.del_cookie(visit_cookie(request), path="/")
    return response


async def submit_sign_out(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /sign-out"""
    await read_form(request)
    await _close(request)
    response = see_other(SIGN_IN)
    response.del_cookie(session_cookie(request), path="/")
    return response


async def _throttled(request: web.Request, login: str, wait: float) -> web.Response:
    seconds = math.ceil(wait)
    unit = "second" if seconds == 1 else "seconds"
    problem = f"Too many failed tries. Wait {seconds} {unit}, then try again."
    response = await _sign_in_page(request, status=429, login=login, problem=problem)
    response.headers["Retry-After"] = str(seconds)
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
        return web.Response(status=401, text="Signed out: open the page again to sign in.\n")
    if request.path == "/":
        return see_other(SIGN_IN)
    return see_other(str(request.rel_url.with_path(SIGN_IN).with_query(next=request.path_qs)))


def _next_page(request: web.Request) -> str:
    """Where to go after signing in: a path of this site, never another site."""
    path = request.query.get("next", "/")
    return path if path.startswith("/") and path[1:2] not in {"/", "\\"} else "/"


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
