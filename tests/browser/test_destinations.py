"""How a sender hears of opens and clicks, in a browser: by keyboard, narrow, dark, for all."""

import re

import pytest
from playwright.async_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

PLACE = "/settings/notifications"
NARROW = {"width": 320, "height": 700}
WIDE = {"viewport": {"width": 1100, "height": 900}, "reduced_motion": "reduce"}


async def add_service(page: Page, address: str) -> None:
    await page.get_by_text("Add a service").click()
    await page.get_by_label("Its address, as Apprise writes it").fill(address)
    await page.locator("details[open]").get_by_role("button", name="Add").click()
    await expect(page.get_by_role("status").filter(has_text="Added.")).to_be_visible()


def shown(page: Page, name: str):
    """A target by what is shown of it."""
    return page.locator(".target .name", has_text=name)


async def remove_all(page: Page) -> None:
    removing = page.get_by_role("button", name=re.compile("Remove"))
    while await removing.count():
        await removing.first.click()
        await page.wait_for_url(f"**{PLACE}?done=removed")


async def test_a_choice_is_kept_at_once(open_page) -> None:
    page = await open_page(PLACE)
    await page.get_by_label("Each time").check()
    await expect(page.locator("#saved")).to_have_text("Saved.")
    await page.reload()
    await expect(page.get_by_label("Each time")).to_be_checked()
    await page.get_by_role("switch", name="A mail a day").check()
    await expect(page.locator("#saved")).to_have_text("Saved.")
    await page.reload()
    await expect(page.get_by_role("switch", name="A mail a day")).to_be_checked()
    await page.get_by_role("switch", name="A mail a day").uncheck()
    await page.get_by_label("For the first time of each mail").check()
    await expect(page.locator("#saved")).to_have_text("Saved.")


async def test_without_scripts_all_works(open_page) -> None:
    page = await open_page(PLACE, java_script_enabled=False)
    await page.get_by_label("Never").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    await expect(page.get_by_label("Never")).to_be_checked()
    await page.get_by_label("For the first time of each mail").check()
    await page.get_by_role("button", name="Save").click()
    await add_service(page, "ntfys://ntfy.sh/letterbell-scriptless")
    await expect(shown(page, "ntfy (ntfy.sh)")).to_be_visible()
    await remove_all(page)


async def test_a_bad_address_is_mended_in_place(open_page) -> None:
    page = await open_page(PLACE, quiet=False)  # the answer's 400 stands in the console
    await page.get_by_text("Add a webhook").click()
    await page.get_by_label("Its address", exact=True).fill("http://10.0.0.1/hook")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Use https://")).to_be_visible()
    field = page.get_by_label("Its address", exact=True)
    await expect(field).to_have_value("http://10.0.0.1/hook")
    await expect(field).to_be_focused()


async def test_a_service_comes_and_goes_by_keyboard(open_page, tab_to) -> None:
    page = await open_page(PLACE)
    await tab_to(page, page.locator("summary", has_text="Add a service"))
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("ntfys://ntfy.sh/letterbell-keyboard")
    await page.keyboard.press("Enter")
    await expect(shown(page, "ntfy (ntfy.sh)")).to_be_visible()
    await tab_to(page, page.get_by_role("button", name=re.compile("^Remove")))
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nothing yet. A webhook")).to_be_visible()


async def test_the_feeds_address_is_copied(open_page) -> None:
    page = await open_page(PLACE)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name=re.compile("Make a")).click()
    await page.get_by_role("button", name="Copy").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"http://\S+/feed/[\w-]{43}\.atom", copied)
    answer = await page.request.get(copied)
    assert answer.status == 200
    await page.goto(page.url.partition("/settings")[0] + PLACE)
    await page.get_by_role("button", name="Close it").click()
    await expect(page.get_by_text("It has no address yet")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_keeps_anybody_out(open_page, axe, scheme: str) -> None:
    page = await open_page(PLACE, color_scheme=scheme)
    assert await axe(page) == []
    await add_service(page, "ntfys://ntfy.sh/letterbell-axe")
    for each in await page.locator("details.adding > summary").all():
        await each.click()
    assert await axe(page) == []
    await remove_all(page)
    await page.get_by_role("button", name=re.compile("Make a")).click()
    assert await axe(page) == []


async def test_fits_a_narrow_screen(open_page) -> None:
    page = await open_page(PLACE, viewport=NARROW)
    await add_service(page, "json://" + "a-very-long-name" * 3 + ".example.com/" + "b" * 80)
    await page.get_by_role("button", name=re.compile("Make a")).click()
    for each in await page.locator("details.adding > summary").all():
        await each.click()
    rights = await page.evaluate(
        "[...document.querySelectorAll('main *')].map(each => each.getBoundingClientRect().right)"
    )
    assert max(rights) <= NARROW["width"]
    await remove_all(page)


async def test_its_picture(open_page, picture) -> None:
    page = await open_page(PLACE, **WIDE)
    await remove_all(page)
    await add_service(page, "ntfys://ntfy.sh/ana-bells")
    await add_service(page, "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/")
    await page.get_by_role("switch", name="A mail a day").check()
    await expect(page.locator("#saved")).to_have_text("Saved.")
    for scheme in ("light", "dark"):
        await picture(
            await open_page(PLACE, color_scheme=scheme, **WIDE),
            f"screenshots/notifications-{scheme}.png",
        )
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
    await picture(await open_page(PLACE, **phone), "screenshots/notifications-phone.png")
    await remove_all(page)
    await page.get_by_role("switch", name="A mail a day").uncheck()
    await expect(page.locator("#saved")).to_have_text("Saved.")
