"""The settings in a browser: at once, by keyboard, without scripts, on a phone, for everyone."""

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

LETTER = '<p>Hello, see <a href="http://localhost/plans">the plans</a>.</p>'
NARROW = {"width": 320, "height": 700}
WIDE = {"viewport": {"width": 1100, "height": 760}, "reduced_motion": "reduce"}


async def make_pass(page: Page, section: str, name: str) -> str:
    """The secret that is shown."""
    part = page.locator(f"#{section}")
    await part.get_by_role("textbox").fill(name)
    await part.get_by_role("button", name="Make").click()
    return await page.locator("#secret").inner_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def passes(demo, chromium, session):
    """An app password and a key, so that no list is tested empty."""
    context = await chromium.new_context(storage_state=session)
    page = await context.new_page()
    for section, name in (("devices", "Phone"), ("devices", "Thunderbird"), ("keys", "Reports")):
        await page.goto(f"{demo.url}/settings")
        await make_pass(page, section, name)
    await context.close()


async def stick(demo, page: Page) -> None:
    """A mail says that its opens are not to be tracked, and the toggle follows it."""
    await page.goto(f"{demo.url}/settings")
    if not await page.get_by_label("Track opens").is_checked():
        await page.get_by_label("Track opens").click()
        await expect(page.locator("#saved")).to_have_text("Saved.")
    await demo.send("Offer for June", LETTER, "ben@inbox.example, no-opens@letterbell.invalid")
    await page.goto(f"{demo.url}/settings")


async def test_a_toggle_says_which_mail_set_it(demo, open_page, tab_to, picture) -> None:
    page = await open_page("/settings", **WIDE)
    await stick(demo, page)
    origin = page.locator("#origin-opens")
    await expect(origin).to_contain_text("by the recipient no-opens@letterbell.invalid")
    await picture(page, "screenshots/settings.png")
    await origin.get_by_role("link", name="Offer for June").click()
    await expect(page.get_by_role("heading", name="Offer for June")).to_be_visible()
    await page.go_back()
    await tab_to(page, page.get_by_role("button", name="Turn it on again"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Track opens")).to_be_checked()
    await expect(page.locator("#saved")).to_have_text("Saved.")
    await expect(origin.get_by_role("button")).to_have_count(0)


async def test_set_by_hand_it_is_the_mails_no_more(demo, open_page) -> None:
    page = await open_page("/settings")
    await stick(demo, page)
    await expect(page.get_by_role("button", name="Turn it on again")).to_be_visible()
    await page.get_by_label("Track opens").click()
    await expect(page.locator("#saved")).to_have_text("Saved.")
    await expect(page.get_by_role("button", name="Turn it on again")).to_have_count(0)


async def test_choices_are_saved_at_once(demo, open_page) -> None:
    page = await open_page("/settings")
    for label in ("A copy for each", "One copy for all"):
        await page.get_by_label(label).check()
        await expect(page.locator("#saved")).to_have_text("Saved.")
        await page.reload()
        await expect(page.get_by_label(label)).to_be_checked()


async def test_what_is_not_saved_is_said(demo, open_page) -> None:
    page = await open_page("/settings", quiet=False)  # the console tells of what failed
    sticky, saved = page.get_by_label("Remember my last choice"), page.locator("#saved")
    await sticky.click()
    await expect(saved).to_have_text("Saved.")
    await page.route("**/settings", lambda route: route.fulfill(status=503))
    await sticky.click()
    await expect(saved).to_contain_text("Not saved.")
    await page.unroute("**/settings")
    await page.route("**/settings", lambda route: route.abort())
    await sticky.click()
    await expect(saved).to_contain_text("Not saved.")
    await page.unroute("**/settings")
    await page.reload()
    await sticky.set_checked(True)


async def test_without_scripts_there_is_a_button(demo, open_page) -> None:
    page = await open_page("/settings", java_script_enabled=False)
    await page.get_by_label("Remember my last choice").click()
    await page.locator("#tracking").get_by_role("button", name="Save").click()
    await expect(page.locator("#saved")).to_have_text("Saved.")
    await expect(page.get_by_label("Remember my last choice")).not_to_be_checked()
    await page.get_by_label("Remember my last choice").click()
    await page.locator("#tracking").get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Remember my last choice")).to_be_checked()


async def test_an_app_password_by_keyboard(demo, open_page, axe, tab_to, picture) -> None:
    page = await open_page("/settings", permissions=["clipboard-read", "clipboard-write"], **WIDE)
    await tab_to(page, page.get_by_label("Name of the mail program"))
    await page.keyboard.type("Tablet")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="App password for “Tablet”")).to_be_visible()
    assert await axe(page) == []
    await picture(page, "screenshots/app-password.png")
    password = await page.locator("#secret").inner_text()
    await tab_to(page, page.get_by_role("button", name="Copy"))
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-copied]")).to_have_count(1)
    assert await page.evaluate("navigator.clipboard.readText()") == password
    await tab_to(page, page.get_by_role("button", name="I have it"))
    await page.keyboard.press("Enter")
    row = page.locator("#devices .pass").filter(has_text="Tablet")
    await expect(row.get_by_role("button", name="Revoke it")).to_be_hidden()
    await tab_to(page, row.get_by_text("Revoke…"))
    for key in ("Enter", "Tab", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("#devices").get_by_role("status")).to_have_text("Saved.")
    await expect(row).to_have_count(0)


async def test_the_language_changes_and_changes_back(demo, open_page) -> None:
    page = await open_page("/settings")
    await page.get_by_role("button", name="Eesti").click()
    await expect(page.locator("html")).to_have_attribute("lang", "et")
    await expect(page.locator('[value="et"]')).to_have_attribute("aria-pressed", "true")
    await page.locator('.tongues [value=""]').click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_a_wrong_password_is_said_where_it_was_typed(demo, open_context, session) -> None:
    # A refusal is a 403, which the console of chromium tells of.
    page = await (await open_context(quiet=False, storage_state=session)).new_page()
    await page.goto(f"{demo.url}/settings")
    await page.get_by_label("Current password").fill("wrong")
    await page.get_by_label("New password", exact=True).fill("a few new words")
    await page.get_by_label("New password, once more").fill("a few new words")
    await page.get_by_role("button", name="Change the password").click()
    problem = page.locator("#password").get_by_role("alert")
    await expect(problem).to_contain_text("current password is another one")
    await expect(problem).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(demo, passes, open_page, axe, scheme: str) -> None:
    page = await open_page("/settings", color_scheme=scheme, reduced_motion="reduce")
    await stick(demo, page)
    for summary in await page.locator("main summary").all():
        await summary.click()
    assert await axe(page) == []


async def test_fits_a_small_phone(demo, passes, open_page) -> None:
    page = await open_page("/settings", viewport=NARROW)
    await stick(demo, page)
    for summary in await page.locator("main summary").all():
        await summary.click()
    assert await page.evaluate("document.scrollingElement.scrollWidth") == NARROW["width"]
    await make_pass(page, "keys", "A name that is as long as names of programs ever are")
    assert await page.evaluate("document.scrollingElement.scrollWidth") == NARROW["width"]
