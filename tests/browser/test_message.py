"""One mail's page: what it tells at a glance, why on hover and focus, and how it looks."""

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sites import Site, open_site

from collector.senders import Sender
from collector.store import SentLink, Wished

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
SHAPES = [
    {"viewport": {"width": 1100, "height": 860}, "color_scheme": "light"},
    {"viewport": {"width": 1100, "height": 860}, "color_scheme": "dark"},
    {"viewport": {"width": 375, "height": 812}, "color_scheme": "light"},
]
NAMES = ["light", "dark", "phone"]
NARROW = {"width": 320, "height": 700}
FIREFOX, THUNDERBIRD = "Firefox on Windows", "Thunderbird on Linux"
LINKS = (
    SentLink(0, "https://garden-rooms.example/plans/42?ref=mail", "See <b>the plans</b>"),
    SentLink(1, "https://garden-rooms.example/visit", '<img alt="Pick a day">'),
    SentLink(2, "https://garden-rooms.example/questions/what-happens-next", "What happens next"),
)
SKIPPED = (
    ("scheme", 1, "mailto:"),
    ("opt-out", 2, "shop.example"),
    ("unsubscribe", 1, "l.example"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at_home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, Sender]]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(folder) as site:
        login = "ana@garden-rooms.example"
        yield site, await site.senders.add(login, "secret", [login])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quote(at_home: tuple[Site, Sender]) -> int:
    """A mail to three, with a copy for each, some hours after it was sent."""
    site, ana = at_home
    at_ms = time.time_ns() // 1_000_000 - 5 * HOUR
    people = ("ben@inbox.example", "clara@atelier.example", "luc@atelier.example")
    mail = await site.add_mail(
        ana,
        "Your quote for the garden room",
        people,
        LINKS,
        at_ms=at_ms,
        per_recipient=True,
        skipped=SKIPPED,
        wished=Wished(True, True, "header", "setting"),
    )
    await site.deliver(
        ana, mail, "250 2.0.0 Ok: queued as 4F1C8A2B", "delivered", at_ms=at_ms + 800
    )

    async def hit(after: int, kind: str, recipient: int, **told: object) -> None:
        await site.hit(ana, mail, kind, at_ms=at_ms + after, recipient=recipient, **told)

    await hit(900, "open", 2, verdict="prefetch", rule="apple-prefetch")
    await hit(2 * MINUTE, "open", 1, agent=FIREFOX)
    await hit(3 * MINUTE, "click", 1, link=0, agent=FIREFOX)
    await hit(4 * MINUTE, "click", 1, link=1, agent=FIREFOX)
    for each in range(6):
        await hit(30 * MINUTE + each * 9 * SECOND, "open", 2, verdict="proxy", rule="google-proxy")
    await hit(2 * HOUR, "click", 2, link=0, agent=THUNDERBIRD)
    await hit(3 * HOUR, "open", 3, verdict="scanner", rule="safe-links")
    return mail


@pytest_asyncio.fixture(loop_scope="module")
async def visit(at_home: tuple[Site, Sender], open_context):
    """`await visit(path, **options)`: the page, signed in."""
    site, ana = at_home

    async def open_one(path: str, **options: object) -> Page:
        context = await open_context(**({"reduced_motion": "reduce"} | options))
        token = await site.senders.open_session(ana.id, 60)
        cookie = {"name": "letterbell_session", "value": token, "url": site.url}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(site.url + path)
        return page

    return open_one


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_one_mail_tells_all_of_it(visit, quote, axe, picture, request, shape) -> None:
    page = await visit(f"/mail/{quote}", **shape)
    await expect(page.locator(".fact .word")).to_have_text(
        ["Delivered", "Opened 7 times", "Clicked 3 times"]
    )
    await expect(page.locator("#facts")).to_contain_text("likely ben@inbox.example and clara@")
    await expect(page.locator(".timeline .what")).to_have_text(
        [
            "Sent",
            "Accepted by the mail server",
            "Loaded by Apple's privacy proxy",
            "Opened",
            "Link followed: “See the plans”",
            "Link followed: “Pick a day”",
            "Opened",
            "Link followed: “See the plans”",
            "Loaded by a security scanner",
        ]
    )
    await expect(page.get_by_text("6 times within a minute")).to_be_visible()
    await expect(page.locator(".left .target")).to_have_text(
        [
            "only web addresses can be tracked",
            "is marked as one not to track",
            "unsubscribes from the list",
        ]
    )
    await expect(page.get_by_text("by a header in the mail itself")).to_be_visible()
    assert await axe(page) == []
    name = "mail.png" if request.node.callspec.id == "light" else None
    await picture(page, name or f"screenshots/mail-{request.node.callspec.id}.png")
    if name:
        await picture(page, "screenshots/mail-light.png")


async def test_why_is_told_on_hover_and_focus(visit, quote, axe, tab_to) -> None:
    page = await visit(f"/mail/{quote}")
    word = page.get_by_role("button", name="may be no one")
    tip = page.get_by_role("tooltip").filter(has_text="privacy proxy loads everything")
    await expect(tip).to_be_hidden()
    await word.hover()
    await expect(tip).to_be_visible()
    await expect(tip).to_contain_text("It is not counted.")
    assert await axe(page) == []
    await page.mouse.move(0, 0)
    await expect(tip).to_be_hidden()
    await tab_to(page, word)
    await expect(tip).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()


async def test_a_phone_shows_it_all_without_going_sideways(visit, quote) -> None:
    page = await visit(f"/mail/{quote}", viewport=NARROW)
    assert await page.evaluate("document.scrollingElement.scrollWidth") == NARROW["width"]
    for button in await page.locator(".doubt button").all():
        await button.click()
        box = await page.locator(".doubt:focus-within .tip").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]


async def test_one_copy_alone_and_back(visit, quote) -> None:
    page = await visit(f"/mail/{quote}")
    await page.get_by_role("link", name="Only this copy: luc@").click()
    await expect(page.get_by_text("Only the copy of luc@atelier.example.")).to_be_visible()
    await expect(page.locator(".timeline .what")).to_have_text(
        ["Sent", "Accepted by the mail server", "Loaded by a security scanner"]
    )
    await page.get_by_role("link", name=re.compile("^Everybody")).click()
    await expect(page.locator(".timeline li")).to_have_count(9)


async def test_a_hit_comes_without_moving_what_is_there(at_home, visit) -> None:
    site, ana = at_home
    mail = await site.add_mail(ana, "Are you there?", links=LINKS)
    await site.deliver(ana, mail, "250 ok", "delivered")
    page = await visit(f"/mail/{mail}", viewport={"width": 1100, "height": 900})
    await page.evaluate("document.fonts.ready")
    await page.evaluate(
        """() => { window.shifted = 0;
          const add = each => { window.shifted += each.value; };
          new PerformanceObserver(list => list.getEntries().forEach(add))
            .observe({type: "layout-shift"}); }"""
    )
    await site.hit(ana, mail, "open", agent=FIREFOX)
    await expect(page.locator("#chip-eye")).to_have_text("Opened")
    await site.hit(ana, mail, "click", link=0, agent=FIREFOX)
    await expect(page.locator("#chip-link")).to_have_text("Clicked")
    await expect(page.locator(".timeline li")).to_have_count(4)
    for button in await page.locator(".doubt button").all():
        await expect(button).to_have_text("likely a person")
    assert await page.evaluate("window.shifted") == 0


async def test_what_was_opened_stays_open(at_home, visit) -> None:
    site, ana = at_home
    links = tuple(SentLink(n, f"https://x.example/{n}", f"Link {n}") for n in range(30))
    mail = await site.add_mail(ana, "Thirty links", links=links)
    page = await visit(f"/mail/{mail}")
    last = page.get_by_text("Link 29", exact=True)
    await expect(last).to_be_hidden()
    await page.get_by_text("22 more links").click()
    await expect(last).to_be_visible()
    await site.hit(ana, mail, "click", link=29)
    await expect(page.get_by_text("1 click", exact=True)).to_be_visible()
    await expect(last).to_be_visible()


async def test_a_thousand_hits_stay_readable(at_home, visit, axe) -> None:
    site, ana = at_home
    at_ms = time.time_ns() // 1_000_000 - 40 * 24 * HOUR
    people = tuple(f"reader{n}@list.example" for n in range(60))
    mail = await site.add_mail(ana, "Spring catalogue", people, LINKS, at_ms=at_ms)
    for number in range(300):
        await site.hit(
            ana, mail, "open", at_ms=at_ms + number * HOUR, agent=(FIREFOX, THUNDERBIRD)[number % 2]
        )
    page = await visit(f"/mail/{mail}")
    await expect(page.locator(".timeline li")).to_have_count(19)
    await expect(page.locator(".gap")).to_contain_text("283 more hits in between")
    await expect(page.get_by_text("52 more", exact=True)).to_be_visible()
    assert await axe(page) == []
    await page.get_by_role("link", name="Show all").click()
    await expect(page.locator(".timeline li")).to_have_count(301)
    assert await axe(page) == []


async def test_it_is_exported(visit, quote, tmp_path: Path) -> None:
    page = await visit(f"/mail/{quote}")
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="Export as JSON").click()
    download = await coming.value
    assert download.suggested_filename.endswith(f"-{quote:x}.json")
    await download.save_as(tmp_path / "mail.json")
    told = json.loads((tmp_path / "mail.json").read_text())
    assert len(told["hits"]) == 12
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="Export as CSV").click()
    assert (await coming.value).suggested_filename.endswith(".csv")
