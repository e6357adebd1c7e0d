"""The sender's own mail: the list, newest first, and one mail with its story."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from collector.keys import READ_LABEL, STATS
from collector.pages import marks
from collector.pages.marks import Mark
from collector.pages.rendering import render
from collector.pages.session import form_token
from collector.pages.timeline import Moment, tell
from collector.pages.wording import say_state
from collector.senders import Sender
from collector.stats import LinkRow, MessageDetail, MessageRow

PAGE = 50
LARGEST_ID = 2**63 - 1


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
    """A tracked link: what it was called, where it leads, how often it was followed."""

    label: str
    target: str
    clicks: int


@dataclass(frozen=True, slots=True)
class MessageView:
    """One mail with its story, oldest moment first."""

    mail: MailView
    moments: tuple[Moment, ...]
    links: tuple[LinkView, ...]


async def show_list(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /?before=ID: a page of mails; without `before` the newest."""
    page = await read_list(request, sender, read_id(request.query.get("before")))
    return await render(
        request, "messages.html", sender=sender, form_token=form_token(request), page=page
    )


async def show_message(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /mail/ID: the sender's own, or 404: whether it is another's, nobody learns."""
    view = await read_message(request, sender, read_id(request.match_info["message_id"]))
    return await render(
        request,
        "message.html" if view else "not_found.html",
        status=200 if view else 404,
        sender=sender,
        form_token=form_token(request),
        view=view,
    )


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
    links = (LinkView(labels[link.ordinal], link.target, link.click_count) for link in detail.links)
    return MessageView(view_mail(detail.row), tell(detail, labels), tuple(links))


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


async def _read_labels(request: web.Request, detail: MessageDetail) -> dict[int, str]:
    # Parsing HTML takes long enough to leave the loop for.
    return await asyncio.to_thread(_label_all, detail.links, request.app[READ_LABEL])


def _label_all(links: tuple[LinkRow, ...], read: Callable[[str], str]) -> dict[int, str]:
    return {link.ordinal: read(link.html) or _host(link.target) for link in links}


def _host(target: str) -> str:
    try:
        return urlsplit(target).hostname or target
    except ValueError:
        return target
