"""The admin's pages in a browser."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sites import Site, open_site

from collector.pages.session import SESSION_SECONDS
from collector.senders import Sender
from collector.waiting import Waiting

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

HOUR = 3_600_000
SHAPES = [
    {"viewport": {"width": 1100, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"},
    {"viewport": {"width": 375, "height": 900}, "color_scheme": "light"},
]
NAMES = ["light", "dark", "phone"]
TEAM = ("app", "ben@garden-rooms.example", "clara@garden-rooms.example", "luc@garden-rooms.example")


class Queue:
    """Twelve mails that wait for an upstream that is away."""

    def __init__(self, since_ms: int) -> None:
        self.since_ms = since_ms

    async def waiting(self) -> tuple[Waiting, ...]:
        name = "smtp.garden-rooms.example:587"
        return (Waiting(upstream=name, count=12, held=1, oldest_ms=self.since_ms, is_away=True),)

    def hurry(self, upstream: str) -> int:
        return 11


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staffed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, Sender]]:
    folder: Path = tmp_path_factory.mktemp("site")
    now = time.time_ns() // 1_000_000

    problem = "mail waits for an upstream that is away: smtp.garden-rooms.example:587"
    async with open_site(
        folder, queue=Queue(now - 3 * HOUR), alarms=lambda: {"upstream": problem}
    ) as site:
        ana = await site.senders.add(
            "ana@garden-rooms.example",
            "secret",
            ["ana@garden-rooms.example", "hello@garden-rooms.example"],
        )
        await site.senders.set_admin(ana.id, True)
        for login in TEAM:
            addresses = [login if "@" in login else "*@app.garden-rooms.example"]
            added = await site.senders.add(login, "secret", addresses)
            for hours in range(len(login) - 2):
                mail = await site.add_mail(added, at_ms=now - hours * 5 * HOUR)
                await site.hit(added, mail, "open", at_ms=now - hours * 4 * HOUR)
        await site.senders.set_enabled(added.id, False)
        yield site, ana


@pytest_asyncio.fixture(loop_scope="module")
async def visit(staffed: tuple[Site, Sender], open_context):
    """`await visit(path, **options)`: the page, signed in."""
    site, ana = staffed

    async def open_one(path: str = "/admin", **options: object) -> Page:
        context = await open_context(**({"reduced_motion": "reduce"} | options))
        token = await site.senders.open_session(ana.id, SESSION_SECONDS)
        cookie = {"name": "letterbell_session", "value": token, "url": site.url}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(site.url + path)
        return page

    return open_one


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_looks(visit, axe, picture, request, shape) -> None:
    page = await visit(**shape)
    await expect(page.get_by_role("heading", name="Health")).to_be_visible()
    assert await axe(page) == []
    await picture(page, f"screenshots/admin-{request.node.callspec.id}.png")
    await page.get_by_role("link", name="clara@garden-rooms.example").click()
    await expect(page.get_by_role("button", name="Reset the password")).to_be_visible()
    assert await axe(page) == []
    await picture(page, f"screenshots/admin-sender-{request.node.callspec.id}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_fits_on_a_small_phone(staffed, visit, axe, scheme: str) -> None:
    _, ana = staffed
    for path in ("/admin", f"/admin/senders/{ana.id}"):
        page = await visit(path, viewport={"width": 320, "height": 700}, color_scheme=scheme)
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        assert await axe(page) == []


async def test_a_sender_is_found_added_and_disabled_by_keyboard(visit, axe, tab_to) -> None:
    page = await visit()
    await tab_to(page, page.get_by_role("textbox", name="Login or address"))
    await page.keyboard.type("clara")
    await page.keyboard.press("Enter")
    await expect(page.locator(".members li")).to_have_count(1)
    await tab_to(page, page.get_by_role("textbox", name="Login", exact=True))
    await page.keyboard.type("dora@garden-rooms.example")
    await page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="dora@garden-rooms.example is added")
    await expect(heading).to_be_visible()
    await expect(page.locator("#password")).not_to_be_empty()
    assert await axe(page) == []
    await tab_to(page, page.get_by_role("link", name="← dora@garden-rooms.example"))
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("button", name="Disable"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Enable")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("Saved.")


async def test_without_scripts(visit) -> None:
    page = await visit(java_script_enabled=False)
    await page.get_by_role("link", name="app", exact=True).click()
    await page.get_by_role("button", name="Reset the password").click()
    await expect(page.locator("#password")).not_to_be_empty()


async def test_ones_own_rights_are_for_others_to_take(staffed, visit) -> None:
    _, ana = staffed
    page = await visit(f"/admin/senders/{ana.id}")
    await expect(page.get_by_role("button", name="Disable")).to_be_disabled()
    await expect(page.get_by_text("This is you")).to_be_visible()


async def test_a_sender_sees_no_way_here(staffed, open_context) -> None:
    site, _ = staffed
    [found] = [each for each in await site.senders.list() if each.login == "app"]
    context = await open_context()
    token = await site.senders.open_session(found.id, 600)
    cookie = {"name": "letterbell_session", "value": token, "url": site.url}
    await context.add_cookies([cookie])
    page = await context.new_page()
    await page.goto(site.url)
    await expect(page.get_by_role("link", name="Overview")).to_be_visible()
    await expect(page.get_by_role("link", name="Admin")).to_have_count(0)
