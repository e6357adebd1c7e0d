"""What became of a sender's mail over some days or weeks: figures, rates, and what led them.

Days and weeks (from Monday) are in UTC, as in the API: a link to a period shows the same to
everyone, and the figures of a day are the same wherever they are asked for.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from collector.keys import READ_LABEL, STORE
from collector.leaders import Leader, LeadingLink, read_leaders, read_leading_links
from collector.pages import figures
from collector.pages.figures import Figures
from collector.pages.messages import label_links
from collector.pages.rendering import render
from collector.pages.session import form_token
from collector.periods import STEPS, Step, read_periods
from collector.senders import Sender
from collector.stats import LinkRow

LEADERS = 5


def _(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Span:
    """So many days or weeks up to today; `title` is English."""

    key: str
    title: str
    step: Step
    count: int


SPANS: Final = {
    span.key: span
    for span in (
        Span("7d", _("7 days"), STEPS["day"], 7),
        Span("30d", _("30 days"), STEPS["day"], 30),
        Span("90d", _("90 days"), STEPS["day"], 90),
        Span("12w", _("12 weeks"), STEPS["week"], 12),
        Span("52w", _("52 weeks"), STEPS["week"], 52),
    )
}
DEFAULT: Final = SPANS["30d"]


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link that was followed, of which mail, and how often."""

    label: str
    link: LeadingLink
    clicks: str


@dataclass(frozen=True, slots=True)
class MailView:
    """A mail that was opened, and how often."""

    mail: Leader
    opens: str


@dataclass(frozen=True, slots=True)
class OverviewView:
    """All that the page shows."""

    span: Span
    figures: Figures
    links: tuple[LinkView, ...]
    mails: tuple[MailView, ...]


async def show_overview(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /overview?period=30d"""
    span = SPANS.get(request.query.get("period", ""), DEFAULT)
    return await render(
        request,
        "overview.html",
        sender=sender,
        form_token=form_token(request),
        spans=SPANS.values(),
        view=await _read(request, sender, span),
    )


async def _read(request: web.Request, sender: Sender, span: Span) -> OverviewView:
    store, step = request.app[STORE], span.step
    now_ms = time.time_ns() // 1_000_000
    last = step.number(now_ms)
    since_ms, until_ms = step.begin(last - span.count + 1), step.begin(last + 1)
    within = {"since_ms": since_ms, "until_ms": until_ms}
    periods, links, mails = await asyncio.gather(
        read_periods(store, sender.id, step=step, **within),
        read_leading_links(store, sender.id, limit=LEADERS, **within),
        read_leaders(store, sender.id, kind="open", limit=LEADERS, **within),
    )
    # Parsing HTML takes long enough to leave the loop for.
    rows = tuple(LinkRow(rank, each.target, each.html) for rank, each in enumerate(links))
    labels = await asyncio.to_thread(label_links, rows, request.app[READ_LABEL])
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    return OverviewView(
        span,
        figures.view(periods, step.length_ms, today),
        tuple(
            LinkView(labels[rank], each, figures.say_clicks(each.count))
            for rank, each in enumerate(links)
        ),
        tuple(MailView(each, figures.say_opens(each.count)) for each in mails),
    )
