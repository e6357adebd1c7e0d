"""A sender's own choices, on one page: what is tracked and why it is so, whose consent counts, what
rings the bell, in which language the pages speak.

The page has more sections than this file: `devices` and `account` answer their forms.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from collector.api.keys import ApiKey
from collector.consent import MODES, Mode
from collector.cookies import session_cookie
from collector.devices import Device
from collector.families import READERS
from collector.folding import NOTIFY
from collector.keys import CONSENTS, LOGINS, SENDERS, STORE
from collector.origins import Origin, Toggle, find_origins
from collector.pages.languages import NAMES
from collector.pages.rendering import render, see_other
from collector.pages.session import form_token, read_form
from collector.pages.speech import say
from collector.schema import TOGGLES
from collector.senders import Sender
from collector.sessions import Session

CHOICES = ("opens", "clicks", "sticky")
_BROWSERS = frozenset(name for name, _ in READERS) - {"another browser"}
COPIES = {"shared": False, "each": True}  # as `attribution` is sent -> per_recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsView:
    """All that the page shows but for the sender's own row."""

    origins: dict[Toggle, Origin]
    devices: tuple[Device, ...]
    api_keys: tuple[ApiKey, ...]
    sessions: tuple[Session, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why what was sent was not done, in words, and in which section that is to be read."""

    section: str
    words: str
    status: int = 400


async def show_settings(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /settings"""
    return await settings_page(request, sender)


async def show_section(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET of an address that a form is sent to, as by a reload: the section with that form."""
    return see_other(f"/settings#{request.match_info['section']}")


async def settings_page(
    request: web.Request, sender: Sender, trouble: Trouble | None = None
) -> web.Response:
    """The page, with what was saved just now or went wrong."""
    return await render(
        request,
        "settings.html",
        status=trouble.status if trouble else 200,
        sender=sender,
        form_token=form_token(request),
        view=await _view(request, sender),
        saved=request.query.get("saved", "") if trouble is None else "",
        trouble=trouble,
        site_mode=request.app[CONSENTS].mode,
        languages=NAMES,
        logins=request.app[LOGINS],
        say_browser=say_browser,
    )


async def submit_settings(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings: each choice is on where its field is there, as checkboxes are sent."""
    fields = await read_form(request)
    choices = {choice: choice in fields for choice in CHOICES}
    per_recipient = COPIES.get(fields.get("attribution", ""))
    sender = await request.app[SENDERS].set_tracking(
        sender.id, **choices, per_recipient=per_recipient
    )
    if "HX-Request" in request.headers:
        origins = await find_origins(request.app[STORE], sender.id)
        return await render(request, "live/choices.html", sender=sender, origins=origins)
    return saved("tracking")


async def submit_undo(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/undo: `toggle` is again what it was before a mail set it."""
    toggle = (await read_form(request)).get("toggle")
    if toggle not in TOGGLES:
        raise web.HTTPBadRequest
    await request.app[SENDERS].unstick(sender.id, cast(Toggle, toggle))
    return saved("tracking")


async def submit_consent(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/consent: a `mode`, or "site" for what the site has."""
    mode = (await read_form(request)).get("mode")
    if mode != "site" and mode not in MODES:
        raise web.HTTPBadRequest
    await request.app[SENDERS].set_consent(sender.id, None if mode == "site" else cast(Mode, mode))
    return saved("consent")


async def submit_notify(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notify: which hits ring the bell, by `notify`."""
    notify = (await read_form(request)).get("notify")
    if notify not in NOTIFY:
        raise web.HTTPBadRequest
    await request.app[SENDERS].set_notify(sender.id, notify)
    return saved("notify")


async def submit_language(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/language: a `language`, or "" for what the browser wants."""
    code = (await read_form(request)).get("language")
    if code and code not in NAMES:
        raise web.HTTPBadRequest
    await request.app[SENDERS].set_language(sender.id, code or None)
    return saved("language")


def say_browser(family: str) -> str:
    """A browser by its family, as families.py has it."""
    program, _, system = family.partition(" on ")
    known = program in _BROWSERS
    if not system:
        return program if known else say("Some browser")
    if not known:
        return say("Some browser on %(system)s", system=system)
    return say("%(browser)s on %(system)s", browser=program, system=system)


def saved(section: str) -> web.Response:
    """To the page again, where the section says that it is saved."""
    return see_other(f"/settings?saved={section}#{section}")


async def _view(request: web.Request, sender: Sender) -> SettingsView:
    senders = request.app[SENDERS]
    origins, devices, api_keys, sessions = await asyncio.gather(
        find_origins(request.app[STORE], sender.id),
        senders.devices.list(sender.id),
        senders.api_keys.list(sender.id),
        senders.sessions.list(sender.id, request.cookies[session_cookie(request)]),
    )
    return SettingsView(origins=origins, devices=devices, api_keys=api_keys, sessions=sessions)
