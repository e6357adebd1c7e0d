"""One of the sender's own mails with its story, and what may be done with it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from collector.erasing import erase, stop
from collector.keys import CONSENTS, FEED, PUBLIC_URL, READ_LABEL, STATS, STORE, TOKENS
from collector.pages import download
from collector.pages.bell import note_seen
from collector.pages.mails import read_id
from collector.pages.reasons import Leftover, say_reason, say_shared, tell_left
from collector.pages.recipients import RecipientView, people, say_silence, view_all
from collector.pages.rendering import render, see_other
from collector.pages.session import form_token, read_form
from collector.pages.summary import Choice, Fact, tell_choices, tell_facts
from collector.pages.timeline import Story, tell
from collector.senders import Sender
from collector.stats import LinkRow, MessageDetail, MessageRow
from collector.store import Store
from collector.tokens import MessageLinks


@dataclass(frozen=True, slots=True)
class LinkView:
    """A tracked link: what it was called, where it leads, how often it was followed by whom we
    believe in, and by others; `share` is its part of the most that any was followed, in percent."""

    label: str
    target: str
    clicks: int
    machines: int
    share: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a mail's story is asked for: `whole`, and of whose copy (0: of everybody's)."""

    whole: bool = False
    recipient: int = 0

    @property
    def query(self) -> str:
        """As it stands in an address, with its question mark."""
        parts = ["all"] if self.whole else []
        if self.recipient:
            parts.append(f"recipient={self.recipient}")
        return f"?{'&'.join(parts)}" if parts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One mail with all that is told of it."""

    row: MessageRow
    mail_from: str  # "" where it is the sender's login
    facts: tuple[Fact, Fact, Fact]
    story: Story
    asked: Asked
    asked_for: str  # whose copy the story is of, "" for everybody's
    links: tuple[LinkView, ...]
    left: tuple[Leftover, ...]
    choices: tuple[Choice, ...]
    people: tuple[str, ...]
    recipients: tuple[RecipientView, ...]
    untracked_reason: str
    shared_reason: str
    has_aged: bool
    silence: str
    notice: str  # the address of its notice page, where whoever got it says who they are


async def show_message(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /mail/ID?all&recipient=N: the sender's own, or 404: whether it is another's, nobody
    learns."""
    message_id = read_id(request.match_info["message_id"])
    view = await read_message(request, sender, message_id, read_asked(request))
    if view is None:
        return await _tell_none(request, sender)
    await note_seen(request, sender, view.row.message_id)
    return await render(
        request, "message.html", sender=sender, form_token=form_token(request), view=view
    )


async def show_export(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /mail/ID/export.json and .csv: the mail with its hits, as a file."""
    message_id = read_id(request.match_info["message_id"])
    send = download.send_csv if request.match_info["form"] == "csv" else download.send_json
    try:
        return await send(request, sender, -1 if message_id is None else message_id)
    except web.HTTPNotFound:
        return await _tell_none(request, sender)


async def submit_stop(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /mail/ID/stop: from now on nothing is recorded of it."""
    return await _change(request, sender, stop, "/mail/{}")


async def submit_erase(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /mail/ID/erase: it goes, with its hits."""
    return await _change(request, sender, erase, "/?erased")


def read_asked(request: web.Request) -> Asked:
    """What the address asks for; what cannot be asked is not."""
    ordinal = request.query.get("recipient", "")
    known = ordinal.isascii() and ordinal.isdigit() and len(ordinal) <= 6
    return Asked("all" in request.query, int(ordinal) if known else 0)


async def read_message(
    request: web.Request, sender: Sender, message_id: int | None, asked: Asked
) -> MessageView | None:
    """One mail, or None where the sender has no such mail."""
    if message_id is None:
        return None
    detail = await request.app[STATS].message(sender.id, message_id)
    if detail is None:
        return None
    labels = await _read_labels(request, detail)
    decisions = await request.app[CONSENTS].about(sender, detail.row.recipients)
    row, everybody = detail.row, people(detail.row)
    one = asked.recipient if row.per_recipient else 0
    most = max((link.clicks.count for link in detail.links), default=0)
    return MessageView(
        row=row,
        mail_from="" if detail.mail_from == sender.login else detail.mail_from,
        facts=tell_facts(row),
        story=tell(detail, labels, whole=asked.whole, recipient=one if one in everybody else 0),
        asked=asked,
        asked_for=everybody.get(one, ""),
        links=tuple(_view_link(link, labels[link.ordinal], most) for link in detail.links),
        left=tell_left(detail.skipped),
        choices=tell_choices(detail),
        people=tuple(everybody.values()),
        recipients=view_all(detail, decisions),
        untracked_reason=say_reason(row.untracked_reason) if row.untracked_reason else "",
        shared_reason=say_shared(detail.shared_reason) if detail.shared_reason else "",
        has_aged=detail.has_aged,
        silence=say_silence(row, decisions),
        notice=MessageLinks(request.app[TOKENS], request.app[PUBLIC_URL], message_id).notice(),
    )


def _view_link(link: LinkRow, label: str, most: int) -> LinkView:
    count, raw = link.clicks.count, link.clicks.raw_count
    share = 100 * count // most if most else 0
    return LinkView(label, link.target, count, max(0, raw - count), share)


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
