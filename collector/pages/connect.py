"""Connect a mail program: what to type in, ready to copy, and what sets it up by itself.

A new app password is in the answer to its form and nowhere else: it is shown once.
"""

import asyncio
from dataclasses import dataclass

import segno
from aiohttp import web
from markupsafe import Markup

from collector.errors import StoreUnavailable
from collector.keys import LOGINS, PUBLIC_URL, SENDERS, SERVERS, SIGN_PROFILE
from collector.pages import autoconfig, mobileconfig, snippets
from collector.pages.rendering import render
from collector.pages.session import form_token, read_form
from collector.pages.speech import say
from collector.pages.tickets import LIFETIME, Ticket, Tickets
from collector.pages.wording import say_busy
from collector.passes import checked_name
from collector.passwords import PasswordsBusy
from collector.senders import Sender, SenderError
from collector.servers import Servers

TICKETS = web.AppKey("PROFILE_TICKETS", Tickets)
# What stands in for an address where a sender has none.
SOMEBODY = "you@example.com"


@dataclass(frozen=True, slots=True)
class Made:
    """What a form has made for a device, shown once: an app password, or a link to a profile."""

    device: str
    password: str = ""
    link: str = ""

    @property
    def code(self) -> Markup:
        """The link as a QR code. Dark on light whatever the page's colours: so cameras want it."""
        return Markup(  # noqa: S704 - segno's own drawing, in which no text of ours stands
            segno.make(self.link, error="m", micro=False).svg_inline(
                border=4, omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None
            )
        )


def setup(app: web.Application) -> None:
    """Gives the application its memory of links to profiles."""
    app[TICKETS] = Tickets()


async def show_connect(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /connect"""
    return await _page(request, sender)


async def submit_device(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /connect/device: an app password for the device `name`, on the page that answers."""
    fields = await read_form(request)
    name = fields.get("name", "").strip()
    if not request.app[LOGINS].are_ours:
        raise web.HTTPNotFound
    try:
        password = await request.app[SENDERS].devices.add(sender.id, name)
    except SenderError:
        return await _page(request, sender, status=400, problem=_bad_name())
    except PasswordsBusy:
        return await _page(request, sender, status=503, problem=say_busy())
    return await _page(request, sender, made=Made(name, password=password))


async def submit_profile(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /connect/profile: the profile of `address` for the device `name`, itself or, with
    `how=link`, as a code for a phone's camera."""
    fields = await read_form(request)
    servers, senders = request.app[SERVERS], request.app[SENDERS]
    address, name = fields.get("address", ""), fields.get("name", "").strip()
    if address not in _mailboxes(sender, servers):
        raise web.HTTPNotFound
    ticket = Ticket(sender.id, address, name)
    try:
        if fields.get("how") != "link":
            return await _profile(request, ticket, sender)
        taken = [each.name for each in await senders.devices.list(sender.id)]
        if request.app[LOGINS].are_ours and checked_name(name) in taken:
            raise SenderError(f"there is a device {name!r}")
    except SenderError:
        return await _page(request, sender, status=400, profile_problem=_bad_name())
    except PasswordsBusy:
        return await _page(request, sender, status=503, profile_problem=say_busy())
    link = f"{request.app[PUBLIC_URL]}/connect/profile/{request.app[TICKETS].issue(ticket)}"
    return await _page(request, sender, made=Made(name, link=link))


async def send_profile(request: web.Request) -> web.StreamResponse:
    """GET /connect/profile/TOKEN: once, and to whoever holds the link; all else is one 404."""
    tickets, token = request.app[TICKETS], request.match_info["token"]
    ticket = tickets.take(token)
    sender = None
    try:
        if ticket:
            sender = await request.app[SENDERS].current(ticket.sender_id)
        if ticket and sender and ticket.address in _mailboxes(sender, request.app[SERVERS]):
            return await _profile(request, ticket, sender)
    except (StoreUnavailable, PasswordsBusy) as failure:
        if ticket:
            tickets.restore(token, ticket)
        if isinstance(failure, StoreUnavailable):
            raise
        return web.Response(status=503, text=say_busy() + "\n", headers={"Retry-After": "5"})
    except SenderError:  # its name was given to another device meanwhile
        pass
    return web.Response(
        status=404,
        text=say("This link has been used, or is too old. Make a new one on the page Connect.")
        + "\n",
        headers={"Cache-Control": "no-store"},
    )


async def send_autoconfig(request: web.Request) -> web.StreamResponse:
    """GET /mail/config-v1.1.xml?emailaddress=…, for mail programs: docs/connect.md."""
    servers = request.app[SERVERS]
    address = request.query.get("emailaddress")
    if servers.imap is None:
        reason = "no IMAP server is set, and the format wants one"
    elif address is not None and not servers.serves(address):
        reason = "the address is of another mail server"
    else:
        asked = address.rpartition("@")[2].lower() if address else None
        return web.Response(
            body=autoconfig.write(
                servers,
                (asked,) if asked else servers.domains,
                f"{request.app[PUBLIC_URL]}/connect",
            ),
            content_type="text/xml",
            charset="utf-8",
            headers={"Cache-Control": "max-age=3600"},
        )
    return web.Response(status=404, text=f"No configuration here: {reason}.\n")


async def _profile(request: web.Request, ticket: Ticket, sender: Sender) -> web.Response:
    """Raises SenderError for a bad or taken name."""
    servers = request.app[SERVERS]
    password = None
    if request.app[LOGINS].are_ours:
        password = await request.app[SENDERS].devices.add(sender.id, ticket.device)
    profile = mobileconfig.write(
        servers,
        address=ticket.address,
        login=sender.login,
        password=password,
        description=say(
            "Sends the mail of %(address)s through %(server)s.",
            address=ticket.address,
            server=servers.smtp.host,
        ),
    )
    return web.Response(
        body=await asyncio.to_thread(request.app[SIGN_PROFILE], profile),
        content_type=mobileconfig.MEDIA_TYPE,
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="letterbell.mobileconfig"',
        },
    )


async def _page(
    request: web.Request,
    sender: Sender,
    *,
    status: int = 200,
    made: Made | None = None,
    problem: str = "",
    profile_problem: str = "",
) -> web.Response:
    servers = request.app[SERVERS]
    password = made.password if made else ""
    account = snippets.Account(
        server=servers.smtp,
        login=sender.login,
        password=password or snippets.PLACEHOLDER,
        address=_address(sender),
    )
    return await render(
        request,
        "connect.html",
        status=status,
        sender=sender,
        form_token=form_token(request),
        servers=servers,
        logins=request.app[LOGINS],
        smtp=servers.smtp,
        quiet=f"no-track@{servers.control_domain}",
        quiet_login=f"{sender.login}+no-track",
        mailboxes=_mailboxes(sender, servers),
        snippets=snippets.write(account),
        placeholder=snippets.PLACEHOLDER,
        made=made,
        minutes=round(LIFETIME / 60),
        problem=problem,
        profile_problem=profile_problem,
    )


def _mailboxes(sender: Sender, servers: Servers) -> tuple[str, ...]:
    """The sender's addresses that the site's incoming server is for."""
    named = [each for each in sender.addresses if not each.startswith("*@")]
    whole = [each.removeprefix("*") for each in sender.addresses if each.startswith("*@")]
    if any(sender.login.endswith(each) for each in whole) and sender.login not in named:
        named.append(sender.login)
    return tuple(each for each in named if servers.serves(each))


def _address(sender: Sender) -> str:
    """One that the sender may write as, for examples."""
    named = [each for each in sender.addresses if not each.startswith("*@")]
    whole = [each.replace("*", "me", 1) for each in sender.addresses if each.startswith("*@")]
    return next(iter([*named, *whole]), SOMEBODY)


def _bad_name() -> str:
    return say("Give it a name of up to 100 characters that none of your other devices has.")
