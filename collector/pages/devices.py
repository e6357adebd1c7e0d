"""What programs of a sender's show in a password's place: app passwords to send mail, API keys to
ask what became of it. Made here, shown once, revoked by name.
"""

from aiohttp import web

from collector.keys import LOGINS, PUBLIC_URL, SENDERS
from collector.pages.rendering import render
from collector.pages.session import form_token, read_form
from collector.pages.settings import Trouble, saved, settings_page
from collector.pages.speech import say
from collector.pages.wording import say_busy
from collector.passes import MAX_NAME, checked_name
from collector.passwords import PasswordsBusy
from collector.schema import SCOPES
from collector.senders import Sender, SenderError


async def submit_device(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/devices: an app password for the mail program `name`, shown this once."""
    fields = await read_form(request)
    if not request.app[LOGINS].are_ours:
        raise web.HTTPNotFound
    name = fields.get("name", "")
    try:
        password = await request.app[SENDERS].devices.add(sender.id, checked_name(name))
    except SenderError:
        return await settings_page(request, sender, Trouble("devices", _why_not(name), 409))
    except PasswordsBusy:
        words = say_busy()
        return await settings_page(request, sender, Trouble("devices", words, 503))
    return await _show_once(request, sender, "devices", name.strip(), password)


async def submit_key(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/keys: an API key for the program `name` and a `scope`, shown this once."""
    fields = await read_form(request)
    name, scope = fields.get("name", ""), fields.get("scope", "read")
    if scope not in SCOPES:
        raise web.HTTPBadRequest
    try:
        key = await request.app[SENDERS].api_keys.add(sender.id, checked_name(name), scope)
    except SenderError:
        return await settings_page(request, sender, Trouble("keys", _why_not(name), 409))
    return await _show_once(request, sender, "keys", name.strip(), key)


async def revoke_device(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/devices/revoke: the app password of the mail program `name` is none."""
    name = (await read_form(request)).get("name", "")
    try:
        await request.app[SENDERS].devices.revoke(sender.id, name)
    except SenderError:
        return await settings_page(request, sender, _gone("devices"))
    return saved("devices")


async def revoke_key(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/keys/revoke: the key of the program `name` is none any more."""
    name = (await read_form(request)).get("name", "")
    try:
        await request.app[SENDERS].api_keys.revoke(sender.id, name)
    except SenderError:
        return await settings_page(request, sender, _gone("keys"))
    return saved("keys")


async def _show_once(
    request: web.Request, sender: Sender, section: str, name: str, secret: str
) -> web.StreamResponse:
    return await render(
        request,
        "made.html",
        status=201,
        sender=sender,
        form_token=form_token(request),
        section=section,
        name=name,
        secret=secret,
        public_url=request.app[PUBLIC_URL],
    )


def _why_not(name: str) -> str:
    try:
        checked_name(name)
    except SenderError:
        return say("A name has 1 to %(most)s letters, digits or signs.", most=MAX_NAME)
    return say(
        "There is one named “%(name)s” already. Choose another name, or revoke it first.",
        name=name.strip(),
    )


def _gone(section: str) -> Trouble:
    return Trouble(section, say("There is none of that name any more."), 404)
