"""The HTTP side as clients see it: over a real port, with the database up, locked or gone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPResponse
from importlib.metadata import version
from io import BytesIO

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from collector import app as module
from collector import recorder as recorder_module
from collector.app import build_app, build_runner
from collector.client import Networks, read_networks
from collector.consents import Consents
from collector.errors import StoreUnavailable
from collector.feed import Feed
from collector.keeping import Keeping
from collector.presence import Presence
from collector.recorder import Recorder
from collector.schema import agent, hit
from collector.senders import Senders
from collector.stats import Stats
from collector.store import Sent, Store
from collector.tokens import MAX_TARGET, Key, Tokens
from collector.tracking import PIXEL

TOKENS = Tokens([Key(1, b"k" * 32)])
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LOOPBACK = read_networks(("127.0.0.0/8",))
Lock = Callable[[], AbstractContextManager[None]]


@dataclass
class Site:
    """The running site. `await site.ask(path)` is its raw answer."""

    port: int

    async def ask(
        self, path: str, *headers: str, method: str = "GET", agent: str = FIREFOX
    ) -> HTTPResponse:
        """The response to a request made by hand: no client mends or hides anything."""
        lines = [f"{method} {path} HTTP/1.1", "Host: t.example.com", "Connection: close"]
        lines += [f"User-Agent: {agent}"] if agent else []
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("\r\n".join([*lines, *headers, "", ""]).encode("utf-8", "surrogateescape"))
        raw = await reader.read()
        writer.close()
        await writer.wait_closed()
        return _parse(raw, method)


def _parse(raw: bytes, method: str) -> HTTPResponse:
    class Wire:
        def makefile(self, mode: str) -> BytesIO:
            return BytesIO(raw)

    response = HTTPResponse(Wire(), method=method)  # type: ignore[arg-type]
    response.begin()
    return response


@pytest.fixture
async def open_site(store: Store) -> AsyncIterator[Callable[..., object]]:
    """`await open_site(trusted=…, metrics_from=…)` runs one on a free port."""
    feed, presence = Feed(), Presence()
    senders = Senders(store)
    recorder = Recorder(store, feed, presence=presence, keeping=Keeping(agents="full"))
    runners: list[web.AppRunner] = []

    async def run(
        trusted: Networks = (),
        metrics_from: Networks = LOOPBACK,
        alarms: Callable[[], dict[str, str]] = dict,
    ) -> Site:
        app = build_app(
            store=store,
            senders=senders,
            consents=Consents(store),
            tokens=TOKENS,
            recorder=recorder,
            stats=Stats(store),
            feed=feed,
            read_label=str,
            public_url="http://t.example.com",
            trusted_proxies=trusted,
            metrics_from=metrics_from,
            secure_cookies=False,
            presence=presence,
            alarms=alarms,
        )
        runner = build_runner(app)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return Site(runner.addresses[0][1])

    yield run
    for runner in runners:
        await runner.cleanup()
    await recorder.close()
    senders.close()


@pytest.fixture
async def site(open_site: Callable) -> Site:
    return await open_site()  # type: ignore[no-any-return]


@pytest.fixture
async def sent(store: Store, make_sent: Callable[..., Sent]) -> Sent:
    made = make_sent()
    await store.record_sent(made)
    return made


async def hits(store: Store) -> list[tuple[object, ...]]:
    rows = await store.read(select(hit.c.kind, hit.c.link, hit.c.rule).order_by(hit.c.id))
    return [tuple(row) for row in rows]


def assert_pixel(response: HTTPResponse) -> None:
    assert response.status == 200
    assert response.getheader("Content-Type") == "image/gif"
    assert response.getheader("Cache-Control") == "no-store, max-age=0"
    assert response.getheader("Content-Length") == "43"
    assert response.read() == PIXEL


def click_path(target: bytes, message_id: int = 1, link: int = 0) -> str:
    return "/c/" + TOKENS.mint_click(message_id, 0, link, target)


async def test_the_pixel_is_recorded(site: Site, sent: Sent, store: Store) -> None:
    assert len(PIXEL) == 43
    assert_pixel(await site.ask("/o/" + TOKENS.mint_open(sent.message_id)))
    assert await hits(store) == [("open", None, "browser")]


async def test_the_click_is_recorded_and_leads_on(site: Site, sent: Sent, store: Store) -> None:
    response = await site.ask(click_path(b"https://e.com/?a=1&b=2#c", sent.message_id, 7))
    assert response.status == 302
    assert response.getheader("Location") == "https://e.com/?a=1&b=2#c"
    assert response.getheader("Cache-Control") == "no-store"
    assert response.getheader("Referrer-Policy") == "no-referrer"
    assert response.getheader("X-Robots-Tag") == "noindex"
    assert response.read() == b""
    assert await hits(store) == [("click", 7, "browser")]


@pytest.mark.parametrize(
    "target",
    [
        b"https://e.com/%7Euser/%3A%2f?x=%zz&y=%",
        b"HTTPS://E.com",
        b"http://e.com/\"'<>\\^`{|}",
        b"http://[::1]:8080/?q=http://other.example/",
        b"http://e.com/a//b/../c/./d;p?#f#g",
        b"http://xn--bcher-kva.example/+%20",
        b"http://e.com/".ljust(MAX_TARGET, b"x"),
    ],
)
async def test_the_target_goes_out_byte_for_byte(site: Site, target: bytes) -> None:
    response = await site.ask(click_path(target))
    assert response.getheader("Location", "").encode("latin-1") == target


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=60))
async def test_any_target_goes_out_byte_for_byte(site: Site, raw: bytes) -> None:
    target = b"http://" + bytes(0x21 + byte % 0x5E for byte in b"e" + raw)
    response = await site.ask(click_path(target))
    assert response.getheader("Location", "").encode("latin-1") == target


async def test_head_is_answered_alike_and_not_counted(site: Site, sent: Sent, store: Store) -> None:
    pixel = await site.ask("/o/" + TOKENS.mint_open(sent.message_id), method="HEAD")
    click = await site.ask(click_path(b"https://e.com/", sent.message_id), method="HEAD")
    assert (pixel.status, pixel.getheader("Content-Length"), pixel.read()) == (200, "43", b"")
    assert (click.status, click.getheader("Location")) == (302, "https://e.com/")
    assert await hits(store) == [("open", None, "head"), ("click", 0, "head")]
    row = (await Stats(store).recent(sent.sender_id))[0]
    assert (row.raw_open_count, row.raw_click_count) == (0, 0)


@pytest.mark.parametrize("header", ["Purpose: prefetch", "Sec-Purpose: prefetch;prerender"])
async def test_a_prefetch_is_labelled(site: Site, sent: Sent, store: Store, header: str) -> None:
    assert_pixel(await site.ask("/o/" + TOKENS.mint_open(sent.message_id), header))
    assert await hits(store) == [("open", None, "purpose-prefetch")]


@pytest.mark.parametrize(
    "token",
    ["x", "%00", "..%2f", TOKENS.mint_open(1)[:-1], TOKENS.mint_click(1, 0, 0, b"http://e.com/")],
)
async def test_a_bad_token_still_gets_the_pixel(site: Site, token: str) -> None:
    assert_pixel(await site.ask(f"/o/{token}"))


@pytest.mark.parametrize(
    "path",
    [
        "/c/x",
        "/c/" + TOKENS.mint_open(1),
        "/c/" + Tokens([Key(1, b"o" * 32)]).mint_click(1, 0, 0, b"http://e.com/"),
        "/c/x?url=http://evil.example/&u=http://evil.example/",
        "/c/http:%2F%2Fevil.example",
    ],
)
async def test_a_bad_click_is_a_neutral_404(site: Site, path: str) -> None:
    response = await site.ask(path, "Referer: http://evil.example/")
    body = response.read()
    assert response.status == 404
    assert response.getheader("Location") is None
    assert response.getheader("Cache-Control") == "no-store"
    assert b"Not found" in body
    assert b"evil" not in body


async def test_a_forged_token_answers_as_an_unknown_one(site: Site) -> None:
    forged = Tokens([Key(1, b"o" * 32)]).mint_click(1, 0, 0, b"http://e.com/")
    unknown = Tokens([Key(9, b"o" * 32)]).mint_click(1, 0, 0, b"http://e.com/")
    first, second = [await site.ask(f"/c/{token}") for token in (forged, unknown)]
    assert first.read() == second.read()
    assert _without_date(first) == _without_date(second)


def _without_date(response: HTTPResponse) -> list[tuple[str, str]]:
    return [each for each in response.getheaders() if each[0] != "Date"]


async def test_a_purged_message_is_answered_and_not_stored(site: Site, store: Store) -> None:
    assert_pixel(await site.ask("/o/" + TOKENS.mint_open(404)))
    assert (await site.ask(click_path(b"https://e.com/", 404))).status == 302
    assert await hits(store) == []


async def test_links_work_while_the_store_does_not(
    site: Site, sent: Sent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object) -> None:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(recorder_module, "RETRY_SECONDS", 0.01)
    with monkeypatch.context() as away:
        away.setattr(recorder_module, "ANSWER_SECONDS", 0.01)
        away.setattr(store, "write", fail)
        away.setattr(store, "read", fail)
        assert_pixel(await site.ask("/o/" + TOKENS.mint_open(sent.message_id)))
        response = await site.ask(click_path(b"https://e.com/", sent.message_id))
        assert response.getheader("Location") == "https://e.com/"
    monkeypatch.setattr(recorder_module, "ANSWER_SECONDS", 60.0)
    await site.ask("/o/" + TOKENS.mint_open(sent.message_id))  # waits for those before it
    assert await hits(store) == [
        ("open", None, "browser"),
        ("click", 0, "browser"),
        ("open", None, "browser"),
    ]


async def test_agents_are_cut_and_cleaned(site: Site, sent: Sent, store: Store) -> None:
    path = "/o/" + TOKENS.mint_open(sent.message_id)
    await site.ask(path, agent="Mozilla/5.0\tX\u0085\u2028Y" + "z" * 400)
    await site.ask(path, agent="Mozilla/5.0 \udcff")
    found = [row.text for row in await store.read(select(agent.c.text).order_by(agent.c.id))]
    assert found == [("Mozilla/5.0 X Y" + "z" * 400)[:300], "Mozilla/5.0 ?"]


async def test_the_client_is_seen_through_trusted_proxies_only(
    open_site: Callable, sent: Sent, store: Store
) -> None:
    path = "/o/" + TOKENS.mint_open(sent.message_id)
    header = "X-Forwarded-For: 203.0.113.9, 198.51.100.7"
    await (await open_site(trusted=LOOPBACK)).ask(path, header)
    await (await open_site(trusted=LOOPBACK)).ask(path, 'Forwarded: for="[2001:db8:1::7]:80"')
    await (await open_site(trusted=())).ask(path, header)
    networks = [row.network for row in await store.read(select(hit.c.network).order_by(hit.c.id))]
    assert networks == [bytes([198, 51, 100]), bytes.fromhex("20010db80001"), bytes([127, 0, 0])]


async def test_who_is_signed_in_follows_their_own_link(
    open_site: Callable, sent: Sent, store: Store
) -> None:
    """The pages tell where they are used and by which session; neither asks the store later."""
    site, senders = await open_site(trusted=LOOPBACK), Senders(store)
    token = await senders.open_session(sent.sender_id, 60)
    senders.close()
    cookie = f"Cookie: letterbell_session={token}"
    home, away = ("X-Forwarded-For: 93.184.216.34", "X-Forwarded-For: 93.184.216.35")
    path = click_path(b"https://e.com/", sent.message_id)
    for header in (home, away, cookie):
        await site.ask(path, header)
    assert (await site.ask("/", cookie, home)).status == 200
    await site.ask("/", "Cookie: letterbell_session=none", away)
    for headers in ([home], [away], [cookie], [away, "Cookie: letterbell_session=none"]):
        await site.ask(path, *headers)
    rules = [rule for _, _, rule in await hits(store)]
    assert rules == ["browser"] * 3 + ["self-page", "browser", "self-session", "browser"]


async def test_robots_stay_out(site: Site) -> None:
    response = await site.ask("/robots.txt")
    assert response.read() == b"User-agent: *\nDisallow: /\n"


async def test_health(site: Site) -> None:
    response = await site.ask("/health")
    assert response.status == 200
    told = {"store": "ok", "version": version("letterbell"), "alarms": {}}
    assert json.loads(response.read()) == told


async def test_alarms_are_for_those_who_may_see_metrics(open_site: Callable) -> None:
    alarms = {"spool": "the disk is full"}
    near = await open_site(alarms=lambda: alarms)
    assert json.loads((await near.ask("/health")).read())["alarms"] == alarms
    far = await open_site(alarms=lambda: alarms, metrics_from=())
    assert "alarms" not in json.loads((await far.ask("/health")).read())


@pytest.mark.usefixtures("impatient")
async def test_health_while_the_store_is_locked(locked: Lock, site: Site) -> None:
    with locked():
        response = await site.ask("/health")
    assert response.status == 503
    assert json.loads(response.read())["store"] == "unavailable"
    assert (await site.ask("/health")).status == 200


async def test_metrics_for_those_who_may(open_site: Callable) -> None:
    response = await (await open_site()).ask("/metrics")
    assert response.status == 200
    assert b"letterbell_hits_dropped_total" in response.read()


async def test_for_others_there_are_no_metrics(open_site: Callable) -> None:
    site = await open_site(metrics_from=())
    assert (await site.ask("/metrics")).status == 404
    behind = await open_site(trusted=LOOPBACK)
    assert (await behind.ask("/metrics", "X-Forwarded-For: 198.51.100.7")).status == 404


@pytest.mark.parametrize("path", ["/", "/c/x", "/o/x", "/nowhere", "/health"])
async def test_every_answer_is_guarded(site: Site, path: str) -> None:
    response = await site.ask(path)
    assert "default-src 'self'" in response.getheader("Content-Security-Policy", "")
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Referrer-Policy") in {"same-origin", "no-referrer"}


@pytest.mark.parametrize("start", ["", "GET /health HTTP/1.1\r\nHost: t", "G"])
async def test_a_slow_head_is_cut_off(
    open_site: Callable, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.1)
    site = await open_site()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(start.encode())
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
