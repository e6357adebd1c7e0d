"""A sender's own password, and the browsers that are signed in with it."""

import structlog
from aiohttp import web

from collector.devices import split_password
from collector.keys import LOGINS, SENDERS
from collector.pages.session import TooManyTries, check_password, read_form, sign_in, sign_out
from collector.pages.settings import Trouble, saved, settings_page
from collector.pages.speech import say
from collector.pages.wording import say_busy
from collector.passwords import PasswordsBusy
from collector.senders import Sender, login_key

# NIST SP 800-63B section 5.1.1.2: eight at least, long ones too, and no rules of what is in it.
SHORTEST, LONGEST = 8, 1_000

log = structlog.get_logger()


async def submit_password(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/password: `current`, `new` and `again`. Every other session of theirs ends,
    and this one goes on under a new cookie."""
    fields = await read_form(request)
    if not request.app[LOGINS].are_ours:
        raise web.HTTPNotFound
    new = fields.get("new", "")
    trouble = _judge(new, fields.get("again", ""), sender) or await _check_current(
        request, sender, fields.get("current", "")
    )
    if trouble is None:
        try:
            await request.app[SENDERS].set_password(sender.id, new)
        except PasswordsBusy:
            trouble = _busy()
    if trouble is not None:
        return await settings_page(request, sender, trouble)
    log.info("password changed by its sender", sender=sender.id)
    response = saved("password")
    await sign_in(request, response, sender.id)
    return response


async def submit_end(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/sessions/end: whoever is signed in as the sender has to sign in again."""
    await read_form(request)
    await request.app[SENDERS].sessions.close_all(sender.id)
    return await sign_out(request)


def _judge(new: str, again: str, sender: Sender) -> Trouble | None:
    """What is wrong with a new password."""
    if new != again:
        return _bad(say("The new password was typed differently the second time."))
    if not SHORTEST <= len(new) <= LONGEST:
        return _bad(say("A password has at least %(least)s characters.", least=SHORTEST))
    if login_key(new) == login_key(sender.login):
        return _bad(say("The login itself is no password."))
    if split_password(new):  # or mail programs that show it would be taken for devices
        return _bad(say("This looks like an app password. Choose another one."))
    return None


async def _check_current(request: web.Request, sender: Sender, current: str) -> Trouble | None:
    """Why it is not known that the one at the keyboard is the sender."""
    try:
        known = await check_password(request, sender.login, current)
    except TooManyTries as tries:
        return Trouble("password", str(tries), 429)
    except PasswordsBusy:
        return _busy()
    if known is None or known.id != sender.id:
        return Trouble("password", say("The current password is another one."), 403)
    return None


def _bad(words: str) -> Trouble:
    return Trouble("password", words)


def _busy() -> Trouble:
    words = say_busy()
    return Trouble("password", words, 503)
