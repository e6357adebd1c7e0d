"""The sender's pages over a real store, served on a real port."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar
from places import Place
from sites import Site, open_site
from yarl import URL

from collector import passwords
from collector.senders import Sender

PASSWORD = "the right one"
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


class Browser:
    """Keeps cookies and form tokens as a browser does; follows no redirect by itself."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.token = ""

    async def get(self, path: str, **options: object) -> ClientResponse:
        response = await self.session.get(self.url + path, allow_redirects=False, **options)
        if response.content_type == "text/html" and (
            found := FORM_TOKEN.search(await response.text())
        ):
            self.token = found.group(1)
        return response

    async def post(
        self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None
    ) -> ClientResponse:
        fields = {"form_token": self.token, **fields}
        return await self.session.post(
            self.url + path, data=fields, headers=headers, allow_redirects=False
        )

    async def be(self, site: Site, sender: Sender) -> None:
        """Signed in without the form; passwords take their time to check."""
        token = await site.senders.open_session(sender.id, 60)
        self.session.cookie_jar.update_cookies({"letterbell_session": token}, URL(self.url))

    async def sign_in(self, login: str, password: str = PASSWORD) -> ClientResponse:
        await self.get("/sign-in")
        return await self.post("/sign-in", {"login": login, "password": password})

    def cookie(self, name: str = "letterbell_session") -> str | None:
        found = [each.value for each in self.session.cookie_jar if each.key == name]
        return found[0] if found else None


Open = Callable[[], Awaitable[Browser]]


@pytest.fixture
async def site(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    # Real argon2id, at a cost that hundreds of tests can pay.
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    async with open_site(tmp_path, store_url=place.url) as opened:
        yield opened


@pytest.fixture
async def ana(site: Site) -> Sender:
    return await site.senders.add("ana@example.com", PASSWORD, ["ana@example.com"])


@pytest.fixture
async def eve(site: Site) -> Sender:
    return await site.senders.add("eve@example.com", PASSWORD, ["eve@example.com"])


@pytest.fixture
async def open_browser(site: Site) -> AsyncIterator[Open]:
    """A browser of its own at each call."""
    sessions: list[ClientSession] = []

    async def open_one() -> Browser:
        # Servers on addresses and not names: cookies, too, for those.
        sessions.append(ClientSession(cookie_jar=CookieJar(unsafe=True)))
        return Browser(sessions[-1], site.url)

    yield open_one
    for session in sessions:
        await session.close()


@pytest.fixture
async def browser(open_browser: Open) -> Browser:
    return await open_browser()
