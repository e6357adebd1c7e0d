"""A sender's own choices: track opens, track links, and whether a choice for one mail sticks."""

from aiohttp import web

from collector.keys import SENDERS
from collector.pages.rendering import render, see_other
from collector.pages.session import form_token, read_form
from collector.senders import Sender

CHOICES = ("opens", "clicks", "sticky")


async def show_settings(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /settings"""
    return await render(
        request,
        "settings.html",
        sender=sender,
        form_token=form_token(request),
        saved="saved" in request.query,
    )


async def submit_settings(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings: each choice is on where its field is there, as checkboxes are sent."""
    fields = await read_form(request)
    choices = {choice: choice in fields for choice in CHOICES}
    await request.app[SENDERS].set_tracking(sender.id, **choices)
    if "HX-Request" in request.headers:
        return await render(request, "_saved.html")
    return see_other("/settings?saved")
