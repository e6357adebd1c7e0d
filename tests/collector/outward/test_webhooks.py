"""One webhook, to a real server; and the many ways in which an address may lead inside."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import trustme
from aiohttp import web
from receivers import LOOPBACK, Receiver
from standardwebhooks import Webhook

from collector.outward import webhooks as module
from collector.outward.outcomes import Failed, Taken
from collector.outward.signature import write_secret
from collector.outward.webhooks import AddressRefused, Webhooks, show

SECRET = write_secret(bytes(32))


PLAIN = ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1")


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    made = Webhooks(LOOPBACK)
    yield made
    await made.close()


@pytest.fixture
async def strict() -> AsyncIterator[Webhooks]:
    """As a site has it that allows no private network."""
    made = Webhooks()
    yield made
    await made.close()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`resolve(["127.0.0.1"], …)`: what each next question to the DNS is answered with."""

    def set_answers(*answers: list[str]) -> None:
        left = list(answers)

        async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> list[Any]:
            addresses = left.pop(0) if len(left) > 1 else left[0]
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in addresses
            ]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

    return set_answers


async def test_is_posted_signed(webhooks: Webhooks, receiver: Receiver) -> None:
    body = '{"type":"test","data":{"subject":"Grüße"}}'.encode()
    assert await webhooks.post(f"{receiver.url}/hook?a=1", SECRET, "event_1", body) == Taken()
    [(headers, got)] = receiver.calls
    assert got == body
    assert Webhook(SECRET).verify(got, headers)["type"] == "test"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("Letterbell/")
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Taken()),
        (204, Taken()),
        (299, Taken()),
        (301, Failed("redirect", "301")),
        (400, Failed("status", "400", spares_others=True)),
        (404, Failed("status", "404")),
        (410, Failed("gone", lasting=True)),
        (422, Failed("status", "422", spares_others=True)),
        (429, Failed("status", "429")),
        (500, Failed("status", "500")),
    ],
)
async def test_what_an_answer_means(
    webhooks: Webhooks, receiver: Receiver, status: int, outcome: object
) -> None:
    receiver.answer = lambda: web.Response(status=status)
    assert await webhooks.post(receiver.url, SECRET, "event_1", b"{}") == outcome


async def test_a_receiver_may_put_us_off(webhooks: Webhooks, receiver: Receiver) -> None:
    for said, least, most in (
        ("120", 120, 120),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 3_000, 3_600),
        ("99999999", 21_600, 21_600),
        ("soon", 0, 0),
        ("-5", 0, 0),
    ):
        receiver.answer = lambda said=said: web.Response(  # type: ignore[misc]
            status=503, headers={"Retry-After": said}
        )
        outcome = await webhooks.post(receiver.url, SECRET, "event_1", b"{}")
        assert isinstance(outcome, Failed)
        assert least <= outcome.wait <= most


async def test_no_redirect_is_followed(webhooks: Webhooks, receiver: Receiver) -> None:
    target = f"{receiver.url}/inside"
    receiver.answer = lambda: web.Response(status=307, headers={"Location": target})
    outcome = await webhooks.post(f"{receiver.url}/outside", SECRET, "event_1", b"{}")
    assert outcome == Failed("redirect", "307")
    assert len(receiver.calls) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "[fe80::1]",
    ],
)
async def test_private_addresses_are_refused(
    strict: Webhooks, receiver: Receiver, scheme: str, host: str
) -> None:
    url = f"{scheme}://{host}:{receiver.port}/hook"
    # aiohttp takes no IPv4 address in another than the usual form.
    refused = [Failed("private")] if host in PLAIN else [Failed("private"), Failed("name")]
    assert await strict.post(url, SECRET, "event_1", b"{}") in refused
    assert await strict.look_up(url) in refused
    assert receiver.calls == []


async def test_a_name_is_judged_by_what_it_leads_to(
    strict: Webhooks, receiver: Receiver, resolve: Callable[..., None]
) -> None:
    for addresses in (["127.0.0.1"], ["10.0.0.1", "127.0.0.1"]):
        resolve(addresses)
        url = f"https://hook.example.com:{receiver.port}/"
        assert await strict.post(url, SECRET, "event_1", b"{}") == Failed("private")
    assert receiver.calls == []


async def test_rebinding_helps_nobody(
    strict: Webhooks, receiver: Receiver, resolve: Callable[..., None]
) -> None:
    """The name was public when it was looked up, and is private when it is used."""
    resolve(["8.8.8.8"], ["127.0.0.1"])
    url = f"https://hook.example.com:{receiver.port}/"
    assert await strict.look_up(url) is None
    assert await strict.post(url, SECRET, "event_1", b"{}") == Failed("private")
    assert receiver.calls == []


async def test_plain_http_is_for_allowed_networks_alone(
    webhooks: Webhooks, resolve: Callable[..., None]
) -> None:
    resolve(["8.8.8.8"])
    assert await webhooks.look_up("http://hook.example.com/") == Failed("plain")
    assert await webhooks.look_up("https://hook.example.com/") is None
    outcome = await webhooks.post("http://hook.example.com/", SECRET, "event_1", b"{}")
    assert outcome == Failed("plain")


async def test_a_proxy_of_the_environment_is_not_asked(
    strict: Webhooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, receiver.url)
    outcome = await strict.post("https://127.0.0.1:1/", SECRET, "event_1", b"{}")
    assert outcome == Failed("private")
    assert receiver.calls == []


async def test_a_certificate_is_verified(webhooks: Webhooks) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    outcome = await webhooks.post(f"https://127.0.0.1:{port}/", SECRET, "event_1", b"{}")
    assert outcome == Failed("tls")
    server.close()


async def test_who_does_not_answer(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch, resolve: Callable[..., None]
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        outcome = await webhooks.post(f"http://127.0.0.1:{port}/", SECRET, "event_1", b"{}")
        assert outcome == Failed("unreachable")
    monkeypatch.setattr(module, "SECONDS", 0.05)
    hurried = Webhooks(LOOPBACK)
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcome = await hurried.post(f"http://127.0.0.1:{port}/", SECRET, "event_1", b"{}")
    assert outcome == Failed("slow")
    held.set()
    server.close()
    await hurried.close()


async def test_a_host_that_is_none(webhooks: Webhooks) -> None:
    url = "https://no-such-host.invalid/"
    assert await webhooks.look_up(url) == Failed("name")
    assert await webhooks.post(url, SECRET, "event_1", b"{}") == Failed("name")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "address"),
        ("hook", "address"),
        ("ftp://example.com/", "address"),
        ("https://", "address"),
        ("https:///hook", "address"),
        ("https://example.com:0/", "address"),
        ("https://example.com:99999/", "address"),
        ("https://[::1", "address"),
        ("file:///etc/passwd", "address"),
        ("https://example.com/" + "a" * 2_000, "address"),
        ("http://example.com/", "plain"),
        ("https://ana:secret@example.com/", "login"),
        ("https://ana@example.com/", "login"),
    ],
)
async def test_addresses_that_are_none(strict: Webhooks, text: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        strict.read(text)
    assert refused.value.reason == reason


async def test_addresses_as_they_are_kept_and_shown(webhooks: Webhooks, strict: Webhooks) -> None:
    kept = strict.read("  https://example.com/hook/secret?key=1#top ")
    assert kept == "https://example.com/hook/secret?key=1"
    assert show(kept) == "https://example.com/…"
    assert show("https://example.com:8443/") == "https://example.com:8443/"
    assert webhooks.read("http://10.0.0.1/a") == "http://10.0.0.1/a"
