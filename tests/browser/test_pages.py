"""The sender's pages in a browser: live, by keyboard, on a phone, in the dark, and for everyone."""

import asyncio
import re

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

PAGES = ("/demo", "/", "/settings")
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
LETTER = '<p>Hello, see <a href="http://localhost/plans">the plans</a>.</p>'
SMALL = {"viewport": {"width": 1100, "height": 640}, "reduced_motion": "reduce"}
NARROW = {"width": 320, "height": 700}


async def fetch(demo, page: Page, subject: str, kind: str, agent: str = BROWSER) -> None:
    """Loads the newest such mail's pixel ("o") or follows its link ("c"), as its reader would."""
    number = await page.evaluate(
        """async subject => {
          const text = await (await fetch("/demo")).text();
          const box = new DOMParser().parseFromString(text, "text/html").querySelector("#inbox");
          const mails = [...box.querySelectorAll("li")];
          const found = mails.find(each => each.textContent.includes(subject));
          return found.id.replace("delivered-", "");
        }""",
        subject,
    )
    letter = await page.evaluate(
        "async path => (await fetch(path)).text()", f"/demo/inbox/{number}/letter?images"
    )
    url = re.search(rf"{demo.url}/{kind}/[\w-]+", letter)[0]
    async with (
        aiohttp.ClientSession(headers={"User-Agent": agent}) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        assert answer.status in (200, 302)


def mark(page: Page, subject: str, icon: str):
    """The first mail's with this subject: its "eye" or its "link"."""
    row = page.locator(".mail").filter(has_text=subject).first
    return row.locator(".mark").nth(("eye", "link").index(icon))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mailbox(demo):
    """Some mails of every kind, so that no page is tested empty."""
    await demo.send("Lunch on Thursday?", "Are you free?", "dora@inbox.example")
    await demo.send("Re: the keys", LETTER, "mum@inbox.example")
    await demo.send("Minutes of the meeting", LETTER, "team@inbox.example, carla@inbox.example")
    await demo.send("Invoice 2026-118", LETTER, "accounts@bigcorp.example")
    await demo.send("Your quote for the garden room", LETTER, "ben@inbox.example")


async def test_the_door(demo, open_context, axe, tab_to, picture) -> None:
    # A refused sign-in is a 403, which the console of chromium tells of.
    page = await (await open_context(quiet=False, **SMALL)).new_page()
    await page.goto(f"{demo.url}/settings")
    await expect(page.get_by_label("Login")).to_be_focused()
    await picture(page, "screenshots/sign-in.png")
    await page.keyboard.type("ana@demo.example")
    await page.keyboard.press("Tab")
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("do not match")
    assert await axe(page) == []
    await expect(page.get_by_label("Password")).to_be_focused()
    await page.keyboard.type(demo.password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    await tab_to(page, page.get_by_role("button", name="Sign out"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_hit_shows_in_every_tab_without_moving_anything(demo, mailbox, open_page) -> None:
    first = await open_page("/")
    second = await first.context.new_page()
    await second.goto(demo.url)
    eye = mark(first, "Re: the keys", "eye")
    await expect(eye.get_by_role("button", name="Not opened yet")).to_be_visible()
    await first.evaluate(
        """() => { window.shifted = 0;
          const add = each => { window.shifted += each.value; };
          new PerformanceObserver(list => list.getEntries().forEach(add))
            .observe({type: "layout-shift"}); }"""
    )
    await eye.get_by_role("button").focus()
    await fetch(demo, first, "Re: the keys", "o")
    for page in (first, second):
        await expect(mark(page, "Re: the keys", "eye")).to_have_attribute("data-state", "hit")
    # Who was just reading keeps the place, and the words there are new.
    await expect(eye.get_by_role("button")).to_be_focused()
    await expect(eye.get_by_role("tooltip")).to_contain_text("likely a person")
    await expect(
        eye.get_by_role("button", name=re.compile("^Opened .* after it was sent"))
    ).to_have_count(1)
    assert await first.evaluate("window.shifted") == 0


async def test_a_new_mail_joins_the_list(demo, open_page) -> None:
    page = await open_page("/")
    await demo.send("Out of the blue", LETTER)
    await expect(page.locator(".mail").first).to_contain_text("Out of the blue")


async def test_is_live_though_its_scripts_come_slowly(demo, session, open_context) -> None:
    page = await (await open_context(storage_state=session)).new_page()
    began = asyncio.Event()
    await page.expose_function("began", began.set)
    await page.add_init_script(
        """Object.defineProperty(window, "htmx", {configurable: true, set(value) {
          Object.defineProperty(window, "htmx", {value, writable: true});
          setTimeout(() => setTimeout(window.began)); }})"""
    )

    async def hold(route: Route) -> None:
        await began.wait()  # htmx is there, and had its turns to begin without its extension
        await route.continue_()

    await page.route("**/hx-sse.min.js*", hold)
    await page.goto(demo.url)
    await demo.send("To a slow page", LETTER)
    await expect(page.locator(".mail").first).to_contain_text("To a slow page")


async def test_what_a_sleeping_tab_missed_it_learns_on_waking(demo, mailbox, open_page) -> None:
    page = await open_page("/")
    await demo.send("While you slept", LETTER)
    eye = mark(page, "While you slept", "eye")
    await expect(eye).to_be_visible()
    sleep = """hidden => {
      Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
      document.dispatchEvent(new Event("visibilitychange")); }"""
    await page.evaluate(sleep, True)
    await fetch(demo, page, "While you slept", "o")
    await page.evaluate(sleep, False)
    await expect(eye).to_have_attribute("data-state", "hit")


async def test_machines_are_told_apart_from_people(demo, mailbox, open_page) -> None:
    page = await open_page("/")
    await fetch(demo, page, "Invoice 2026-118", "o", APPLE)
    eye = mark(page, "Invoice 2026-118", "eye")
    await eye.hover()
    await expect(eye.get_by_role("tooltip")).to_contain_text("loaded once by machines")
    await expect(eye).to_have_attribute("data-state", "waiting")
    await fetch(demo, page, "Invoice 2026-118", "o", GMAIL)
    await expect(eye).to_have_attribute("data-state", "hit")
    await page.get_by_role("link", name="Invoice 2026-118").click()
    await expect(page.get_by_text("may be no one")).to_be_visible()
    await expect(
        page.get_by_role("button", name="likely a person, through their mail service")
    ).to_be_visible()


async def test_one_mails_page_is_live(demo, mailbox, open_page) -> None:
    page = await open_page("/")
    await page.get_by_role("link", name="Minutes of the meeting").click()
    await expect(page.get_by_text("Not clicked yet")).to_be_visible()
    await fetch(demo, page, "Minutes of the meeting", "c")
    await expect(page.locator("#chip-link")).to_have_text("Clicked")
    await expect(page.get_by_text("1 click", exact=True)).to_be_visible()
    await page.get_by_role("link", name="← All mail").click()
    await expect(
        mark(page, "Minutes of the meeting", "link").get_by_role("button")
    ).to_have_accessible_name(re.compile("likely one of 2 recipients"))


async def test_by_keyboard_alone(demo, mailbox, open_page, tab_to) -> None:
    page = await open_page("/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    eye = mark(page, "Lunch on Thursday?", "eye")
    tip = eye.get_by_role("tooltip")
    await expect(tip).to_be_hidden()
    await tab_to(page, eye.get_by_role("button"))
    await expect(tip).to_be_visible()
    await expect(tip).to_contain_text("no HTML part")
    await page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()
    await tab_to(page, page.get_by_role("link", name="Lunch on Thursday?"))
    await page.keyboard.press("Enter")
    await expect(
        page.get_by_text("Nothing of this mail is tracked: it has no HTML")
    ).to_be_visible()
    await tab_to(page, page.get_by_role("link", name="Settings"))
    await page.keyboard.press("Enter")
    sticky = page.get_by_label("Remember my last choice")
    await tab_to(page, sticky)
    for checked in (False, True):
        await page.keyboard.press("Space")
        await expect(page.get_by_role("status")).to_have_text("Saved.")
        await expect(sticky).to_be_checked(checked=checked)
        await page.reload()
        await expect(sticky).to_be_checked(checked=checked)
        await tab_to(page, sticky)


async def test_a_mail_is_stopped_by_keyboard(demo, mailbox, open_page, axe, tab_to) -> None:
    await demo.send("Watched no longer", LETTER)
    page = await open_page("/")
    await page.get_by_role("link", name="Watched no longer").click()
    await tab_to(page, page.get_by_text("Stop its tracking…"))
    for key in ("Enter", "Tab"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("button", name="Stop the tracking")).to_be_focused()
    assert await axe(page) == []
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Its tracking is stopped.")).to_be_visible()
    await expect(page.locator("#story")).to_contain_text("Tracking stopped")
    await fetch(demo, page, "Watched no longer", "o")
    await page.get_by_role("link", name="← All mail").click()
    await expect(mark(page, "Watched no longer", "eye")).to_have_attribute("data-state", "off")


async def test_a_mail_is_erased_without_scripts(demo, open_page) -> None:
    await demo.send("To be erased", LETTER)
    watching = await open_page("/")
    await expect(watching.get_by_role("link", name="To be erased")).to_be_visible()
    page = await open_page("/", java_script_enabled=False)
    await page.get_by_role("link", name="To be erased").click()
    button = page.get_by_role("button", name="Erase this mail")
    await expect(button).to_be_hidden()
    await page.get_by_text("Erase it…").click()
    await button.click()
    await expect(page.get_by_role("status")).to_have_text("The mail is erased.")
    for each in (page, watching):
        await expect(each.get_by_role("link", name="To be erased")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "mail", "changes", "/demo/landing/plans"])
async def test_axe_finds_nothing(demo, mailbox, open_page, axe, path: str, scheme: str) -> None:
    page = await open_page("/", color_scheme=scheme, reduced_motion="reduce")
    await fetch(demo, page, "Your quote", "o")
    await fetch(demo, page, "Your quote", "c")
    await goto(page, demo.url, path)
    assert await axe(page) == []
    if path == "/":
        eye = mark(page, "Your quote", "eye")
        await eye.hover()
        await expect(eye.get_by_role("tooltip")).to_be_visible()
        assert await axe(page) == []


@pytest.mark.parametrize("path", [*PAGES, "mail", "changes", "/sign-in", "/demo/landing/plans"])
async def test_fits_a_small_phone(demo, mailbox, open_page, path: str) -> None:
    page = await open_page("/", viewport=NARROW)
    if path == "/sign-in":
        await page.context.clear_cookies()
    await goto(page, demo.url, path)
    assert await page.evaluate("document.scrollingElement.scrollWidth") == NARROW["width"]
    if path == "/":
        eye = mark(page, "Your quote", "eye")
        await eye.get_by_role("button").click()
        await expect(eye.get_by_role("tooltip")).to_be_visible()
        box = await eye.get_by_role("tooltip").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]


async def test_what_others_wrote_stays_inert(demo, open_page) -> None:
    hostile = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    await demo.send(hostile, f'<p><a href="http://localhost/x">{hostile}</a></p>')
    # Chromium says aloud what the policy of the letter's frame forbids.
    page = await open_page("/", quiet=False)
    await page.get_by_role("link", name=hostile).click()
    await expect(page.get_by_role("heading", name=hostile)).to_be_visible()
    await page.goto(f"{demo.url}/demo")
    await expect(page.locator(".reading h3")).to_have_text(hostile)
    assert await page.evaluate("window.hacked") is None


async def goto(page: Page, url: str, path: str) -> None:
    """To a page by its path, or to "mail" (one that was hit) or "changes" (in the demo)."""
    if path == "mail":
        await page.get_by_role("link", name="Your quote").first.click()
        await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    elif path == "changes":
        await page.goto(f"{url}/demo/inbox/1?view=changes")
        await expect(page.get_by_role("region", name="Source of the mail")).to_be_visible()
    else:
        await page.goto(f"{url}{path}")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
