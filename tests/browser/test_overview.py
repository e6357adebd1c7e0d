"""The overview in a browser: the chart over the table, by every way of looking at it."""

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

HOUR, DAY = 3_600_000, 86_400_000
SHAPES = [
    {"viewport": {"width": 1100, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"},
    {"viewport": {"width": 375, "height": 900}, "color_scheme": "light"},
]
NAMES = ["light", "dark", "phone"]
SUBJECTS = (
    "Your quote for the garden room",
    "Photos of the oak",
    "Notes from our call, and what we agreed about the budget for next spring",
    "Invoice 2026-118",
    "Lunch on Thursday?",
    "The mill has answered",
)
LINKS = (
    SentLink(0, "https://garden-rooms.example/plans/42?ref=mail", "See <b>the plans</b>"),
    SentLink(1, "https://garden-rooms.example/visit", '<img alt="Pick a day">'),
    SentLink(2, "https://garden-rooms.example/oak-and-larch", "Oak or larch"),
)
# How many mails go out on a day, from Monday on.
WEEK = (5, 7, 4, 6, 3, 1, 0)
# The three that most of the chart is painted with.
COLOURS = """() => {
  const drawn = document.querySelector(".chart canvas");
  const {width, height} = drawn;
  const context = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  context.drawImage(drawn, 0, 0);
  const octets = context.getImageData(0, 0, width, height).data;
  const counts = new Map();
  for (let at = 0; at < octets.length; at += 4) {
    if (octets[at + 3] < 255) continue;
    const colour = octets.slice(at, at + 3).join();
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([colour]) => colour);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, Sender]]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(folder) as site:
        ana = await site.senders.add(
            "ana@garden-rooms.example", "secret", ["ana@garden-rooms.example"]
        )
        await fill(site, ana, time.time_ns() // 1_000_000)
        yield site, ana


async def fill(site: Site, ana: Sender, now: int) -> None:
    """A hundred days of mail: most is opened, some machines fetch, a few links are followed."""
    number = 0
    for day in range(100, -1, -1):
        at_ms = now - day * DAY
        for _ in range(WEEK[(at_ms // DAY + 3) % 7] + (day % 9 == 0)):
            number += 1
            subject = SUBJECTS[number % len(SUBJECTS)]
            to = ("ben@inbox.example", "clara@atelier.example")[: 1 + number % 2]
            mail = await site.add_mail(
                ana, subject, to, LINKS, at_ms=at_ms, tracked=bool(number % 11)
            )
            if number % 11 == 0:
                continue
            if number % 5 < 3:
                for _ in range(1 + number * 7 % 9):
                    await site.hit(ana, mail, "open", at_ms=at_ms + HOUR)
            elif number % 5 == 3:
                await site.hit(ana, mail, "open", verdict="prefetch", rule="apple-prefetch")
            if number % 7 < 2 and number % 5 < 3:
                for _ in range(1 + number * 5 % 7):
                    await site.hit(ana, mail, "click", link=number // 7 % 3, at_ms=at_ms + 2 * HOUR)


@pytest_asyncio.fixture(loop_scope="module")
async def visit(filled: tuple[Site, Sender], open_context):
    """`await visit(path, **options)`: the page, signed in."""
    site, ana = filled

    async def open_one(path: str = "/overview", **options: object) -> Page:
        context = await open_context(**({"reduced_motion": "reduce"} | options))
        token = await site.senders.open_session(ana.id, 600)
        cookie = {"name": "letterbell_session", "value": token, "url": site.url}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(site.url + path)
        return page

    return open_one


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_looks(visit, axe, picture, request, shape) -> None:
    page = await visit(**shape)
    await expect(page.locator(".chart canvas")).to_be_visible()
    await expect(page.get_by_role("row")).to_have_count(30 + 3)
    assert await axe(page) == []
    await picture(page, f"screenshots/overview-{request.node.callspec.id}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("period", ["7d", "90d", "52w"])
async def test_fits_on_a_small_phone(visit, axe, scheme: str, period: str) -> None:
    page = await visit(
        f"/overview?period={period}",
        viewport={"width": 320, "height": 700},
        color_scheme=scheme,
    )
    await expect(page.locator(".chart canvas")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    assert await axe(page) == []


async def test_the_chart_moves_nothing(visit) -> None:
    page = await visit("/settings")
    await page.context.add_init_script(
        """window.shifted = 0;
        const add = each => { window.shifted += each.value; };
        new PerformanceObserver(list => list.getEntries().forEach(add))
          .observe({type: "layout-shift", buffered: true});"""
    )
    await page.get_by_role("link", name="Overview").click()
    await expect(page.locator(".chart canvas")).to_be_visible()
    await page.evaluate("document.fonts.ready")
    assert await page.evaluate("window.shifted") == 0


async def test_a_day_tells_its_numbers(visit) -> None:
    page = await visit("/overview?period=7d")
    days, keys = page.locator(".keys .days"), page.locator(".keys b")
    every = await days.text_content()
    sent = await page.locator("tfoot [data-series=sent]").text_content()
    await expect(keys.first).to_have_text(sent)
    box = await page.locator(".chart .u-over").bounding_box()
    await page.mouse.move(box["x"] + box["width"] * 0.5 / 7, box["y"] + box["height"] / 2)
    oldest = page.locator("#course tbody tr").last
    await expect(days).to_have_text(await oldest.locator("th").text_content())
    for at, name in enumerate(("sent", "opened", "clicked")):
        told = await oldest.locator(f"[data-series={name}]").text_content()
        await expect(keys.nth(at)).to_have_text(told)
    await page.mouse.move(0, 0)
    await expect(days).to_have_text(every)
    await expect(keys.first).to_have_text(sent)


async def test_colours_follow_the_scheme(visit) -> None:
    page = await visit(color_scheme="light")
    await expect(page.locator(".chart canvas")).to_be_visible()
    light = await page.evaluate(COLOURS)
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_function(f"light => ({COLOURS})()[0] !== light", arg=light[0])
    wanted = await page.evaluate(
        """[...document.querySelectorAll(".key i")].map(
          each => getComputedStyle(each).backgroundColor.match(/\\d+/g).slice(0, 3).join())"""
    )
    assert set(await page.evaluate(COLOURS)) == set(wanted)


async def test_the_chart_follows_the_windows_width(visit) -> None:
    page = await visit(viewport={"width": 1100, "height": 900})
    canvas, place = page.locator(".chart canvas"), page.locator(".chart .canvas")
    await expect(canvas).to_be_visible()
    for width in (900, 400, 1200):
        await page.set_viewport_size({"width": width, "height": 900})
        wanted = (await place.bounding_box())["width"]
        await page.wait_for_function(
            "wanted => Math.abs(document.querySelector('.chart canvas').clientWidth - wanted) <= 1",
            arg=wanted,
        )


async def test_without_scripts_the_table_is_there(visit) -> None:
    page = await visit("/overview?period=12w", java_script_enabled=False)
    await expect(page.locator(".chart")).to_be_hidden()
    await expect(page.get_by_role("row")).to_have_count(12 + 3)
    await page.get_by_role("link", name="7 days").click()
    await expect(page.get_by_role("row")).to_have_count(7 + 3)


async def test_by_keyboard(visit, tab_to) -> None:
    page = await visit()
    link = page.get_by_role("link", name="90 days")
    await tab_to(page, link)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row")).to_have_count(90 + 3)
    await expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    table = page.get_by_role("region", name="The figures, as a table")
    await tab_to(page, table)
    await page.keyboard.press("End")
    await page.wait_for_function("() => document.querySelector('.scroll').scrollTop > 0")


async def test_a_sender_without_mail_reads_why_it_is_empty(
    filled, open_context, axe, picture
) -> None:
    site, _ = filled
    eve = await site.senders.add("eve@garden-rooms.example", "secret", [])
    context = await open_context(viewport={"width": 320, "height": 700})
    token = await site.senders.open_session(eve.id, 600)
    cookie = {"name": "letterbell_session", "value": token, "url": site.url}
    await context.add_cookies([cookie])
    page = await context.new_page()
    await page.goto(site.url + "/overview")
    await expect(page.get_by_role("heading", name="Nothing sent in this time")).to_be_visible()
    assert await axe(page) == []
