"""The list in a browser: searched and narrowed, live all the while, by keyboard, without a jump."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from sites import Site, open_site

from collector.senders import Sender

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

HOUR = 3_600_000
NARROW = {"width": 320, "height": 700}
PEOPLE = ("ben@inbox.example", "clara@atelier.example", "accounts@bigcorp.example")
SUBJECTS = ("Your quote", "Lunch on Thursday?", "Invoice 2026-118")
SNIPPETS = (
    "Hello Ben, as we said on the phone: the room as drawn comes to 18,400, with the stove",
    "Are you free at one? The place by the canal has opened again",
    "Please find attached our invoice for the foundations. It is due within 30 days",
)
NUMBERS = count(1)
WATCH = """() => {
  window.shifted = 0;
  const add = each => { window.shifted += each.value; };
  new PerformanceObserver(list => list.getEntries().forEach(add)).observe({type: "layout-shift"});
}"""

Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(folder) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def ana(house: Site) -> Sender:
    """A sender of the test's own with 120 mails of three kinds; every third is opened."""
    login = f"ana{next(NUMBERS)}@garden-rooms.example"
    sender = await house.senders.add(login, "secret", [login])
    now = time.time_ns() // 1_000_000
    for n in range(120):
        sent = await house.add_mail(
            sender,
            f"{SUBJECTS[n % 3]} {n}",
            (PEOPLE[n % 3],),
            at_ms=now - (120 - n) * 6 * HOUR,
            tracked=n % 10 != 0,
            snippet=SNIPPETS[n % 3],
        )
        if n % 3 == 2 and n % 10:
            await house.hit(sender, sent, "open", at_ms=now - (120 - n) * 6 * HOUR + HOUR)
    return sender


@pytest_asyncio.fixture(loop_scope="module")
async def visit(house: Site, ana: Sender, open_context) -> Visit:
    """`await visit(path, **options)`: the page, signed in."""

    async def open_one(path: str = "/", **options: object) -> Page:
        context = await open_context(**options)
        token = await house.senders.open_session(ana.id, 60)
        cookie = {"name": "letterbell_session", "value": token, "url": house.url}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(house.url + path)
        return page

    return open_one


async def send(house: Site, ana: Sender, subject: str) -> int:
    """A mail of just now."""
    return await house.add_mail(ana, subject, at_ms=time.time_ns() // 1_000_000)


def rows(page: Page) -> Locator:
    return page.locator("#mails .mail")


def chip(page: Page, words: str) -> Locator:
    return page.get_by_role("navigation", name="Filters").get_by_role("link", name=words)


async def test_search_is_live_and_its_address_can_be_shared(visit: Visit, axe) -> None:
    page = await visit()
    await expect(rows(page)).to_have_count(50)
    await page.get_by_role("searchbox").press_sequentially("quote stove")
    await expect(rows(page)).to_have_count(40)
    await expect(page).to_have_url(re.compile(r"/\?q=quote\+stove$"))
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await chip(page, "Not opened").click()
    await expect(rows(page)).to_have_count(36)
    await expect(page).to_have_url(re.compile(r"/\?q=quote\+stove&opened=no$"))
    assert await axe(page) == []
    shared = await visit("/?q=quote+stove&opened=no")
    await expect(rows(shared)).to_have_count(36)
    await chip(shared, "Remove the filter: “quote stove”").click()
    await expect(shared.get_by_role("searchbox")).to_have_value("")
    await shared.go_back()
    await expect(shared.get_by_role("searchbox")).to_have_value("quote stove")


async def test_recipient_and_period(visit: Visit, axe) -> None:
    page = await visit()
    await page.get_by_text("Recipient and period").click()
    await page.get_by_label("To", exact=True).fill("CLARA@atelier.example")
    await expect(rows(page)).to_have_count(40)
    await page.get_by_label("Period").select_option("Last 7 days")
    await expect(rows(page)).to_have_count(9)
    assert await axe(page) == []
    await chip(page, "Remove the filter: To CLARA@atelier.example").click()
    await expect(rows(page)).to_have_count(27)
    await expect(page.get_by_label("Period")).to_have_value("7")


async def test_what_nothing_matches_says_so_and_leads_back(visit: Visit, axe, picture) -> None:
    page = await visit("/?q=walrus", viewport={"width": 1100, "height": 640})
    await expect(page.get_by_role("heading", name="No mail matches")).to_be_visible()
    assert await axe(page) == []
    await picture(page, "screenshots/list-empty.png")
    await page.locator(".empty").get_by_role("link", name="Show all mail").click()
    await expect(rows(page)).to_have_count(50)


async def test_without_scripts(visit: Visit) -> None:
    page = await visit(java_script_enabled=False)
    await page.get_by_role("searchbox").fill("lunch")
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_count(40)
    await chip(page, "Not tracked").click()
    await expect(rows(page)).to_have_count(4)
    await page.get_by_text("Recipient and period").click()
    await page.get_by_label("Period").select_option("Last 30 days")
    await page.get_by_role("button", name="Search").click()
    await expect(page).to_have_url(re.compile("q=lunch.*days=30.*tracked=no"))
    await expect(rows(page)).to_have_count(4)
    await expect(page.get_by_role("button", name="Keys")).to_have_count(0)


async def test_there_and_back_through_the_pages(visit: Visit) -> None:
    page = await visit("/?tracked=yes")
    await expect(page.get_by_role("link", name="Newer")).to_have_count(0)
    firsts = []
    for many in (50, 50, 8):
        await expect(rows(page)).to_have_count(many)
        firsts.append(await rows(page).first.get_attribute("id"))
        if many == 50:
            await page.keyboard.press("n")
            await page.wait_for_url(re.compile("before="))
            await expect(rows(page).first).not_to_have_id(firsts[-1])
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)
    await page.keyboard.press("p")
    await expect(rows(page).first).to_have_id(firsts[1])
    await page.get_by_role("link", name="Newer").click()
    await expect(rows(page).first).to_have_id(firsts[0])
    await expect(page).to_have_url(re.compile("tracked=yes"))


async def test_by_keys(visit: Visit, axe) -> None:
    page = await visit()
    for keys, at in (("j", 0), ("jj", 2), ("k", 1)):
        for key in keys:
            await page.keyboard.press(key)
        await expect(rows(page).nth(at).locator(".open")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(rows(page).nth(2).locator(".open")).to_be_focused()
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("jo?")
    await expect(page.get_by_role("searchbox")).to_have_value("jo?")
    await expect(page.get_by_role("heading", name="No mail matches")).to_be_visible()
    await page.get_by_role("searchbox").fill("")
    await expect(rows(page)).to_have_count(50)
    await page.keyboard.press("Escape")
    await expect(rows(page).first.locator(".open")).to_be_focused()
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    await expect(dialog).to_be_visible()
    assert await axe(page) == []
    await dialog.get_by_role("switch").uncheck()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("?")
    await page.keyboard.press("o")
    await expect(dialog).to_be_hidden()
    await page.reload()
    await page.get_by_role("button", name="Keys").click()
    await expect(dialog.get_by_role("switch")).not_to_be_checked()
    await dialog.get_by_role("switch").check()
    await dialog.get_by_role("button", name="Close").click()
    await page.keyboard.press("j")
    await page.keyboard.press("o")
    await expect(page.get_by_role("heading", name="Invoice 2026-118 119")).to_be_visible()


async def test_a_filtered_list_is_live(house: Site, ana: Sender, visit: Visit) -> None:
    page, opened = await visit("/?q=walrus&opened=no"), await visit("/?q=walrus&opened=yes")
    await expect(page.get_by_role("heading", name="No mail matches")).to_be_visible()
    await send(house, ana, "No such animal")
    sent = await send(house, ana, "The walrus")
    await expect(rows(page)).to_have_count(1)
    await expect(rows(opened)).to_have_count(0)
    await house.hit(ana, sent, "open")
    await expect(rows(page)).to_have_count(0)
    await expect(page.get_by_role("heading", name="No mail matches")).to_be_visible()
    await expect(rows(opened)).to_have_count(1)


async def test_mail_that_comes_shifts_nothing(house: Site, ana: Sender, visit: Visit) -> None:
    page = await visit()
    await page.evaluate("document.fonts.ready")
    await page.evaluate(WATCH)
    await send(house, ana, "Out of the blue")
    await expect(rows(page).first).to_contain_text("Out of the blue")
    await page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")
    assert await page.evaluate("window.shifted") == 0


async def test_no_row_moves_under_a_hand(house: Site, ana: Sender, visit: Visit) -> None:
    page = await visit()
    held = page.get_by_role("button", name="Show what has changed")
    first = await rows(page).first.get_attribute("id")
    await rows(page).nth(2).hover()
    sent = await send(house, ana, "Out of the blue")
    await expect(held).to_be_visible()
    await expect(rows(page).first).to_have_id(first)
    await house.hit(ana, sent, "open")  # of a row that is not there
    await house.hit(ana, int(first.removeprefix("mail-")), "click", link=0)
    await expect(rows(page).first.locator(".mark").nth(1)).to_have_attribute("data-state", "hit")
    await expect(rows(page).first).to_have_id(first)
    await page.mouse.move(5, 5)
    await expect(rows(page).first).to_contain_text("Out of the blue")
    await expect(rows(page).first.locator(".mark").first).to_have_attribute("data-state", "hit")
    await expect(held).to_be_hidden()
    # The same for who is there by keyboard.
    await page.keyboard.press("j")
    await send(house, ana, "And another")
    await expect(held).to_be_visible()
    await held.click()
    await expect(rows(page).first).to_contain_text("And another")
    # And it is still live.
    await send(house, ana, "The third")
    await expect(rows(page).first).to_contain_text("The third")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(visit: Visit, axe, picture, scheme: str) -> None:
    page = await visit(
        "/?q=quote&opened=no&days=30",
        color_scheme=scheme,
        viewport={"width": 1100, "height": 640},
        reduced_motion="reduce",
    )
    await expect(page.get_by_label("Period")).to_be_visible()
    assert await axe(page) == []
    if scheme == "light":
        await picture(page, "screenshots/list-filtered.png")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await axe(page) == []
    if scheme == "light":
        await picture(page, "screenshots/list-keys.png")


@pytest.mark.parametrize("path", ["/", "/?q=walrus", "/?q=quote&to=ben@inbox.example&days=30"])
async def test_fits_a_small_phone(visit: Visit, axe, picture, path: str) -> None:
    page = await visit(path, viewport=NARROW)
    await expect(page.get_by_role("heading", name="Your mail")).to_be_visible()
    assert await page.evaluate("document.scrollingElement.scrollWidth") == NARROW["width"]
    assert await axe(page) == []
    if "to=" in path:
        await picture(page, "screenshots/list-filtered-phone.png")
