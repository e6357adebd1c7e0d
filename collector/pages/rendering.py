"""One door through which every page leaves: template, policy, headers.

The policy allows our own files and nothing else: no inline script or style, no eval, no frame
round us. Pages are a person's own, so nothing on the way may keep them.
"""

from aiohttp import web
from aiohttp_jinja2 import render_string_async

from collector.keys import NOTIFICATIONS
from collector.roster import Sender

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def header(policy: dict[str, str]) -> str:
    """The value of Content-Security-Policy."""
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


def see_other(path: str) -> web.Response:
    """Sends the browser on to another page, by GET."""
    return web.Response(status=303, headers={"Location": path})


async def render(
    request: web.Request,
    template: str,
    *,
    status: int = 200,
    policy: dict[str, str] | None = None,
    **context: object,
) -> web.Response:
    """The page made of `template`; `policy` adds to POLICY where a page needs a frame.

    Where the context has a `sender`, the header tells how many notifications are `unread`.
    """
    if isinstance(sender := context.get("sender"), Sender):
        context["unread"] = await request.app[NOTIFICATIONS].unread(sender.id)
    return web.Response(
        status=status,
        text=await render_string_async(template, request, context),
        content_type="text/html",
        headers={
            "Content-Security-Policy": header(POLICY | (policy or {})),
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
        },
    )
