"""The bell: a sender's notifications as a page, in the popover of every page's header, and live.

Links lead to mails, and whoever looks at a mail has read what the bell says of it. No id of a
notification leaves the server: they are numbered across all senders.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from aiohttp import web

from collector.consent import Kind
from collector.errors import StoreUnavailable
from collector.filters import LARGEST_ID
from collector.folding import Fold, Notification
from collector.keys import NOTIFICATIONS
from collector.notifications import Subject
from collector.noting import MAX_KEPT
from collector.pages.rendering import render, see_other
from collector.pages.session import form_token, read_form
from collector.pages.speech import say, say_number
from collector.pages.wording import say_sighting
from collector.schema import HIT_KINDS
from collector.senders import Sender

PAGE = 30
RECENT = 5  # of the popover
NAMED = 20  # mails of a fold that are listed at most
MINUTE_MS = 60_000  # times are shown to the minute
MAX_COUNT = 99  # above it the badge says "99+"

_NOBODY = Subject(subject="", recipients=(), per_recipient=False)  # a mail that was erased just now


@dataclass(frozen=True, slots=True)
class MemberView:
    """One mail of many that are shown as one."""

    message_id: int
    subject: str
    whose: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteView:
    """One piece of news: what happened to which mail, as far as we believe it.

    `message_id` is None where it is about several mails: `members` are then the newest of them.
    `mails` are all their ids, as the form that marks them as read has them.
    """

    icon: Literal["eye", "link"]
    kind: Kind
    title: str
    words: str
    whose: str
    message_id: int | None
    first_ms: int | None  # only where it is another minute than the last
    last_ms: int
    is_unread: bool
    mails: str
    members: tuple[MemberView, ...] = ()


@dataclass(frozen=True, slots=True)
class BellView:
    """Some notifications, and how many are unread in all."""

    unread: int
    notes: tuple[NoteView, ...]

    @property
    def until_ms(self) -> int:
        """Up to which moment "all" is what is shown here."""
        return max((each.last_ms for each in self.notes), default=0)


@dataclass(frozen=True, slots=True)
class PageView:
    """A page of notifications; `before` is its own cursor, `older` the next page's, if any."""

    bell: BellView
    before: int | None
    older: int | None


async def show_bell(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /bell?before=MS: a page of notifications; without `before` the newest."""
    page = await read_page(request, sender, _read_number(request.query.get("before", "")))
    return await render(
        request, "bell.html", sender=sender, form_token=form_token(request), page=page
    )


async def show_recent(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /bell/recent: the newest notifications, for the popover."""
    folds = await request.app[NOTIFICATIONS].folds(sender.id)
    recent = await _view(request, sender, folds, folds[:RECENT])
    return await render(request, "recent.html", form_token=form_token(request), bell=recent)


async def submit_read(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /bell/read: of `mails` those of a `kind`, or all up to the moment `until`."""
    fields = await read_form(request)
    notifications = request.app[NOTIFICATIONS]
    kind = next((each for each in HIT_KINDS if each == fields.get("kind")), None)
    if "mails" in fields:
        await notifications.mark_mails(sender.id, _read_mails(fields["mails"]), kind)
    elif (until_ms := _read_number(fields.get("until", ""))) is not None:
        await notifications.mark_until(sender.id, until_ms)
    if "HX-Request" in request.headers:
        return web.Response(status=204)  # open pages hear of it by their streams
    return see_other("/bell")


async def note_seen(request: web.Request, sender: Sender, message_id: int) -> None:
    """Whoever looks at a mail has read what the bell says of it. A store that takes no writes keeps
    nobody from looking."""
    with suppress(StoreUnavailable):
        await request.app[NOTIFICATIONS].mark_mails(sender.id, [message_id])


async def read_page(request: web.Request, sender: Sender, before: int | None) -> PageView:
    """The notifications before a moment, newest first."""
    folds = await request.app[NOTIFICATIONS].folds(sender.id)
    rest = [each for each in folds if before is None or each.newest.last_ms < before]
    shown = rest[:PAGE]
    # Those of one moment stay together, as the cursor is that moment.
    shown += [each for each in rest[PAGE:] if each.newest.last_ms == shown[-1].newest.last_ms]
    older = shown[-1].newest.last_ms if len(rest) > len(shown) else None
    return PageView(await _view(request, sender, folds, shown), before, older)


def say_badge(unread: int) -> str:
    """A number that leaves the header's other parts where they are."""
    return f"{MAX_COUNT}+" if unread > MAX_COUNT else str(unread or "")


async def _view(
    request: web.Request, sender: Sender, folds: Sequence[Fold], shown: Sequence[Fold]
) -> BellView:
    ids = {each.message_id for fold in shown for each in fold.members[:NAMED]}
    subjects = await request.app[NOTIFICATIONS].subjects(sender.id, sorted(ids))
    unread = sum(each.is_unread for each in folds)
    return BellView(unread, tuple(view(each, subjects) for each in shown))


def view(fold: Fold, subjects: dict[int, Subject]) -> NoteView:
    """One fold in words; `subjects` are those of its first NAMED mails."""
    newest = fold.newest
    about = subjects.get(newest.message_id, _NOBODY)
    first_ms = min(each.first_ms for each in fold.members)
    title, words, whose = _say(fold, about)
    ids = dict.fromkeys(each.message_id for each in fold.members)
    return NoteView(
        icon="eye" if newest.kind == "open" else "link",
        kind=newest.kind,
        title=title,
        words=words,
        whose=whose,
        message_id=newest.message_id if fold.mails == 1 else None,
        first_ms=first_ms if newest.last_ms - first_ms >= MINUTE_MS else None,
        last_ms=newest.last_ms,
        is_unread=fold.is_unread,
        mails=" ".join(f"{each:x}" for each in ids),
        members=_members(fold, subjects) if fold.mails > 1 else (),
    )


def _members(fold: Fold, subjects: dict[int, Subject]) -> tuple[MemberView, ...]:
    found = []
    for each in fold.members[:NAMED]:
        about = subjects.get(each.message_id, _NOBODY)
        subject = about.subject or say("(no subject)")
        found.append(MemberView(each.message_id, subject, _say_whose(each, about), each.last_ms))
    return tuple(found)


def _say(fold: Fold, about: Subject) -> tuple[str, str, str]:
    """Title, what happened, and to whose copy."""
    newest, subject = fold.newest, about.subject or say("(no subject)")
    if len(fold.members) == 1:
        times = ""
        if newest.count > 1:
            times = say_number("%(number)s time", "%(number)s times", newest.count)
        whose = " · ".join(filter(None, (_say_whose(newest, about), times)))
        return subject, say_sighting(newest.kind, newest.verdict), whose
    if fold.mails == 1:
        return subject, _say_copies(newest.kind, len(fold.members)), ""
    words = say("Likely by people, or by their mail services for them")
    return _say_mails(newest.kind, fold.mails), words, ""


def _say_mails(kind: Kind, number: int) -> str:
    if kind == "open":
        return say_number(
            "%(number)s of your mails was opened", "%(number)s of your mails were opened", number
        )
    return say_number(
        "A link in %(number)s of your mails was followed",
        "Links in %(number)s of your mails were followed",
        number,
    )


def _say_copies(kind: Kind, number: int) -> str:
    if kind == "open":
        return say_number(
            "%(number)s copy was opened, likely by its reader",
            "%(number)s copies were opened, likely by their readers",
            number,
        )
    return say_number(
        "A link in %(number)s copy was followed, likely by its reader",
        "Links in %(number)s copies were followed, likely by their readers",
        number,
    )


def _say_whose(note: Notification, about: Subject) -> str:
    """Whose copy it was; never more than is known."""
    recipients = list(dict.fromkeys(about.recipients))
    if 0 < note.recipient <= len(about.recipients):
        return say("The copy of %(address)s", address=about.recipients[note.recipient - 1])
    if len(recipients) == 1:
        return say("To %(address)s", address=recipients[0])
    if not recipients:
        return ""
    return say_number(
        "The copy that %(number)s recipient has",
        "The copy that %(number)s recipients share",
        len(recipients),
    )


def _read_mails(text: str) -> Sequence[int]:
    """Message ids out of a form; what cannot be one is passed over."""
    return list(islice(_numbers(text.split(), 16), MAX_KEPT))


def _numbers(words: Iterable[str], base: int) -> Iterable[int]:
    for word in words:
        with suppress(ValueError):
            if 0 <= (number := int(word, base)) <= LARGEST_ID:
                yield number


def _read_number(text: str) -> int | None:
    """A moment out of a URL or form; None for what cannot be one."""
    return next(iter(_numbers([text], 10)), None)
