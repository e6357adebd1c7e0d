"""Connect, as a person uses it: copying, an app password, a code that a camera reads."""

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect
from sites import Site, open_site

from collector.senders import Sender
from collector.servers import Server, Servers

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
]

ANA = "ana@garden-rooms.example"
SERVERS = Servers(
    smtp=Server("relay.garden-rooms.example", 587, "starttls"),
    imap=Server("imap.garden-rooms.example", 993, "implicit"),
    domains=("garden-rooms.example",),
)
SHAPES = [
    {"viewport": {"width": 1100, "height": 1180}, "color_scheme": "light"},
    {"viewport": {"width": 1100, "height": 1180}, "color_scheme": "dark"},
    {"viewport": {"width": 375, "height": 900}, "color_scheme": "light"},
]
NAMES = ["light", "dark", "phone"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ana_at_home(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Site, Sender]]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(folder, servers=SERVERS) as site:
        yield site, await site.senders.add(ANA, "secret", [ANA])


@pytest_asyncio.fixture(loop_scope="module")
async def visit(ana_at_home: tuple[Site, Sender], open_context):
    """`await visit(**options)`: the page, signed in."""
    site, ana = ana_at_home

    async def open_one(**options: object) -> Page:
        context = await open_context(reduced_motion="reduce", **options)
        token = await site.senders.open_session(ana.id, 60)
        cookie = {"name": "letterbell_session", "value": token, "url": site.url}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(f"{site.url}/connect")
        return page

    return open_one


async def open_all(page: Page) -> None:
    for each in await page.locator("details > summary").all():
        await each.click()


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_how_it_looks(visit, axe, picture, request, shape) -> None:
    page = await visit(**shape)
    await expect(page.locator("details")).to_have_count(12)
    assert await axe(page) == []
    await page.locator("#with-thunderbird summary").click()
    await page.mouse.move(0, 0)
    await page.evaluate("scrollTo(0, 0)")
    await picture(page, f"screenshots/connect-{request.node.callspec.id}.png")
    await page.locator("#with-thunderbird summary").click()
    await open_all(page)
    assert await axe(page) == []


async def test_it_fits_a_small_phone(visit) -> None:
    page = await visit(viewport={"width": 320, "height": 640})
    await open_all(page)
    wide = "document.documentElement.scrollWidth"
    assert await page.evaluate(wide) == 320
    await page.get_by_role("button", name="Show a code for my phone").click()
    await expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    assert await page.evaluate(wide) == 320


async def test_copying_takes_the_value_and_moves_nothing(visit) -> None:
    page = await visit(permissions=["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="Copy User name")
    before = await button.bounding_box()
    await button.click()
    await expect(page.locator("[data-copied]")).to_have_accessible_name("Copied User name")
    assert await page.locator("[data-copied]").bounding_box() == before
    assert await page.evaluate("navigator.clipboard.readText()") == ANA


async def test_an_app_password_by_keyboard_alone(visit, tab_to, axe) -> None:
    page = await visit()
    await tab_to(page, page.get_by_label("Name of the device or program"))
    await page.keyboard.type("By keyboard")
    await page.keyboard.press("Enter")
    password = page.locator("#new-password")
    await expect(password).to_be_visible()
    await tab_to(page, page.locator("#with-python summary"))
    await page.keyboard.press("Enter")
    await expect(page.locator("#text-python")).to_contain_text(await password.inner_text())
    assert await axe(page) == []


async def test_without_scripts(visit) -> None:
    page = await visit(java_script_enabled=False)
    await page.locator("#with-outlook summary").click()
    await expect(page.get_by_text("Encryption method")).to_be_visible()
    await page.get_by_label("Name of the device or program").fill("No scripts")
    await page.get_by_role("button", name="Make an app password").click()
    await expect(page.locator("#new-password")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_a_camera_reads_the_code(visit, axe, picture, request, shape) -> None:
    page = await visit(**shape)
    await page.get_by_role("button", name="Show a code for my phone").click()
    code = page.get_by_role("img", name="QR code of the link")
    await expect(code).to_be_visible()
    (found,) = zxingcpp.read_barcodes(Image.open(BytesIO(await code.screenshot())).convert("L"))
    assert found.text == await page.locator("#profile-link").inner_text()
    assert found.text.startswith("http://127.0.0.1/connect/profile/")
    assert await axe(page) == []
    if request.node.callspec.id == "light":
        await page.evaluate("scrollTo(0, 0)")
        await picture(page, "screenshots/connect-code.png")


async def test_the_demo_names_its_own_port(demo, open_page) -> None:
    page = await open_page("/connect")
    await expect(page.locator("#smtp-host")).to_have_text("127.0.0.1")
    await expect(page.locator("#smtp-port")).to_have_text(str(demo.smtp_port))
    await expect(page.get_by_text("this site has not been told of it")).to_be_visible()
