"""A list as it looks after some weeks: what its icons say, and how it looks."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sites import Site, open_site

from collector.senders import Sender
from collector.store import SentLink

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SHAPES = [
    {"viewport": {"width": 1100, "height": 640}, "color_scheme": "light"},
    {"viewport": {"width": 1100, "height": 640}, "color_scheme": "dark"},
    {"viewport": {"width": 375, "height": 720}, "color_scheme": "light"},
]
NAMES = ["light", "dark", "phone"]
LINKS = (
    SentLink(0, "https://garden-rooms.example/plans/42?ref=mail", "See <b>the plans</b>"),
    SentLink(1, "https://garden-rooms.example/visit", '<img alt="Pick a day">'),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ana_at_home(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Site, Sender]]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(folder) as site:
        sender = await site.senders.add(
            "ana@garden-rooms.example", "secret", ["ana@garden-rooms.example"]
        )
        await fill(site, sender, time.time_ns() // 1_000_000)
        yield site, sender


async def fill(site: Site, ana: Sender, now: int) -> None:
    """Eight mails, oldest first, each with a story of its own."""

    async def mail(ago: int, subject: str, *to: str, **options: object) -> tuple[int, int]:
        at_ms = now - ago
        number = await site.add_mail(ana, subject, to, LINKS, at_ms=at_ms, **options)
        reply = "250 2.0.0 Ok: queued as 4F1C8A2B"
        await site.deliver(ana, number, reply, "delivered", at_ms=at_ms + 800)
        return number, at_ms

    async def hits(sent: tuple[int, int], *found: tuple[str, int, str, str]) -> None:
        number, at_ms = sent
        for kind, after, verdict, rule in found:
            link = 0 if kind == "click" else None
            await site.hit(
                ana, number, kind, at_ms=at_ms + after, verdict=verdict, rule=rule, link=link
            )

    person, gmail = ("person", "browser"), ("proxy", "google-proxy")
    words = "Dear all, our spring catalogue is here: forty garden rooms in oak, larch and glass"
    sent = await mail(40 * DAY, "Spring catalogue", "office@bigcorp.example", snippet=words)
    await site.deliver(ana, sent[0], "550 5.1.1 no such user", "refused", at_ms=sent[1] + 900)
    sent = await mail(
        9 * DAY,
        "Notes from our call, and what we agreed about the budget for next spring",
        "team@atelier.example",
        "clara@atelier.example",
        "luc@atelier.example",
        snippet="Thank you for your time today. As promised, here is what we agreed upon",
    )
    await hits(
        sent,
        ("open", 35 * MINUTE, *person),
        *[("open", n * HOUR, *person) for n in range(2, 13)],
        ("click", 36 * MINUTE, *person),
    )
    await mail(3 * DAY, "Re: keys", "dora@inbox.example", tracked=False, reason="no HTML part")
    words = "Please find attached our invoice for the foundations. It is due within 30 days"
    sent = await mail(2 * DAY, "Invoice 2026-118", "accounts@bigcorp.example", snippet=words)
    await hits(sent, ("open", 3_000, "scanner", "safe-links"))
    words = "You should have seen it this morning, with the frost on it"
    sent = await mail(26 * HOUR, "Photos of the oak", "mum@inbox.example", snippet=words)
    await hits(sent, ("open", 14 * HOUR, *gmail), ("open", 15 * HOUR, *gmail))
    words = "Hello Ben, as we said on the phone: the room as drawn comes to 18,400, with the stove"
    sent = await mail(
        5 * HOUR, "Your quote for the garden room", "ben@inbox.example", snippet=words
    )
    await hits(
        sent,
        ("open", 900, "prefetch", "apple-prefetch"),
        ("open", 2 * MINUTE, *person),
        ("click", 3 * MINUTE, *person),
        ("open", 2 * HOUR, *gmail),
    )
    words = "Are you free at one? The place by the canal has opened again"
    await mail(20 * MINUTE, "Lunch on Thursday?", "clara@atelier.example", snippet=words)
    words = "They can cut it next week. Shall I say yes?"
    await mail(2 * MINUTE, "The mill has answered", "ben@inbox.example", snippet=words)


@pytest_asyncio.fixture(loop_scope="module")
async def visit(ana_at_home: tuple[Site, Sender], open_context):
    """`await visit(path, **options)`: the page, signed in."""
    site, ana = ana_at_home

    async def open_one(path: str, **options: object) -> Page:
        context = await open_context(reduced_motion="reduce", **options)
        token = await site.senders.open_session(ana.id, 60)
        cookie = {"name": "letterbell_session", "value": token, "url": site.url}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(site.url + path)
        return page

    return open_one


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_icons_tell_each_mails_story(visit, axe, picture, request, shape) -> None:
    page = await visit("/", **shape)
    rows = page.locator(".mail")
    await expect(rows).to_have_count(8)
    told = [await mark.get_attribute("data-state") for mark in await rows.locator(".mark").all()]
    assert told == [
        *("waiting", "waiting"),  # The mill has answered
        *("waiting", "waiting"),  # Lunch
        *("hit", "hit"),  # Your quote
        *("hit", "waiting"),  # Photos
        *("waiting", "waiting"),  # Invoice: a scanner is not a reader
        *("off", "off"),  # Re: keys
        *("hit", "hit"),  # Notes
        *("waiting", "waiting"),  # Spring catalogue
    ]
    await expect(rows.nth(6).locator(".count").first).to_have_text("12")
    await expect(rows.nth(7)).to_contain_text("Refused")
    eye = rows.nth(2).locator(".mark").first
    await eye.get_by_role("button").focus()
    await expect(eye.get_by_role("tooltip")).to_be_visible()
    await expect(eye.get_by_role("tooltip")).to_contain_text(
        re.compile(r"Opened 2 minutes after it was sent\s+likely a person; twice in all")
    )
    assert await axe(page) == []
    await picture(page, f"screenshots/list-{request.node.callspec.id}.png")


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_settings_look(visit, axe, picture, request, shape) -> None:
    page = await visit("/settings", **shape)
    await expect(page.get_by_label("Track opens")).to_be_checked()
    await expect(page.get_by_text("ana@garden-rooms.example").last).to_be_visible()
    assert await axe(page) == []
    await picture(page, f"screenshots/settings-{request.node.callspec.id}.png")
