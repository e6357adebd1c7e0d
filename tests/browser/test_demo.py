"""The demo as a person lives it: send, show the images, follow the link, look at the source."""

import re

import pytest
from playwright.async_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

SECOND = 1_000  # milliseconds within which a hit must show


def marks(page: Page):
    """The newest sent mail's eye and link."""
    newest = page.locator("#mails .mail").first
    return newest.locator(".mark").nth(0), newest.locator(".mark").nth(1)


async def test_the_story(demo, open_context, picture) -> None:
    context = await open_context(viewport={"width": 1360, "height": 900})
    page = await context.new_page()
    await page.goto(demo.entrance)
    await expect(page.get_by_role("heading", name="Nothing sent yet")).to_be_visible()
    await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()

    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("status")).to_contain_text("250 2.0.0 In the inbox as number 1")
    eye, link = marks(page)
    await expect(eye).to_have_attribute("data-state", "waiting")
    await expect(link).to_have_attribute("data-state", "waiting")
    letter = page.frame_locator("#reading iframe")
    await expect(letter.get_by_text("Dear Ben")).to_be_visible()
    await expect(page.get_by_text("Images are blocked")).to_be_visible()

    async with page.expect_response(re.compile("/o/")) as pixel:
        await page.get_by_role("button", name="Show images").click()
    assert (await pixel.value).status == 200
    await expect(eye).to_have_attribute("data-state", "hit", timeout=SECOND)
    await expect(link).to_have_attribute("data-state", "waiting")

    async with context.expect_page() as opened:
        await letter.get_by_role("link", name="the plans and the quote").click()
    landing = await opened.value
    await expect(landing.get_by_role("heading", name="You followed a link")).to_be_visible()
    assert landing.url.endswith("/demo/landing/plans")
    await landing.close()
    await expect(link).to_have_attribute("data-state", "hit", timeout=SECOND)

    await eye.hover()
    tip = eye.get_by_role("tooltip")
    await expect(tip).to_be_visible()
    await expect(tip).to_contain_text(re.compile(r"Opened .* after it was sent"))
    await expect(tip).to_contain_text("likely a person")
    await picture(page, "demo.png")

    await page.get_by_role("link", name="Before and after").click()
    source = page.get_by_role("region", name="Source of the mail")
    await expect(source.locator("del")).to_have_text(
        [re.compile("localhost.*/plans"), re.compile("localhost.*/visit")]
    )
    await expect(source.locator("ins").last).to_contain_text(re.compile(r"<img src=.*/o/"))
    await picture(page, "screenshots/before-and-after.png")

    await page.locator("#mails .mail .open").click()
    await expect(page.locator(".timeline .good .what")).to_have_text(
        [
            "Accepted by the mail server",
            "Opened",
            "Link followed: “the plans and the quote”",
        ]
    )


async def test_toggles_off_leave_the_letter_alone(demo, open_page) -> None:
    page = await open_page("/demo")
    await page.get_by_label("Track opens").uncheck()
    await page.get_by_label("Track links").uncheck()
    await page.get_by_label("Subject").fill("Left alone")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("status")).to_contain_text("250 2.0.0")
    await page.locator("#inbox").get_by_text("Left alone").first.click()
    await page.get_by_role("link", name="Before and after").click()
    source = page.get_by_role("region", name="Source of the mail")
    await expect(source.locator("ins")).to_have_text([re.compile("^Received:")])
    await expect(source.locator("del")).to_have_count(0)
    # The toggles stick; the next test's mails want them on again.
    await page.goto(f"{demo.url}/settings")
    for choice in ("Track opens", "Track links"):
        await expect(page.get_by_label(choice)).not_to_be_checked()
        await page.get_by_label(choice).check()
        await expect(page.get_by_role("status")).to_have_text("Saved.")


async def test_mail_from_another_client_appears_on_both_sides(demo, open_page) -> None:
    page = await open_page("/demo")
    await page.get_by_text("Or send from your own mail client").click()
    await expect(page.locator("#demo-swaks")).to_contain_text(
        f"--server 127.0.0.1:{demo.smtp_port}"
    )
    await expect(page.locator("#demo-password")).to_have_text(demo.password)
    await demo.send("From elsewhere", '<p>See <a href="http://localhost/x">this</a></p>')
    await expect(page.locator("#mails").get_by_text("From elsewhere")).to_be_visible()
    await expect(page.locator("#inbox").get_by_text("From elsewhere")).to_be_visible()


async def test_copying_takes_the_command(demo, open_page) -> None:
    page = await open_page("/demo", permissions=["clipboard-read", "clipboard-write"])
    await page.get_by_text("Or send from your own mail client").click()
    await page.get_by_role("button", name="Copy password").click()
    await expect(page.locator("[data-copied]")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == demo.password


async def test_by_keyboard_alone(demo, open_page, tab_to) -> None:
    page = await open_page("/demo")
    await page.get_by_label("Subject").fill("By keyboard")
    await tab_to(page, page.get_by_role("button", name="Send"))
    await page.keyboard.press("Enter")
    await expect(page.locator("#mails .mail").first).to_contain_text("By keyboard")
    await tab_to(page, page.locator("#inbox a").first)
    await page.keyboard.press("Enter")
    await expect(page.locator(".reading h3")).to_have_text("By keyboard")
    await tab_to(page, page.get_by_role("button", name="Show images"))
    await page.keyboard.press("Enter")
    eye, _ = marks(page)
    await expect(eye).to_have_attribute("data-state", "hit")


async def test_without_scripts_it_still_sends_and_shows(demo, open_page) -> None:
    page = await open_page("/demo", java_script_enabled=False)
    await page.get_by_label("Subject").fill("Without scripts")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("status")).to_contain_text("250 2.0.0")
    await expect(page.locator("#mails .mail").first).to_contain_text("Without scripts")
    await page.locator("#inbox a").first.click()
    async with page.expect_response(re.compile("/o/")):
        await page.get_by_role("button", name="Show images").click()
    await page.goto(f"{demo.url}/")
    await expect(page.locator(".mark").first).to_have_attribute("data-state", "hit")
    await expect(page.locator(".mail time").last).to_contain_text("UTC")
