"""The bell in a browser: live in every tab, one stream a page, by keyboard, without scripts."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
LETTER = '<p>Hello, see <a href="http://localhost/plans">the plans</a>.</p>'
SMALL = {"viewport": {"width": 1100, "height": 640}, "reduced_motion": "reduce"}
MAILING = ("Ida", "Jan", "Kim", "Lou", "Max")
WIDE = "document.documentElement.scrollWidth > window.innerWidth"


def button(page: Page, unread: int):
    name = f"Notifications, {unread} unread" if unread else "Notifications"
    return page.get_by_role("button", name=name, exact=True)


async def test_before_anything_happens(demo, open_page, axe) -> None:
    page = await open_page("/bell")
    await expect(page.get_by_role("heading", name="No notifications yet")).to_be_visible()
    assert await axe(page) == []
    await button(page, 0).click()
    await expect(page.get_by_role("region", name="Notifications")).to_contain_text("Nothing yet.")
    assert await axe(page) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mailbox(demo):
    await demo.send("Lunch on Thursday?", LETTER, "dora@inbox.example")
    await demo.send("Re: the keys", LETTER, "mum@inbox.example")
    await demo.send("Minutes of the meeting", LETTER, "team@inbox.example, carla@inbox.example")
    await demo.send("Your quote for the garden room", LETTER, "ben@inbox.example")


async def test_it_rings_in_every_tab_without_moving_anything(demo, mailbox, open_page) -> None:
    first = await open_page("/")
    pages = [first]
    for path in ("/settings", "/bell", "/demo"):
        pages.append(await first.context.new_page())
        await pages[-1].goto(f"{demo.url}{path}")
    for page in pages:
        await page.evaluate(
            """() => { window.shifted = 0;
              const add = each => { window.shifted += each.value; };
              new PerformanceObserver(list => list.getEntries().forEach(add))
                .observe({type: "layout-shift"}); }"""
        )
    await button(first, 0).focus()
    await demo.fetch(first, "Re: the keys", "o", GMAIL)
    for page in pages:
        await expect(button(page, 1)).to_be_visible()
        await expect(page).to_have_title(re.compile(r"^\(1\) "))
    await expect(button(first, 1)).to_be_focused()
    await demo.fetch(first, "Re: the keys", "o")  # no first one
    await demo.fetch(first, "Your quote", "c")
    for page in pages:
        await expect(button(page, 2)).to_be_visible()
    for page in pages[:2]:
        assert await page.evaluate("window.shifted") == 0


async def test_a_page_has_one_stream(demo, mailbox, open_page) -> None:
    for path in ("/", "/settings", "/bell"):
        page = await open_page()
        await page.goto("about:blank")
        streams: list[str] = []
        page.on(
            "request",
            lambda made, into=streams: "/live" in made.url and into.append(made.url),
        )
        await page.goto(f"{demo.url}{path}")
        await page.locator("#bell-button").click()
        await expect(page.locator("#notes-recent").get_by_text("Re: the keys")).to_be_visible()
        assert len(streams) == 1


async def test_by_keyboard(demo, mailbox, open_page, tab_to) -> None:
    page = await open_page("/settings")
    await tab_to(page, button(page, 2))
    await page.keyboard.press("Enter")
    popover = page.locator("#notifications")
    await expect(popover.get_by_role("button", name="Mark all as read")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(popover).to_be_hidden()
    await expect(button(page, 2)).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(popover.get_by_role("button", name="Mark all as read")).to_be_focused()
    await tab_to(page, popover.get_by_role("link", name="Re: the keys"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Re: the keys")).to_be_visible()
    await expect(button(page, 1)).to_be_visible()  # whoever looks has read it


async def test_read_one_and_read_all(demo, mailbox, open_page) -> None:
    page = await open_page("/bell")
    other = await page.context.new_page()
    await other.goto(f"{demo.url}/settings")
    await demo.fetch(page, "Minutes", "o")
    await expect(button(page, 2)).to_be_visible()
    await page.get_by_role("button", name="Mark as read: Minutes of the meeting").click()
    for each in (page, other):
        await expect(button(each, 1)).to_be_visible()
    await expect(page.locator("#notes .note.unread")).to_have_count(1)
    await button(other, 1).click()
    await other.locator("#notifications").get_by_role("button", name="Mark all as read").click()
    for each in (page, other):
        await expect(button(each, 0)).to_be_visible()
        await expect(each).to_have_title(re.compile(r"^[^(]"))
    await expect(page.locator("#notes .note.unread")).to_have_count(0)


async def test_without_scripts(demo, mailbox, open_page) -> None:
    page = await open_page("/settings", java_script_enabled=False)
    await page.get_by_role("link", name="Notifications").first.click()
    await expect(page.get_by_role("heading", name="Notifications")).to_be_visible()
    await expect(page.locator("#notes .note")).to_have_count(3)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mailing(demo):
    """The same to several people, a mail each."""
    for name in MAILING:
        await demo.send(f"Winter news for {name}", LETTER, f"{name.lower()}@inbox.example")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 320])
async def test_looks_right_everywhere(
    demo, mailbox, mailing, open_page, axe, picture, scheme: str, width: int
) -> None:
    options = SMALL | {"color_scheme": scheme, "viewport": {"width": width, "height": 700}}
    page = await open_page("/bell", **options)
    for name in MAILING:
        await demo.fetch(page, f"Winter news for {name}", "o")
    await demo.fetch(page, "Lunch", "c")
    await demo.fetch(page, "Minutes", "c")
    await expect(page.locator("#notes").get_by_text("5 of your mails were opened")).to_have_count(2)
    await expect(page.locator("#notes").get_by_role("link", name="Minutes")).to_have_count(2)
    await page.get_by_text("Which ones…").click()
    await expect(page.get_by_role("link", name="Winter news for Ida")).to_be_visible()
    assert await axe(page) == []
    assert not await page.evaluate(WIDE)
    await page.evaluate("scrollTo(0, 0)")
    name = {1100: scheme, 320: f"phone-{scheme}"}[width]
    if scheme == "light":
        await picture(page, f"screenshots/bell-page-{name}.png")
    await page.locator("#bell-button").click()
    recent = page.locator("#notes-recent")
    await expect(recent.get_by_text("5 of your mails were opened")).to_be_visible()
    assert await axe(page) == []
    assert not await page.evaluate(WIDE)
    await picture(page, f"screenshots/bell-{name}.png")
