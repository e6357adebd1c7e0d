"""Logins that upstream knows: tried there once, with nothing kept here but a sender."""

import asyncio
import gc
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtplib import SMTP, SMTPResponse
from relays import RawClient, Relay, Script, Sink, running_relay, server_tls
from sqlalchemy import text

from collector.senders import Senders
from relay.credentials import Bearer, Credentials, Password
from relay.envelope import Identity, Outgoing
from relay.guard import Guard
from relay.passthrough import PassThrough
from relay.upstream import UpstreamHost, UpstreamRoute
from relay.upstreams import Upstreams

SECRET = "up stream secret"
TOKEN = "ya29.up-stream~token"
ADDRESSES = ("{login}", "*@{domain}")
Start = Callable[..., AbstractAsyncContextManager[Relay]]


def pass_through(senders: Senders, upstreams: Upstreams) -> PassThrough:
    return PassThrough(senders, upstreams, addresses=ADDRESSES, clicks=False, per_recipient=True)


@pytest.fixture
def start(store_template: Path, tmp_path: Path) -> Start:
    @asynccontextmanager
    async def running(port: int, **options: Any) -> AsyncIterator[Relay]:
        guard = Guard(clock=lambda: 0.0)
        options = {"authority": pass_through, "guard": guard} | options
        async with running_relay(store_template, tmp_path, port, **options) as relay:
            yield relay

    return running


def sink(login: str = "ana@example.com", password: str = SECRET) -> Sink:
    return Sink(login=(login.encode(), password.encode()))


async def greeted(relay: Relay) -> RawClient:
    client = await RawClient.connect(relay.ports["plain"])
    await client.reply()
    assert "AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER" in await client.ask("EHLO client.example.com")
    return client


def plain(login: str = "ana@example.com", password: str = SECRET) -> bytes:
    return b"AUTH PLAIN " + b64encode(f"\0{login}\0{password}".encode())


def holds(folder: Path, secret: str) -> bool:
    return any(secret.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def send(client: RawClient, author: str = "ana@example.com") -> str:
    for line in (f"MAIL FROM:<{author}>", "RCPT TO:<bob@example.org>", "DATA"):
        assert (await client.ask(line))[0] in "23"
    return await client.ask(b"From: %b\r\n\r\nbody\r\n." % author.encode())


# --- passwords ------------------------------------------------------------------------------------


async def test_one_session_upstream_for_login_and_mail_and_a_sender_for_its_rows(
    start: Start, tmp_path: Path
) -> None:
    async with sink().running() as upstream, start(upstream.port) as relay:
        async with await greeted(relay) as client:
            assert (await client.ask(plain())).startswith("235 ")
            assert (await send(client)).startswith("250 ")
            assert (await send(client, "any@example.com")).startswith("250 ")
        async with await greeted(relay) as client:
            assert (await client.ask("AUTH LOGIN")).startswith("334 ")
            await client.ask(b64encode(b"ana@example.com"))
            assert (await client.ask(b64encode(SECRET.encode()))).startswith("235 ")
            assert (await send(client)).startswith("250 ")
        assert (len(upstream.mails), upstream.logins) == (3, 1)
        made = await relay.senders.find("ana@example.com")
        assert made
        assert made.addresses == ("ana@example.com", "*@example.com")
        assert (made.opens, made.clicks, made.sticky) == (True, False, True)
        assert made.per_recipient
        query = text("SELECT password_hash FROM sender WHERE login = 'ana@example.com'")
        assert (await relay.store.read(query))[0].password_hash is None
        assert await relay.senders.authenticate("ana@example.com", "") is None
    assert not holds(tmp_path, SECRET)


async def test_upstreams_no_is_ours_and_guesses_end_here(start: Start) -> None:
    async with sink().running() as upstream, start(upstream.port) as relay:
        for number in range(5):
            async with await greeted(relay) as client:
                reply = await client.ask(plain(password=f"guess {number}"))
                assert reply.startswith("535 5.7.8 Login or password is wrong: the mail server")
        async with await greeted(relay) as client:
            assert (await client.ask(plain())).startswith("421 4.7.0")
        assert upstream.logins == 5
        assert await relay.senders.find("ana@example.com") is None


@pytest.mark.parametrize(
    "replies",
    [
        {"AUTH": "454 4.7.0 later"},
        {"AUTH": "504 5.5.4 not so"},
        {"AUTH": "538 5.7.11 encrypt first"},
        {"AUTH": None},
        {"": "421 busy"},
        {"offers": "250 no AUTH here"},
        {"offers": "250-script\r\n250 AUTH GSSAPI"},
    ],
)
async def test_where_upstream_does_not_say_nobody_is_wrong(
    start: Start, replies: dict[str, str | None]
) -> None:
    offers = replies.pop("offers", "250-script\r\n250 AUTH PLAIN")
    assert offers
    async with Script(offers, **replies).running() as script, start(script.port) as relay:
        for _ in range(6):
            async with await greeted(relay) as client:
                assert (await client.ask(plain())).startswith("454 4.7.0")


async def test_an_upstream_that_cannot_be_reached(start: Start) -> None:
    async with Script().running() as script:
        port = script.port
    async with start(port) as relay, await greeted(relay) as client:
        assert (await client.ask(plain())).startswith("454 4.7.0")


async def test_no_login_leaves_without_verified_tls(start: Start, authority: trustme.CA) -> None:
    tls = server_tls(authority, "localhost")
    async with sink().running(tls) as upstream:
        for options in ({"tls": "starttls"}, {"tls": "tls"}):
            options |= {"host": "localhost", "connect_timeout": 5.0}
            async with (
                start(upstream.port, upstream=options) as relay,
                await greeted(relay) as client,
            ):
                assert (await client.ask(plain())).startswith("454 4.7.0")
        assert upstream.logins == 0


async def test_it_works_over_tls(start: Start, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    options = {"host": "localhost", "tls": "starttls", "ca_file": tmp_path / "ca.pem"}
    async with (
        sink().running(server_tls(authority, "localhost")) as upstream,
        start(upstream.port, upstream=options) as relay,
        await greeted(relay) as client,
    ):
        assert (await client.ask(plain())).startswith("235 ")
        assert (await send(client)).startswith("250 ")
        assert upstream.logins == 1


async def test_each_login_has_its_own_session(start: Start) -> None:
    offers = "250-script\r\n250 AUTH PLAIN"
    async with (
        Script(offers, AUTH="235 ok").running() as script,
        start(script.port) as relay,
        await greeted(relay) as ana,
        await greeted(relay) as ben,
    ):
        assert (await ana.ask(plain())).startswith("235 ")
        assert (await ben.ask(plain("ben@example.com"))).startswith("235 ")
        assert (await send(ana)).startswith("250 ")
        assert (await send(ben, "ben@example.com")).startswith("250 ")
        assert script.sessions == 2
        assert (await send(ana)).startswith("250 ")
        assert script.sessions == 2


async def test_another_password_is_another_login(start: Start) -> None:
    """What one password has opened is no proof of another."""
    async with sink().running() as upstream, start(upstream.port) as relay:
        async with await greeted(relay) as client:
            assert (await client.ask(plain())).startswith("235 ")
        async with await greeted(relay) as client:
            assert (await client.ask(plain(password="wrong"))).startswith("535 ")
        assert upstream.logins == 2


async def test_a_kept_session_is_no_proof_for_ever(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = "250-script\r\n250 AUTH PLAIN"
    async with Script(offers, AUTH="235 ok").running() as script, start(script.port) as relay:
        for _ in range(3):
            async with await greeted(relay) as client:
                assert (await client.ask(plain())).startswith("235 ")
        assert script.sessions == 1
        monkeypatch.setattr("relay.upstream_sessions.PROOF_SECONDS", 0.0)
        script.say("AUTH", "535 5.7.8 changed")
        async with await greeted(relay) as client:
            assert (await client.ask(plain())).startswith("535 ")
        await script.heard(b"QUIT\r\n")  # the kept one goes as well
        assert script.sessions == 2


async def test_who_is_disabled_here_or_known_here_already(start: Start) -> None:
    async with sink().running() as upstream, start(upstream.port) as relay:
        known = await relay.senders.add("ana@example.com", "own", ["own@example.com"])
        async with await greeted(relay) as client:
            assert (await client.ask(plain(password="own"))).startswith("535 ")
            assert (await client.ask(plain())).startswith("235 ")
            assert (await client.ask("MAIL FROM:<ana@example.com>")).startswith("550 ")
            assert (await send(client, "own@example.com")).startswith("250 ")
        await relay.senders.set_enabled(known.id, False)
        async with await greeted(relay) as client:
            assert (await client.ask(plain())).startswith("535 ")


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("a\0ana@example.com", SECRET),
        ("ana@example.com", f"\0{SECRET}"),
        ("\uff41na@example.com", SECRET),
        (" ana@example.com", SECRET),
        ("ana@exam\u200bple.com", SECRET),
        ("ana@example.com", ""),
    ],
)
async def test_what_upstream_may_read_otherwise_is_not_asked(
    start: Start, login: str, password: str
) -> None:
    async with sink().running() as upstream, start(upstream.port) as relay:
        async with await greeted(relay) as client:
            await client.ask("AUTH LOGIN")
            await client.ask(b64encode(login.encode()))
            assert (await client.ask(b64encode(password.encode()) or b"=")).startswith("535 ")
        assert upstream.logins == 0


# --- tokens ---------------------------------------------------------------------------------------

XOAUTH2 = b64encode(f"user=ana@example.com\1auth=Bearer {TOKEN}\1\1".encode())
OAUTHBEARER = b64encode(f"n,a=ana@example.com,\1auth=Bearer {TOKEN}\1\1".encode())


@pytest.mark.parametrize("said", [b"XOAUTH2 " + XOAUTH2, b"OAUTHBEARER " + OAUTHBEARER])
@pytest.mark.parametrize("offered", [b"XOAUTH2 " + XOAUTH2, b"OAUTHBEARER " + OAUTHBEARER])
async def test_a_token_goes_upstream_as_it_is_taken_there(
    start: Start, said: bytes, offered: bytes
) -> None:
    offers = f"250-script\r\n250 AUTH PLAIN {offered.split()[0].decode()}"
    async with Script(offers, AUTH="235 ok").running() as script, start(script.port) as relay:
        async with await greeted(relay) as client:
            assert (await client.ask(b"AUTH " + said)).startswith("235 ")
            assert (await send(client)).startswith("250 ")
        assert script.sessions == 1
        assert [line for line in script.lines if line.startswith(b"AUTH")] == [
            b"AUTH " + offered + b"\r\n"
        ]


@pytest.mark.parametrize(
    ("said", "excuse"),
    [
        (b"XOAUTH2 " + XOAUTH2, b'{"status":"401","schemes":"bearer"}'),
        (b"OAUTHBEARER " + OAUTHBEARER, b'{"status":"invalid_token"}'),
    ],
)
async def test_a_token_that_is_refused(start: Start, said: bytes, excuse: bytes) -> None:
    offers = f"250-script\r\n250 AUTH {said.split()[0].decode()}"
    replies = {"AUTH": "334 e30=", "?": "535 5.7.8 expired", "AQ==": "535 5.7.8 expired"}
    async with Script(offers, **replies).running() as script, start(script.port) as relay:
        async with await greeted(relay) as client:
            challenge = await client.ask(b"AUTH " + said)
            assert challenge.startswith("334 ")
            assert b64decode(challenge[4:]) == excuse
            assert (await client.ask("AQ==")).startswith("535 5.7.8")
        assert script.lines[-1] in (b"\r\n", b"AQ==\r\n")


async def test_a_token_where_upstream_takes_none(start: Start) -> None:
    async with (
        Script("250-script\r\n250 AUTH PLAIN").running() as script,
        start(script.port) as relay,
        await greeted(relay) as client,
    ):
        assert (await client.ask(b"AUTH XOAUTH2 " + XOAUTH2)).startswith("454 ")
    assert not any(line.startswith(b"AUTH") for line in script.lines)


# --- what is shared, and what is left behind ------------------------------------------------------


def identity(number: int = 0, credentials: Credentials | None = None) -> Identity:
    return Identity(
        sender=None,  # type: ignore[arg-type]
        how="upstream",
        credentials=credentials or Password(b"%d@example.com" % number, SECRET.encode()),
    )


async def test_all_logins_share_the_connections(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More logins than connections: those that are kept give way, before a new one is opened."""
    offers = "250-script\r\n250 AUTH PLAIN"
    async with (
        Script(offers, AUTH="235 ok").running() as script,
        start(script.port, upstream={"connections": 2}) as relay,
    ):
        counted: list[int] = []
        gate = relay.upstreams.lane(b"")._hosts[0].gate
        connect = SMTP.connect

        async def spy(self: SMTP, **options: Any) -> SMTPResponse:
            counted.append(gate._in_use + len(gate._kept))
            return await connect(self, **options)

        monkeypatch.setattr(SMTP, "connect", spy)

        async def one(number: int) -> None:
            author = f"{number}@example.com"
            async with await greeted(relay) as client:
                assert (await client.ask(plain(author))).startswith("235 ")
                assert (await send(client, author)).startswith("250 ")

        await asyncio.gather(*(one(number) for number in range(10)))
    assert len(script.messages) == 10
    assert len(counted) == script.sessions >= 10
    assert max(counted) <= 2


async def test_nothing_is_known_of_a_login_when_its_last_session_has_gone(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.upstream_sessions.IDLE_SECONDS", 0.01)
    offers = "250-script\r\n250 AUTH PLAIN"
    async with Script(offers, AUTH="235 ok").running() as script, start(script.port) as relay:
        async with await greeted(relay) as client:
            assert (await client.ask(plain())).startswith("235 ")
            await script.heard(b"QUIT\r\n")
            gc.collect()
            assert dict(relay.upstreams._passed) == {}
            assert (await send(client)).startswith("250 ")  # logs in anew
        assert script.sessions == 2


@pytest.mark.parametrize("kind", [Password, Bearer])
def test_credentials_do_not_print(kind: type[Credentials]) -> None:
    credentials = kind(b"ana@example.com", SECRET.encode())
    told = repr([identity(credentials=credentials), credentials])
    assert SECRET not in told
    assert "ana@" not in told


def outgoing(credentials: Credentials | None) -> Outgoing:
    return Outgoing(
        id=1,
        sender_id=1,
        login="ana",
        received_at_ms=0,
        mail_from=b"ana@example.com",
        parameters={},
        route=b"ana@example.com",
        copies=(),
        tracked=False,
        credentials=credentials,
    )


async def test_sessions_are_found_by_login_secret_and_kind() -> None:
    upstreams = Upstreams(
        [UpstreamRoute.to(UpstreamHost(host="127.0.0.1", port=1, hostname="h", tls="none"))]
    )
    pools = [
        upstreams.to(outgoing(each))
        for each in (
            Password(b"ana", b"one"),
            Password(b"ana", b"two"),
            Bearer(b"ana", b"one"),
            Password(b"ana\0one", b""),
        )
    ]
    assert len(set(pools)) == 4
    assert upstreams.to(outgoing(Password(b"ana", b"one"))) is pools[0]
    assert upstreams.to(outgoing(None)) not in pools
    assert SECRET not in repr(vars(upstreams))
