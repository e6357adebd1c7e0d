"""The list of the sender's mail, newest first: narrowed as its address says, a page at a time.

A page is known by its cursor: the id that all of its mails are before. Ids go by time and never
change, so a page neither skips nor repeats a mail, however many come meanwhile.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from collector.filters import LARGEST_ID
from collector.keys import STATS
from collector.pages import marks
from collector.pages.marks import Mark
from collector.pages.narrowing import EVERY_MAIL, PERIODS, Narrowing, read_narrowing, say_period
from collector.pages.rendering import render
from collector.pages.session import form_token
from collector.pages.wording import say_state
from collector.senders import Sender
from collector.stats import MessageRow

PAGE = 50


@dataclass(frozen=True, slots=True)
class MailView:
    """One mail as lists show it."""

    row: MessageRow
    eye: Mark
    link: Mark
    state: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """A page of mails. `before` is its own cursor, None on the newest page; `older` the next
    page's, if there is one."""

    mails: tuple[MailView, ...]
    narrowing: Narrowing
    before: int | None
    older: int | None

    @property
    def ids(self) -> tuple[int, ...]:
        """Of its mails, newest first."""
        return tuple(mail.row.message_id for mail in self.mails)

    @property
    def newest_address(self) -> str:
        """Of the newest page."""
        return self.narrowing.address()

    @property
    def newer_address(self) -> str | None:
        """Of the page that was before this one."""
        if self.before is None:
            return None
        return self.narrowing.address(after=self.before - 1)

    @property
    def older_address(self) -> str | None:
        """Of the page that comes behind this one."""
        return None if self.older is None else self.narrowing.address(before=self.older)

    @property
    def live_address(self) -> str:
        """Of its updates, those of the links to other pages included."""
        return self.narrowing.address("/live", before=self.before, paged="yes")

    @property
    def known_recipients(self) -> list[str]:
        """Whom its mails went to: suggestions."""
        return sorted({each for mail in self.mails for each in mail.row.recipients})


async def show_list(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /: a page of mails. `before=ID` and `after=ID` are cursors, without them it is the
    newest; the others narrow it (narrowing.py)."""
    page = await read_list(
        request,
        sender,
        read_narrowing(request.query),
        before=read_id(request.query.get("before")),
        after=read_id(request.query.get("after")),
    )
    return await render(
        request,
        "messages.html",
        sender=sender,
        form_token=form_token(request),
        page=page,
        periods=[(days, say_period(days)) for days in PERIODS],
        erased="erased" in request.query,
    )


async def read_list(
    request: web.Request,
    sender: Sender,
    narrowing: Narrowing = EVERY_MAIL,
    *,
    before: int | None = None,
    after: int | None = None,
) -> ListView:
    """A page of the sender's mails: those before a cursor, else the last ones after one, else the
    newest."""
    stats, matching = request.app[STATS], narrowing.matching(_now_ms())
    if before is None and after is not None:
        rows = await stats.recent(sender.id, after=after, limit=PAGE + 1, matching=matching)
        if len(rows) > PAGE:
            older = rows[-1].message_id
            return _view(rows[1:], narrowing, before=rows[0].message_id, older=older)
    rows = await stats.recent(sender.id, before=before, limit=PAGE + 1, matching=matching)
    return _view(rows, narrowing, before=before, older=None)


async def renew_list(
    request: web.Request, sender: Sender, page: ListView, changed: Collection[int]
) -> ListView:
    """The page as it is now that these messages have changed.

    Which mails belong to it is asked of these and its own alone, however many there are.
    """
    first = LARGEST_ID if page.before is None else page.before - 1
    last = 0 if page.older is None else page.older
    ids = [each for each in {*page.ids, *changed} if last <= each <= first]
    matching = page.narrowing.matching(_now_ms())
    rows = await request.app[STATS].among(sender.id, ids, matching=matching)
    return _view(rows, page.narrowing, before=page.before, older=page.older)


def _view(
    rows: list[MessageRow], narrowing: Narrowing, *, before: int | None, older: int | None
) -> ListView:
    """The first PAGE of the rows. That there are more behind is known (`older`), or seen here."""
    mails = tuple(view_mail(row) for row in rows[:PAGE])
    if mails and (older is not None or len(rows) > PAGE):
        older = mails[-1].row.message_id
    return ListView(mails=mails, narrowing=narrowing, before=before, older=older)


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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
