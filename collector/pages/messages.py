"""The sender's own mail: the list, newest first, and one mail with its story."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from collector.erasing import erase, stop
from collector.filters import LARGEST_ID
from collector.keys import CONSENTS, FEED, PUBLIC_URL, READ_LABEL, STATS, STORE, TOKENS
from collector.pages import marks
from collector.pages.bell import note_seen
from collector.pages.marks import Mark
from collector.pages.recipients import RecipientView, say_silence, view_all
from collector.pages.rendering import render, see_other
from collector.pages.session import form_token, read_form
from collector.pages.timeline import Moment, tell
from collector.pages.wording import say_state
from collector.senders import Sender
from collector.stats import LinkRow, MessageDetail, MessageRow
from collector.store import Store
from collector.tokens import MessageLinks

PAGE = 50


@dataclass(frozen=True, slots=True)
class MailView:
    """One mail as lists show it."""

    row: MessageRow
    eye: Mark
    link: Mark
    state: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ListView:
    """A page of mails; `before` is its own cursor, `older` the next page's, if there is one."""

    mails: tuple[MailView, ...]
    before: int | None
    older: int | None

    @property
    def ids(self) -> set[int]:
        return {mail.row.message_id for mail in self.mails}


@dataclass(frozen=True, slots=True)
class LinkView:
    """A tracked link: what it was called, where it leads, how often it was followed by whom we
    believe in, and by others."""

    label: str
    target: str
    clicks: int
    machines: int


@dataclass(frozen=True, slots=True)
class MessageView:
    """One mail with its story, oldest moment first."""

    mail: MailView
    moments: tuple[Moment, ...]
    links: tuple[LinkView, ...]
    recipients: tuple[RecipientView, ...]
    shared_reason: str | None
    has_aged: bool
    silence: str
    notice: str  # the address of its notice page, where whoever got it says who they are


async def show_list(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /?before=ID: a page of mails; without `before` the newest."""
    page = await read_list(request, sender, read_id(request.query.get("before")))
    return await render(
        request,
        "messages.html",
        sender=sender,
        form_token=form_token(request),
        page=page,
        erased="erased" in request.query,
    )


async def show_message(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /mail/ID: the sender's own, or 404: whether it is another's, nobody learns."""
    view = await read_message(request, sender, read_id(request.match_info["message_id"]))
    if view is None:
        return await _tell_none(request, sender)
    await note_seen(request, sender, view.mail.row.message_id)
    return await render(
        request, "message.html", sender=sender, form_token=form_token(request), view=view
    )


async def submit_stop(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /mail/ID/stop: from now on nothing is recorded of it."""
    return await _change(request, sender, stop, "/mail/{}")


async def submit_erase(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /mail/ID/erase: it goes, with its hits."""
    return await _change(request, sender, erase, "/?erased")


async def read_list(request: web.Request, sender: Sender, before: int | None) -> ListView:
    """The sender's mails before a cursor, newest first."""
    rows = await request.app[STATS].recent(sender.id, before=before, limit=PAGE + 1)
    shown = tuple(view_mail(row) for row in rows[:PAGE])
    return ListView(shown, before, shown[-1].row.message_id if len(rows) > PAGE else None)


async def read_message(
    request: web.Request, sender: Sender, message_id: int | None
) -> MessageView | None:
    """One mail, or None where the sender has no such mail."""
    if message_id is None:
        return None
    detail = await request.app[STATS].message(sender.id, message_id)
    if detail is None:
        return None
    labels = await _read_labels(request, detail)
    decisions = await request.app[CONSENTS].about(sender, detail.row.recipients)
    links = (_view_link(link, labels[link.ordinal]) for link in detail.links)
    return MessageView(
        view_mail(detail.row),
        tell(detail, labels),
        tuple(links),
        view_all(detail, decisions),
        detail.shared_reason,
        detail.has_aged,
        say_silence(detail.row, decisions),
        MessageLinks(request.app[TOKENS], request.app[PUBLIC_URL], message_id).notice(),
    )


def _view_link(link: LinkRow, label: str) -> LinkView:
    machines = max(0, link.clicks.raw_count - link.clicks.count)
    return LinkView(label, link.target, link.clicks.count, machines)


def view_mail(row: MessageRow) -> MailView:
    """One row as the templates show it."""
    state, sentence = say_state(row.state)
    return MailView(row, marks.eye(row), marks.link(row), state, sentence)


def read_id(text: str | None) -> int | None:
    """A message id out of a URL; None for anything that cannot be one."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None


async def _change(
    request: web.Request,
    sender: Sender,
    change: Callable[[Store, int, int], Awaitable[bool]],
    then: str,
) -> web.StreamResponse:
    """Does it to the sender's own message, and sends the browser on."""
    await read_form(request)
    message_id = read_id(request.match_info["message_id"])
    if message_id is None or not await change(request.app[STORE], sender.id, message_id):
        return await _tell_none(request, sender)
    request.app[FEED].publish(sender.id, message_id)
    return see_other(then.format(message_id))


async def _tell_none(request: web.Request, sender: Sender) -> web.Response:
    token = form_token(request)
    return await render(request, "not_found.html", status=404, sender=sender, form_token=token)


async def _read_labels(request: web.Request, detail: MessageDetail) -> dict[int, str]:
    # Parsing HTML takes long enough to leave the loop for.
    return await asyncio.to_thread(label_links, detail.links, request.app[READ_LABEL])


def label_links(links: tuple[LinkRow, ...], read: Callable[[str], str]) -> dict[int, str]:
    """What each link is called, by its ordinal. Parses HTML: not for the event loop."""
    return {link.ordinal: read(link.html) or _host(link.target) for link in links}


def _host(target: str) -> str:
    try:
        return urlsplit(target).hostname or target
    except ValueError:
        return target
