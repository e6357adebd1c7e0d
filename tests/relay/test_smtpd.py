"""Connections: their times, limits, ends and failures. What is said on them: tests/dialogues."""

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from relays import (
    HOSTNAME,
    PASSWORD,
    PATIENCE,
    RawClient,
    Relay,
    Sink,
    client_tls,
    door_tls,
    running_relay,
    until,
)

from collector.errors import StoreUnavailable
from collector.passwords import Passwords, PasswordsBusy
from collector.store import Store
from relay.connections import Connections
from relay.drafts import Drafts
from relay.envelope import Envelope, Reply
from relay.log import QUIET
from relay.patience import Patience
from relay.service import Door

LOGIN = b"AUTH PLAIN " + base64.b64encode(b"\0ana\0" + PASSWORD.encode())
MESSAGE = b"From: ana@example.com\r\nSubject: x\r\n\r\nbody\r\n"
Accept = Callable[[Envelope], Awaitable[Reply]]
Start = Callable[..., Any]


@pytest.fixture
def start(store_template: Path, tmp_path: Path) -> Start:
    """`async with start(…) as relay`: a relay whose `accept` may be the test's own."""

    @asynccontextmanager
    async def running(accept: Accept | None = None, **options: Any) -> AsyncIterator[Relay]:
        own = {"accept": lambda pipeline: accept} if accept else {}
        async with (
            Sink().running() as sink,
            running_relay(store_template, tmp_path, sink.port, **own, **options) as relay,
        ):
            yield relay

    return running


async def logged_in(port: int, tls: ssl.SSLContext | None = None) -> RawClient:
    client = await RawClient.connect(port, tls)
    assert (await client.reply()).startswith("220 ")
    assert (await client.ask("EHLO client.example.com")).startswith("250")
    assert (await client.ask(LOGIN)).startswith("235 ")
    return client


async def start_message(client: RawClient) -> None:
    lines = ("MAIL FROM:<ana@example.com>", "RCPT TO:<bob@example.org>", "DATA")
    assert (await client.ask(*lines)).startswith("354 ")


# --- times ----------------------------------------------------------------------------------------


async def test_a_stranger_may_not_stay(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.patience.LOGIN_SECONDS", 0.05)
    async with start() as relay, await RawClient.connect(relay.ports["plain"]) as client:
        assert (await client.reply()).startswith("220 ")
        reply = ""
        while (heard := await client.ask("NOOP")) != "":  # talking does not help
            reply = heard
            await asyncio.sleep(0.01)
        assert reply.startswith(("421 4.4.2", "250 "))


async def test_an_idle_session_is_ended(start: Start) -> None:
    async with start(idle_timeout=0.05) as relay:
        client = await logged_in(relay.ports["plain"])
        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.reply() == ""


async def test_a_message_that_stops_coming_is_ended(start: Start) -> None:
    async with start(idle_timeout=0.05) as relay:
        client = await logged_in(relay.ports["plain"])
        await start_message(client)
        await client.send(b"From: ana@example.com\r\n")
        assert (await client.reply()).startswith("421 4.4.2")


async def test_a_slow_but_steady_message_lives(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It brings its share each time before the server looks again."""
    looked = asyncio.Event()
    look = Patience.look

    def seen(patience: Patience, *args: Any, **measures: Any) -> float:
        looked.set()
        return look(patience, *args, **measures)

    monkeypatch.setattr(Patience, "look", seen)
    async with start(idle_timeout=0.2) as relay, asyncio.timeout(PATIENCE):
        client = await logged_in(relay.ports["plain"])
        await start_message(client)
        await client.send(b"From: ana@example.com\r\n\r\n")
        for _ in range(4):
            await client.send(b"x" * 998 + b"\r\n")  # 500 octets a second would be 100
            looked.clear()
            await looked.wait()
        assert (await client.ask(".")).startswith("250 ")


async def test_a_slow_delivery_is_waited_for(start: Start) -> None:
    async def accept(envelope: Envelope) -> Reply:
        await asyncio.sleep(0.3)
        return Reply(250, b"2.0.0 at last")

    async with start(accept, idle_timeout=0.05) as relay:
        client = await logged_in(relay.ports["plain"])
        await start_message(client)
        assert await client.ask(MESSAGE + b".") == "250 2.0.0 at last"


@pytest.mark.parametrize("door", ["plain", "implicit"])
async def test_who_speaks_before_the_greeting_is_turned_away(
    start: Start, authority: trustme.CA, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.smtpd.is_loopback", lambda _: False)
    doors = {
        "plain": Door(allow_plain_auth=True),
        "implicit": Door(tls=door_tls(authority, HOSTNAME), implicit=True),
    }
    tls = client_tls(authority) if door == "implicit" else None
    async with start(doors={door: doors[door]}, greeting_delay=PATIENCE) as relay:
        client = await RawClient.connect(relay.ports[door], tls)
        await client.send(b"EHLO bot.example.com\r\n")
        assert (await client.reply()).startswith("554 5.5.1 ")
        assert await client.reply() == ""


async def test_who_waits_is_greeted(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.smtpd.is_loopback", lambda _: False)
    async with start(greeting_delay=0.01) as relay:
        client = await RawClient.connect(relay.ports["plain"])
        assert (await client.reply()).startswith("220 ")
        assert (await client.ask("NOOP")).startswith("250 ")


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [(1, 9), (9, 1)], ids=["in all", "per address"])
async def test_too_many_connections(start: Start, limits: tuple[int, int]) -> None:
    total, per_address = limits
    connections = Connections(limit=total, limit_per_address=per_address)
    async with start(connections=connections) as relay:
        first = await logged_in(relay.ports["plain"])
        async with await RawClient.connect(relay.ports["plain"]) as second:
            assert (await second.reply()).startswith("421 4.7.0")
            assert await second.reply() == ""
        assert (await first.ask("QUIT")).startswith("221 ")
        assert await first.reply() == ""
        await logged_in(relay.ports["plain"])


@pytest.mark.parametrize("door", ["plain", "implicit"])
@pytest.mark.parametrize(
    "line", [b"abc\r\n", b"x" * 70 + b"\r\n", b"y" * 1_048_576 + b"\r\n", b".\r\n"], ids=len
)
async def test_large_messages_of_any_shape(
    start: Start, authority: trustme.CA, door: str, line: bytes
) -> None:
    taken: list[bytes] = []

    async def accept(envelope: Envelope) -> Reply:
        taken.append(envelope.content.read())
        return Reply(250, b"2.0.0 ok")

    doors = {
        "plain": Door(allow_plain_auth=True),
        "implicit": Door(tls=door_tls(authority, HOSTNAME), implicit=True),
    }
    content = b"Subject: x\r\n\r\n" + line * (5_000_000 // len(line))
    async with start(accept, doors={door: doors[door]}) as relay:
        tls = client_tls(authority) if door == "implicit" else None
        client = await logged_in(relay.ports[door], tls)
        await start_message(client)
        await client.send(content.replace(b".", b".."))
        assert (await client.ask(".")).startswith("250 ")
        await client.send(b"QUIT\r\n")
        await client.reply()
    assert taken == [content]


async def test_a_full_disk_is_told_at_mail(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drafts, "has_room", lambda _, size: size <= 10_000)
    async with start() as relay:
        client = await logged_in(relay.ports["plain"])
        reply = await client.ask("MAIL FROM:<ana@example.com> SIZE=10001")
        assert reply.startswith("452 4.3.1 ")
        reply = await client.ask("MAIL FROM:<ana@example.com> SIZE=10000")
        assert reply.startswith("250 ")


# --- ends -----------------------------------------------------------------------------------------


async def test_a_client_that_vanishes_stops_nothing(start: Start) -> None:
    begun, go_on, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def accept(envelope: Envelope) -> Reply:
        begun.set()
        await go_on.wait()
        finished.set()
        return Reply(250, b"2.0.0 ok")

    async with start(accept) as relay, asyncio.timeout(PATIENCE):
        client = await logged_in(relay.ports["plain"])
        await start_message(client)
        await client.send(MESSAGE + b".\r\n")
        await begun.wait()
        client.reset()
        await until(lambda: not relay.service.connections._sessions)
        go_on.set()
        await finished.wait()


async def test_a_client_that_only_stops_sending_is_answered(start: Start) -> None:
    async with start() as relay:
        client = await logged_in(relay.ports["plain"])
        await client.send(b"NOOP\r\nMAIL FROM:<ana@example.com>\r\nunfinished")
        client.writer.write_eof()
        assert (await client.reply()).startswith("250 ")
        assert (await client.reply()).startswith("250 ")
        assert await client.reply() == ""


async def test_a_stopping_server_finishes_what_it_has_begun(start: Start) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def accept(envelope: Envelope) -> Reply:
        begun.set()
        await go_on.wait()
        return Reply(250, b"2.0.0 finished")

    async with start(accept) as relay:
        connections = relay.service.connections
        idle = await logged_in(relay.ports["plain"])
        busy = await logged_in(relay.ports["plain"])
        receiving = await logged_in(relay.ports["plain"])
        await start_message(busy)
        await busy.send(MESSAGE + b".\r\n")
        await begun.wait()
        await start_message(receiving)
        draining = asyncio.create_task(connections.drain(PATIENCE))
        assert (await idle.reply()).startswith("421 4.3.2")
        assert await idle.reply() == ""
        async with await RawClient.connect(relay.ports["plain"]) as late:
            assert (await late.reply()).startswith("421 ")
        go_on.set()
        assert await busy.reply() == "250 2.0.0 finished"
        assert await busy.reply() == ""
        assert not draining.done()
        assert await receiving.ask(MESSAGE + b".") == "250 2.0.0 finished"
        assert await receiving.reply() == ""
        await draining


async def test_a_stopping_server_does_not_wait_for_ever(start: Start) -> None:
    cancelled = asyncio.Event()

    async def accept(envelope: Envelope) -> Reply:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    async with start(accept) as relay:
        client = await logged_in(relay.ports["plain"])
        await start_message(client)
        await client.send(MESSAGE + b".\r\n")
        await relay.service.connections.drain(0.05)
        assert await client.reply() == ""
        await cancelled.wait()


# --- failures -------------------------------------------------------------------------------------


async def test_an_error_of_ours_is_451_with_a_reference_and_no_more(start: Start) -> None:
    async def accept(envelope: Envelope) -> Reply:
        raise OSError("/secret/path is full")

    async with start(accept) as relay:
        client = await logged_in(relay.ports["plain"])
        await start_message(client)
        with structlog.testing.capture_logs() as logs:
            reply = await client.ask(MESSAGE + b".")
        assert reply.startswith("451 4.3.0 ")
        assert "secret" not in reply
        assert "OSError" not in reply
        [event] = [event for event in logs if event["log_level"] == "error"]
        assert f"(reference {event['reference']})" in reply
        assert (await client.ask("RCPT TO:<bob@example.org>")).startswith("503 ")
        assert (await client.ask("MAIL FROM:<ana@example.com>")).startswith("250 ")


async def test_an_error_between_messages_is_451_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as relay:
        client = await logged_in(relay.ports["plain"])
        assert (await client.ask("MAIL FROM:<ana@example.com>")).startswith("250 ")
        monkeypatch.setattr("relay.session.parse_rcpt", None)
        assert (await client.ask("RCPT TO:<bob@example.org>")).startswith("451 4.3.0 ")
        monkeypatch.undo()
        assert (await client.ask("RCPT TO:<bob@example.org>")).startswith("503 ")


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ((Store, "read"), StoreUnavailable("it is locked")),
        ((Passwords, "matches"), PasswordsBusy()),
    ],
    ids=["locked", "busy"],
)
async def test_logins_that_cannot_be_checked_are_put_off(
    start: Start, monkeypatch: pytest.MonkeyPatch, part: tuple[type, str], error: Exception
) -> None:
    async def fail(*_: object) -> None:
        raise error

    async with start() as relay, await RawClient.connect(relay.ports["plain"]) as client:
        await client.reply()
        monkeypatch.setattr(*part, fail)
        await client.ask("EHLO client.example.com")
        reply = await client.ask(LOGIN)
        assert reply.startswith("454 4.7.0")


async def test_no_log_holds_credentials_or_bodies(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, level in QUIET.items():
        caplog.set_level(level, name)
    with structlog.testing.capture_logs() as logs:
        async with start() as relay:
            client = await logged_in(relay.ports["plain"])
            await start_message(client)
            assert (await client.ask(MESSAGE + b".")).startswith("250 ")
            for said in (b"AUTH LOGIN", base64.b64encode(b"ana"), base64.b64encode(b"hunter2")):
                await client.ask(said)
            await client.ask("QUIT")
    told = repr(logs) + caplog.text
    assert "message" in told
    for secret in (
        PASSWORD,
        "hunter2",
        LOGIN.split()[-1].decode(),
        "aHVudGVyMg",
        "bob@example.org",
        "body",
    ):
        assert secret not in told


# --- what is told of a session --------------------------------------------------------------------


def of_sessions(logs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Events of sessions, their number aside."""
    told = ("event", "tls", "how", "why")
    return [tuple(event[key] for key in told if key in event) for event in logs]


async def test_a_session_is_told_from_its_begin_to_its_end(
    start: Start, authority: trustme.CA
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with start(doors={"starttls": Door(tls=door_tls(authority, HOSTNAME))}) as relay:
            client = await RawClient.connect(relay.ports["starttls"])
            await client.reply()
            assert (await client.ask("EHLO client.example.com")).startswith("250")
            assert (await client.ask("STARTTLS")).startswith("220 ")
            await client.start_tls(client_tls(authority))
            assert (await client.ask("EHLO client.example.com")).startswith("250")
            assert (await client.ask(LOGIN)).startswith("235 ")
            assert (await client.ask("QUIT")).startswith("221 ")
            assert await client.reply() == ""
            await until(lambda: not relay.service.connections._sessions)
    assert of_sessions(logs) == [
        ("session opened", "none"),
        ("session encrypted", "TLSv1.3"),
        ("logged in", "account"),
        ("session closed", "it was over"),
    ]
    assert {event["log_level"] for event in logs} == {"debug"}
    assert len({event["session"] for event in logs if "session" in event}) == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "the client went away"),
        (b"GET / HTTP/1.1\r\n", "421 4.7.0 This is not a web server"),
    ],
)
async def test_why_a_session_ended(start: Start, said: bytes, why: str) -> None:
    with structlog.testing.capture_logs() as logs:
        async with start() as relay:
            async with await RawClient.connect(relay.ports["plain"]) as client:
                await client.reply()
                await client.send(said)
                if said:
                    await client.reply()
            await until(lambda: not relay.service.connections._sessions)
    assert of_sessions(logs)[-1] == ("session closed", why)


async def test_an_idle_session_says_so(start: Start) -> None:
    with structlog.testing.capture_logs() as logs:
        async with start(idle_timeout=0.05) as relay:
            client = await logged_in(relay.ports["plain"])
            assert (await client.reply()).startswith("421 4.4.2")
            await until(lambda: not relay.service.connections._sessions)
    assert of_sessions(logs)[-1] == ("session closed", "421 4.4.2 Nothing came for too long")


# --- TLS ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["starttls", "implicit"])
async def test_a_broken_handshake_leaves_nothing(
    start: Start, authority: trustme.CA, door: str, caplog: pytest.LogCaptureFixture
) -> None:
    doors = {
        "starttls": Door(tls=door_tls(authority, HOSTNAME)),
        "implicit": Door(tls=door_tls(authority, HOSTNAME), implicit=True),
    }
    async with start(doors={door: doors[door]}) as relay:
        client = await RawClient.connect(relay.ports[door])
        if door == "starttls":
            await client.reply()
            await client.ask("EHLO client.example.com")
            assert (await client.ask("STARTTLS")).startswith("220 ")
        await client.send(b"this is no handshake\r\n" * 5)
        while await client.line() != "":
            pass  # perhaps an alert
        await until(lambda: not relay.service.connections._sessions)
    assert "Traceback" not in caplog.text


async def test_nothing_in_clear_slips_in_while_a_reply_waits(
    start: Start, authority: trustme.CA
) -> None:
    door = Door(tls=door_tls(authority, HOSTNAME))
    async with start(doors={"starttls": door}) as relay:
        client = await RawClient.connect(relay.ports["starttls"])
        await client.reply()
        assert (await client.ask("EHLO client.example.com")).startswith("250")
        [server] = relay.service.connections._sessions
        wire = server._wire  # type: ignore[attr-defined]
        wire.writable.clear()  # as if the client did not read
        await client.send(b"STARTTLS\r\n")
        assert (await client.reply()).startswith("220 ")
        await client.send(b"NOOP\r\n")
        await until(lambda: wire.pending)
        wire.writable.set()
        assert (await client.reply()).startswith("501 5.5.1")
        assert await client.reply() == ""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_is_refused(start: Start, authority: trustme.CA) -> None:
    old = client_tls(authority)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    door = Door(tls=door_tls(authority, HOSTNAME), implicit=True)
    async with start(doors={"implicit": door}) as relay:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await RawClient.connect(relay.ports["implicit"], old)
