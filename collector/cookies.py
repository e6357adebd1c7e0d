"""The names of our cookies."""

from aiohttp import web

from collector.keys import SECURE_COOKIES


def session_cookie(request: web.Request) -> str:
    """Of the session of a sender who is signed in."""
    return _name(request, "letterbell_session")


def visit_cookie(request: web.Request) -> str:
    """Of the browser that has asked for the sign-in form."""
    return _name(request, "letterbell_visit")


def _name(request: web.Request, name: str) -> str:
    # __Host-: browsers take it only over TLS, for this very host and all its paths.
    return f"__Host-{name}" if request.app[SECURE_COOKIES] else name
