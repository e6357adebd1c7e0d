"""Debian's chromium on a real `letterbell demo`, one process of each for a module's tests.

No test sleeps: each waits for what a person would see, and fails on anything that a browser's
console would complain about.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import aiosmtplib
import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    StorageState,
    async_playwright,
)

ROOT = Path(__file__).parents[2]
# Asks the tests to make docs/*.png anew.
PICTURES = os.environ.get("LETTERBELL_SCREENSHOTS") == "1"
LOGIN = "ana@demo.example"
# Headless Chromium calls itself a program, and is taken for one; this is how it looks with a head.
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
# Somebody else's, who reads a mail.
READER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
FLAGS = [
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo, as its welcome tells of it."""

    entrance: str
    smtp_port: int
    password: str

    @property
    def url(self) -> str:
        return self.entrance.partition("/demo/")[0]

    async def send(self, subject: str, html: str, to: str = "ben@inbox.example") -> None:
        """Sends a mail as any client would."""
        kind = "html" if html.startswith("<") else "plain"
        source = (
            f"From: {LOGIN}\r\nTo: {to}\r\nSubject: {subject}\r\n"
            f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n{html}\r\n"
        )
        await aiosmtplib.send(
            source.encode(),
            sender=LOGIN,
            recipients=to.split(", "),
            hostname="127.0.0.1",
            port=self.smtp_port,
            username=LOGIN,
            password=self.password,
            start_tls=False,
        )

    async def fetch(self, page: Page, subject: str, kind: str, agent: str = READER) -> None:
        """Loads such a mail's pixel ("o") or follows its link ("c"), as its reader would."""
        number = await page.evaluate(
            """async subject => {
              const text = await (await fetch("/demo")).text();
              const page = new DOMParser().parseFromString(text, "text/html");
              const mails = [...page.querySelectorAll("#inbox li")];
              const found = mails.find(each => each.textContent.includes(subject));
              return found.id.replace("delivered-", "");
            }""",
            subject,
        )
        letter = await page.evaluate(
            "async path => (await fetch(path)).text()", f"/demo/inbox/{number}/letter?images"
        )
        found = re.search(rf"{self.url}/{kind}/[\w-]+", letter)
        assert found, letter
        async with (
            aiohttp.ClientSession(headers={"User-Agent": agent}) as session,
            session.get(found[0], allow_redirects=False) as answer,
        ):
            assert answer.status in (200, 302)


OpenContext = Callable[..., Awaitable[BrowserContext]]
OpenPage = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", "relay", "demo"),
        *(() if PICTURES else ("--smtp-port", "0", "--http-port", "0")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    welcome = ""
    async with asyncio.timeout(60):
        while "Ctrl+C" not in welcome:
            line = (await process.stdout.readline()).decode()
            assert line, f"the demo ended: {welcome}"
            welcome += line
    found = re.search(
        r"(http://\S+/demo/enter/\S+).*localhost:(\d+).*password (\w+)", welcome, re.DOTALL
    )
    assert found, welcome
    yield Demo(found[1], int(found[2]), found[3])
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(require_program: Callable[[str], str]) -> AsyncIterator[Browser]:
    path = require_program("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_context(
    chromium: Browser,
) -> AsyncIterator[OpenContext]:
    """A fresh profile at each call; options as for Playwright's new_context."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda said: said.type in ("error", "warning") and complain(said.text))
        page.on("pageerror", lambda error: complain(str(error)))

    def complain(words: str) -> None:
        complaints.append(words)

    async def open_one(*, quiet: bool = True, **options: object) -> BrowserContext:
        defaults = {"user_agent": AGENT, "viewport": {"width": 1280, "height": 900}}
        context = await chromium.new_context(**(defaults | options))
        if quiet:
            context.on("page", listen)
        contexts.append(context)
        return context

    yield open_one
    for context in contexts:
        await context.close()
    assert not complaints


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(demo: Demo, chromium: Browser) -> StorageState:
    """The cookies of one who signed in as the demo's sender."""
    context = await chromium.new_context(user_agent=AGENT)
    page = await context.new_page()
    await page.goto(f"{demo.url}/sign-in")
    await page.get_by_label("Login").fill(LOGIN)
    await page.get_by_label("Password").fill(demo.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{demo.url}/")
    state = await context.storage_state()
    await context.close()
    return state


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(demo: Demo, session: StorageState, open_context: OpenContext) -> OpenPage:
    """`await open_page("/settings")`: that page, signed in; options as for `open_context`."""

    async def open_one(path: str = "/", **options: object) -> Page:
        page = await (await open_context(storage_state=session, **options)).new_page()
        await page.goto(f"{demo.url}{path}")
        return page

    return open_one


@pytest.fixture
def tab_to() -> Callable[[Page, Locator], Awaitable[None]]:
    """Presses Tab until the element has the focus."""

    async def tab(page: Page, wanted: Locator) -> None:
        for _ in range(80):
            await page.keyboard.press("Tab")
            if await wanted.evaluate("each => each === document.activeElement"):
                return
        raise AssertionError(f"Tab never comes to {wanted}")

    return tab


@pytest.fixture
def axe(require_node_module: Callable[[str], Path]):
    """`await axe(page)`: what axe-core finds wrong with it."""
    source = (require_node_module("axe-core") / "axe.min.js").read_text()

    async def find(page: Page) -> list[str]:
        await page.evaluate(source)
        return await page.evaluate(
            """async () => (await axe.run(document, {iframes: false})).violations.flatMap(
              ({id, nodes}) => nodes.map(each => `${id}: ${each.html} ${each.failureSummary}`))"""
        )

    return find


@pytest.fixture
def picture() -> Callable[[Page, str], Awaitable[None]]:
    """Keeps a screenshot in docs/ where that is asked for."""

    async def take(page: Page, name: str) -> None:
        if PICTURES:
            await page.evaluate("document.fonts.ready")
            await page.screenshot(path=ROOT / "docs" / name, animations="disabled")

    return take
