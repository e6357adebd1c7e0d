"""The sender's pages in each language, on the smallest phone: spoken, and nothing sticks out."""

import pytest
from playwright.async_api import expect

from collector.pages.languages import NAMES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PAGES = ("/", "/overview", "/connect", "/settings", "/settings/notifications", "/bell")
PHONE = {"width": 320, "height": 640}


@pytest.mark.parametrize("code", NAMES)
async def test_every_page_fits(demo, open_page, code: str) -> None:
    page = await open_page(locale=code, viewport=PHONE)
    for path in PAGES:
        await page.goto(f"{demo.url}{path}")
        assert await page.evaluate("document.documentElement.lang") == code
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path


async def test_the_language_of_the_settings_beats_the_browsers(demo, open_page) -> None:
    page = await open_page("/settings", locale="fr")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Paramètres")
    await page.get_by_role("button", name="Eesti").click()
    await expect(page.locator("html")).to_have_attribute("lang", "et")
    await page.goto(f"{demo.url}/overview")
    await expect(page.locator("html")).to_have_attribute("lang", "et")
