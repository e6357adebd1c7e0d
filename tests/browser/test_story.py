"""A person's whole story: sign in, send, see it live in two tabs, narrow, be told, set, stop."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

LOGIN = "ana@demo.example"
OFFER = '<p>Dear Ben, here is <a href="http://localhost/offer">our offer</a>.</p>'
SECOND = 1_000  # milliseconds within which a hit must show


async def send(swaks: str, demo, subject: str, html: str, *headers: str) -> None:
    """By a real program, with the login and password of the pages."""
    more = [part for header in headers for part in ("--header", header)]
    process = await asyncio.create_subprocess_exec(
        *(swaks, "--server", "127.0.0.1", "--port", str(demo.smtp_port)),
        *("--auth", "PLAIN", "--auth-user", LOGIN, "--auth-password", demo.password),
        *("--from", LOGIN, "--to", "ben@inbox.example", "--header", f"Subject: {subject}"),
        *("--header", "Content-Type: text/html; charset=utf-8", *more, "--body", html),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()


def mark(page: Page, subject: str, number: int):
    """The eye (0) or the link (1) of this mail in the list."""
    return page.locator("#mails .mail", has_text=subject).locator(".mark").nth(number)


async def test_from_the_door_to_the_end(demo, open_context, require_program) -> None:
    swaks = require_program("swaks")
    context = await open_context()
    page = await context.new_page()
    await page.goto(f"{demo.url}/")
    await page.get_by_label("Login").fill(LOGIN)
    await page.get_by_label("Password").fill(demo.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Your mail")).to_be_visible()
    other = await context.new_page()
    await other.goto(f"{demo.url}/")

    # Sent: it is there, in both tabs, and nobody has opened it.
    await send(swaks, demo, "Offer for June", OFFER)
    await send(swaks, demo, "Lunch?", "<p>At one?</p>")
    for tab in (page, other):
        await expect(mark(tab, "Offer for June", 0)).to_have_attribute("data-state", "waiting")
        await expect(mark(tab, "Lunch?", 0)).to_have_attribute("data-state", "waiting")

    # Read: the eye and the link turn solid within a second, and the bell rings, in both.
    await demo.fetch(page, "Offer for June", "o")
    for tab in (page, other):
        eye = mark(tab, "Offer for June", 0)
        await expect(eye).to_have_attribute("data-state", "hit", timeout=SECOND)
    await demo.fetch(page, "Offer for June", "c")
    for tab in (page, other):
        link = mark(tab, "Offer for June", 1)
        await expect(link).to_have_attribute("data-state", "hit", timeout=SECOND)
        bell = tab.get_by_role("button", name="Notifications, 2 unread")
        await expect(bell).to_be_visible()
    await expect(mark(page, "Lunch?", 0)).to_have_attribute("data-state", "waiting")

    # Narrowed: by a filter whose address is shared, and by words.
    await page.get_by_role("link", name="Opened", exact=True).click()
    await expect(page).to_have_url(re.compile(r"\?opened"))
    await expect(page.locator("#mails .mail")).to_have_count(1)
    await other.goto(page.url)
    await expect(other.locator("#mails .mail")).to_have_count(1)
    await other.goto(f"{demo.url}/?q=lunch")
    await expect(other.locator("#mails .mail")).to_contain_text(["Lunch?"])

    # One mail: what is known, in honest words; whoever looks has read what the bell said.
    await page.locator("#mails .mail .open").click()
    await expect(page.get_by_role("heading", name="Offer for June")).to_be_visible()
    await expect(page.locator(".timeline")).to_contain_text("likely a person")
    await expect(page.locator("main")).to_contain_text("after it was sent")
    for tab in (page, other):
        await expect(tab.get_by_role("button", name="Notifications", exact=True)).to_be_visible()

    # Settings that stick: by hand, and by a mail that says so, which the page names.
    await page.goto(f"{demo.url}/settings")
    await page.get_by_label("Track links").uncheck()
    await expect(page.get_by_role("status").first).to_have_text("Saved.")
    await page.reload()
    await expect(page.get_by_label("Track links")).not_to_be_checked()
    await page.get_by_label("Track links").check()
    await expect(page.get_by_role("status").first).to_have_text("Saved.")
    await send(swaks, demo, "Not this one", OFFER, "X-Track-Opens: no")
    await page.reload()
    await expect(page.get_by_label("Track opens")).not_to_be_checked()
    await expect(page.get_by_text("X-Track-Opens")).to_be_visible()
    await expect(page.get_by_role("link", name="Not this one")).to_be_visible()

    # Stopped: what comes later leaves no trace.
    await page.goto(f"{demo.url}/?q=offer+for+june")
    await page.locator("#mails .mail .open").click()
    await page.get_by_text("Stop its tracking…").click()
    await page.get_by_role("button", name="Stop the tracking").click()
    await expect(page.get_by_text("Its tracking is stopped.")).to_be_visible()
    count = await page.locator(".timeline li").count()
    await demo.fetch(page, "Offer for June", "o")
    await page.reload()
    await expect(page.locator(".timeline li")).to_have_count(count)

    # And out: the other tab's page is gone with the session.
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(re.compile("/sign-in"))
    await other.goto(f"{demo.url}/settings")
    await expect(other).to_have_url(re.compile("/sign-in"))
