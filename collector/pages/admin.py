"""For senders who look after the site: its health, what passes through it in numbers, who may send.

An admin sees nothing of another's mail: no subject, recipient, link or hit. For everyone else there
is no such page, as for any address that does not exist. Each act is told in the log, with who did
it. Nobody takes their own rights away here, so that somebody is always left who can give them back.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

import structlog
from aiohttp import web

from collector.errors import StoreUnavailable
from collector.keys import ALARMS, ENROLMENT, LOGINS, QUEUE, SENDERS, STORE
from collector.members import Member, Members, read_member, read_members
from collector.pages.durations import spell
from collector.pages.figures import write_number
from collector.pages.mails import read_id
from collector.pages.rendering import render, see_other
from collector.pages.session import SESSION_SECONDS, SenderHandler, form_token, read_form
from collector.pages.speech import say
from collector.passwords import PasswordsBusy
from collector.senders import Sender, SenderError
from collector.tallies import Tallies, Tally, read_tallies
from collector.waiting import Waiting

SHOWN = 100  # senders at once; a search finds the others
MAX_ADDRESSES = 100

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class QueueView:
    """What waits for one upstream; `age` is the oldest mail's."""

    waiting: Waiting
    age: str


@dataclass(frozen=True, slots=True)
class SiteView:
    """How the site is."""

    takes_writes: bool
    alarms: Sequence[tuple[str, str]]
    version: str
    tallies: Tallies
    queue: tuple[QueueView, ...]


class ActRefused(Exception):  # noqa: N818 - named for what happened
    """What an admin asked for cannot be; the text, in the reader's language, says why."""


def for_admin(handler: SenderHandler) -> SenderHandler:
    """Lets only admins through; for all others there is nothing here."""

    async def guarded(request: web.Request, sender: Sender) -> web.StreamResponse:
        if not sender.is_admin:
            raise web.HTTPNotFound
        return await handler(request, sender)

    return guarded


def routes(
    page: Callable[[SenderHandler], Callable[..., Awaitable[web.StreamResponse]]],
) -> list[web.RouteDef]:
    """Every address of these pages; `page` makes a handler of one for signed-in senders."""
    one = r"/admin/senders/{sender_id:\d{1,9}}"
    return [
        web.get("/admin", page(for_admin(show_site))),
        web.post("/admin/queue", page(for_admin(submit_hurry))),
        web.post("/admin/senders", page(for_admin(submit_sender))),
        web.get(one, page(for_admin(show_member))),
        web.post(one + "/addresses", page(for_admin(_act(_set_addresses)))),
        web.post(one + "/enabled", page(for_admin(_act(_set_enabled)))),
        web.post(one + "/admin", page(for_admin(_act(_set_admin)))),
        web.post(one + "/password", page(for_admin(submit_password))),
    ]


async def show_site(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /admin?search=ana"""
    return await _site_page(request, sender)


async def submit_hurry(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /admin/queue: what waits for `upstream` is tried at once."""
    upstream = (await read_form(request)).get("upstream", "")
    hurried = request.app[QUEUE].hurry(upstream)
    log.info("queued mail was hurried", by=sender.id, upstream=upstream, count=hurried)
    return see_other("/admin?hurried")


async def submit_sender(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /admin/senders: `login` and `addresses` of a new one, whose password is shown once."""
    fields = await read_form(request)
    login, password = fields.get("login", "").strip(), secrets.token_urlsafe(18)
    enrolment, senders = request.app[ENROLMENT], request.app[SENDERS]
    try:
        if not request.app[LOGINS].are_ours:
            raise ActRefused(say("Senders come about by themselves here, at their first login."))
        if await senders.find(login):
            raise ActRefused(say("There is a sender %(login)s already.", login=login))
        added = await _expect(
            senders.add(
                login,
                password,
                _read_addresses(fields) or [login],
                opens=enrolment.opens,
                clicks=enrolment.clicks,
                per_recipient=enrolment.per_recipient,
            )
        )
    except ActRefused as refused:
        return await _site_page(request, sender, problem=str(refused), fields=fields)
    log.info("a sender was added", by=sender.id, sender=added.id)
    return await _password_page(request, sender, added.id, added.login, password, is_new=True)


async def show_member(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /admin/senders/ID"""
    return await _member_page(request, sender, await _find(request))


async def submit_password(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /admin/senders/ID/password: a fresh one, shown once; the old one's sessions end."""
    await read_form(request)
    member, password = await _find(request), secrets.token_urlsafe(18)
    try:
        await _expect(request.app[SENDERS].set_password(member.id, password))
    except ActRefused as refused:
        return await _member_page(request, sender, member, problem=str(refused))
    log.info("a sender's password was reset", by=sender.id, sender=member.id)
    return await _password_page(request, sender, member.id, member.login, password, is_new=False)


Act = Callable[[web.Request, Sender, Member, dict[str, str]], Awaitable[None]]


def _act(act: Act) -> SenderHandler:
    """Does it to the sender that the address names, and goes back to the page about it."""

    async def submit(request: web.Request, sender: Sender) -> web.StreamResponse:
        fields = await read_form(request)
        member = await _find(request)
        try:
            await _expect(act(request, sender, member, fields))
        except ActRefused as refused:
            return await _member_page(request, sender, member, problem=str(refused))
        return see_other(f"/admin/senders/{member.id}?saved")

    return submit


async def _set_addresses(
    request: web.Request, sender: Sender, member: Member, fields: dict[str, str]
) -> None:
    addresses = _read_addresses(fields)
    await request.app[SENDERS].set_addresses(member.id, addresses)
    log.info("a sender's addresses were set", by=sender.id, sender=member.id, count=len(addresses))


async def _set_enabled(
    request: web.Request, sender: Sender, member: Member, fields: dict[str, str]
) -> None:
    enabled = fields.get("to") == "yes"
    if member.id == sender.id and not enabled:
        raise ActRefused(say("You cannot disable yourself: ask another admin to."))
    await request.app[SENDERS].set_enabled(member.id, enabled)
    log.info(
        "a sender was " + ("enabled" if enabled else "disabled"), by=sender.id, sender=member.id
    )


async def _set_admin(
    request: web.Request, sender: Sender, member: Member, fields: dict[str, str]
) -> None:
    is_admin = fields.get("to") == "yes"
    if member.id == sender.id and not is_admin:
        raise ActRefused(say("You cannot take this right from yourself: ask another admin to."))
    await request.app[SENDERS].set_admin(member.id, is_admin)
    told = "a sender was made an admin" if is_admin else "a sender is no admin any more"
    log.info(told, by=sender.id, sender=member.id)


async def _expect(doing: Awaitable[T]) -> T:
    """What comes of it; raises ActRefused where it cannot be."""
    try:
        return await doing
    except SenderError as error:
        raise ActRefused(say("That cannot be: %(reason)s.", reason=error)) from None
    except PasswordsBusy:
        raise ActRefused(say("Too many passwords are worked on just now: try again.")) from None


def _read_addresses(fields: dict[str, str]) -> list[str]:
    """One a line, or with blanks or commas between them."""
    addresses = fields.get("addresses", "").replace(",", " ").split()
    if len(addresses) > MAX_ADDRESSES:
        raise ActRefused(say("These are more than %(most)s addresses.", most=MAX_ADDRESSES))
    return addresses


async def _find(request: web.Request) -> Member:
    """The sender that the address names. Raises HTTPNotFound."""
    sender_id = read_id(request.match_info["sender_id"])
    found = None
    if sender_id is not None:
        found = await read_member(request.app[STORE], sender_id, session_seconds=SESSION_SECONDS)
    if found is None:
        raise web.HTTPNotFound
    return found


async def _site_page(
    request: web.Request,
    sender: Sender,
    *,
    problem: str = "",
    fields: dict[str, str] | None = None,
) -> web.Response:
    search = request.query.get("search", "").strip()
    return await render(
        request,
        "admin.html",
        status=409 if problem else 200,
        sender=sender,
        form_token=form_token(request),
        site=await _read_site(request),
        search=search,
        members=await _search(request, search),
        logins=request.app[LOGINS],
        problem=problem,
        fields=fields or {},
        write_tally=write_tally,
        hurried="hurried" in request.query,
    )


async def _member_page(
    request: web.Request, sender: Sender, member: Member, *, problem: str = ""
) -> web.Response:
    return await render(
        request,
        "admin_sender.html",
        status=409 if problem else 200,
        sender=sender,
        form_token=form_token(request),
        member=member,
        logins=request.app[LOGINS],
        saved="saved" in request.query,
        problem=problem,
    )


async def _password_page(
    request: web.Request,
    sender: Sender,
    member_id: int,
    login: str,
    password: str,
    *,
    is_new: bool,
) -> web.Response:
    return await render(
        request,
        "admin_password.html",
        sender=sender,
        form_token=form_token(request),
        member_id=member_id,
        login=login,
        password=password,
        is_new=is_new,
        logins=request.app[LOGINS],
    )


async def _search(request: web.Request, search: str) -> Members:
    return await read_members(
        request.app[STORE], search=search, limit=SHOWN, session_seconds=SESSION_SECONDS
    )


async def _read_site(request: web.Request) -> SiteView:
    now_ms = time.time_ns() // 1_000_000
    try:
        await request.app[STORE].check()
        takes_writes = True
    except StoreUnavailable:
        takes_writes = False
    return SiteView(
        takes_writes,
        sorted(request.app[ALARMS]().items()),
        version("letterbell"),
        await read_tallies(request.app[STORE], now_ms),
        tuple(
            QueueView(each, spell(now_ms - each.oldest_ms))
            for each in await request.app[QUEUE].waiting()
        ),
    )


def write_tally(count: int, tally: Tally) -> str:
    """As in "1,234", or "1,000,000+" where there may be more."""
    return write_number(count) + ("" if tally.is_all else "+")
