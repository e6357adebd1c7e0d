"""The sender's pages over a real store, served on a real port."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar
from aiohttp.test_utils import TestServer
from argon2 import PasswordHasher
from yarl import URL

from collector import passwords
from collector.app import build_app
from collector.feed import Feed
from collector.hits import Hit, store_hits
from collector.recorder import Recorder
from collector.senders import Sender, Senders
from collector.stats import Stats
from collector.store import Outcome, Sent, SentLink, Store
from collector.tokens import Key, Tokens, mint_message_id
from collector.verdict import Verdict
from rewriter import read_label

SENT_MS = 1_700_000_000_000
PASSWORD = "the right one"
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


@dataclass(slots=True)
class Site:
    """The running site, and how its mails come about."""

    store: Store
    senders: Senders
    feed: Feed
    url: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def add_mail(
        self,
        sender: Sender,
        subject: str = "Hello",
        recipients: tuple[str, ...] = ("ben@example.net",),
        links: tuple[SentLink, ...] = (SentLink(0, "https://example.com/plans", "<b>Plans</b>"),),
        *,
        tracked: bool = True,
        reason: str | None = None,
    ) -> int:
        number = next(self._numbers)
        message_id = mint_message_id(SENT_MS + number, number)
        await self.store.record_sent(
            Sent(
                message_id=message_id,
                sender_id=sender.id,
                sent_at_ms=SENT_MS,
                mail_from=sender.login,
                recipients=recipients,
                subject=subject,
                message_id_header=f"<{number}@example.com>",
                opens=tracked,
                clicks=tracked,
                links=links if tracked else (),
                untracked_reason=reason,
            )
        )
        self.feed.publish(sender.id, message_id)
        return message_id

    async def deliver(self, sender: Sender, message_id: int, reply: str, state: str) -> None:
        outcome = Outcome(at_ms=SENT_MS + 500, state=state, reply=reply)  # type: ignore[arg-type]
        noted = asyncio.Event()
        await self.store.record_outcome(message_id, outcome, noted.set)
        await noted.wait()
        self.feed.publish(sender.id, message_id)

    async def hit(
        self,
        sender: Sender,
        message_id: int,
        kind: str,
        *,
        after_ms: int = 120_000,
        verdict: str = "person",
        rule: str = "browser",
        link: int | None = None,
        agent: str = "Mozilla/5.0",
    ) -> None:
        hit = Hit(
            kind=kind,
            message_id=message_id,
            recipient=0,
            link=link,
            at_ms=SENT_MS + after_ms,
            method="GET",
            agent=agent,
            purpose="",
            address=None,
        )
        judged = Verdict(verdict, rule, 1.0)
        await self.store.write(partial(store_hits, hits=[hit], judge=lambda *_: judged))
        self.feed.publish(sender.id, message_id)


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
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    # Real argon2id, at a cost that hundreds of tests can pay.
    cheap = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "PasswordHasher", cheap)
    store = await Store.open(f"sqlite:///{tmp_path / 'letterbell.db'}")
    senders, feed = Senders(store), Feed()
    recorder = Recorder(store, feed)
    app = build_app(
        store=store,
        senders=senders,
        tokens=Tokens([Key(0, bytes(32))]),
        recorder=recorder,
        stats=Stats(store),
        feed=feed,
        read_label=read_label,
        public_url="http://127.0.0.1",
        trusted_proxies=(),
        metrics_from=(),
        secure_cookies=False,
    )
    async with TestServer(app) as server:
        yield Site(store, senders, feed, str(server.make_url("")).rstrip("/"))
    await recorder.close()
    senders.close()
    await store.close()


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
