"""The notice page as its reader has it: without scripts or cookies, by keyboard, in the dark."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from sites import TOKENS, Site, open_site

from collector.pages import notice
from collector.senders import Sender

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

TO = ("bob@example.net", "eve@example.net")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sent(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Site, Sender, int]]:
    folder: Path = tmp_path_factory.mktemp("notice")
    async with open_site(folder) as site:
        ana = await site.senders.add("ana@example.com", "secret", ["ana@example.com"])
        yield site, ana, await site.add_mail(ana, recipients=TO)


def address(site: Site, message_id: int, recipient: int) -> str:
    return f"{site.url}/p/{TOKENS.mint_notice(message_id, recipient)}"


async def test_a_recipient_decides_without_scripts(
    sent, open_context, tab_to: Callable[[Page, Locator], Awaitable[None]]
) -> None:
    site, ana, message_id = sent
    context = await open_context(java_script_enabled=False, locale="de-DE")
    page = await context.new_page()
    await page.goto(address(site, message_id, 1))
    await expect(page.get_by_role("heading", name="Ihre Wahl")).to_be_visible()
    await tab_to(page, page.get_by_role("button", name="Öffnen nicht aufzeichnen"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Ihre Wahl ist gespeichert.")
    await expect(page.get_by_text("Das Öffnen wird nicht aufgezeichnet.")).to_be_visible()
    await page.get_by_role("link", name="English").click()
    await page.get_by_role("button", name="Do not record followed links").click()
    await expect(page.get_by_role("status")).to_have_text("Your choice is saved.")
    await expect(page.get_by_role("button")).to_have_text(
        ["Allow opening to be recorded", "Allow followed links to be recorded"]
    )
    held = await site.consents.held(ana.id, TO)
    assert held == {("bob@example.net", "open"): False, ("bob@example.net", "click"): False}
    assert await context.cookies() == []


async def test_whoever_shares_a_copy_writes_the_address(
    sent, open_context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "ANSWER_SECONDS", 0)
    site, ana, message_id = sent
    page = await (await open_context(java_script_enabled=False)).new_page()
    await page.goto(address(site, message_id, 0))
    await page.get_by_label("Your mail address").fill("eve@example.net")
    await page.get_by_role("button", name="Record neither").click()
    await expect(page.get_by_role("status")).to_contain_text("If the mail was sent to this address")
    held = await site.consents.held(ana.id, TO[1:])
    assert set(held.values()) == {False}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("recipient", [0, 2, 9])
async def test_everybody_can_use_it(sent, open_context, axe, recipient: int, scheme: str) -> None:
    site, _, message_id = sent
    # What is not there is a 404, which the console of chromium tells of.
    context = await open_context(
        quiet=recipient < 9, color_scheme=scheme, viewport={"width": 320, "height": 700}
    )
    page = await context.new_page()
    await page.goto(f"{address(site, message_id, recipient)}?saved")
    assert await axe(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
