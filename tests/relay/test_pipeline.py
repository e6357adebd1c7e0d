"""The whole walk of one message with the real store, rewriter and an upstream that keeps mail."""

import asyncio
import re
import smtplib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from relays import PASSWORD, PATIENCE, PUBLIC_URL, Relay, Sink, running_relay

from collector.stats import Stats
from collector.tokens import Key, Tokens
from relay import metrics

HTML = (
    b"From: Ana <ana@example.com>\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <1@example.com>\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"\r\n"
    b'<html><body><p><a href="https://example.org/a?b=1&amp;c=2">go</a></p></body></html>\r\n'
)
TRACE = re.compile(
    rb"Received: by relay\.example\.com \(Letterbell\) with ESMTPA id [0-9a-f]+;\r\n\t[^\r]*\r\n"
)


async def until_state(relay: Relay, state: str) -> None:
    """Outcomes are stored some time soon, behind the reply."""
    async with asyncio.timeout(PATIENCE):
        while [row.state for row in await relay.messages()] != [state]:
            pass


class Bench:
    """A relay with its sink, and a plain client."""

    def __init__(self, relay: Relay, sink: Sink) -> None:
        self.relay = relay
        self.sink = sink

    async def send(self, content: bytes = HTML, *recipients: str) -> str:
        """Submits as ana does; the reply, whatever it is."""
        return await asyncio.to_thread(self._send, content, recipients or ("bob@example.org",))

    def _send(self, content: bytes, recipients: tuple[str, ...]) -> str:
        with smtplib.SMTP("127.0.0.1", self.relay.ports["plain"], timeout=30) as client:
            client.login("ana", PASSWORD)
            client.mail("ana@example.com")
            for recipient in recipients:
                client.rcpt(recipient)
            code, text = client.data(content)
            return f"{code} {text.decode()}"

    @property
    def received(self) -> bytes:
        """The last mail at the sink, without the trace header, which must be there."""
        content = self.sink.mails[-1].content
        match = TRACE.match(content)
        assert match, content
        return content[match.end() :]


@pytest.fixture
async def bench(store_template: Path, tmp_path: Path) -> AsyncIterator[Bench]:
    async with (
        Sink().running() as sink,
        running_relay(store_template, tmp_path, sink.port) as relay,
    ):
        yield Bench(relay, sink)


async def test_tracked_recorded_delivered(bench: Bench) -> None:
    assert await bench.send() == "250 2.0.0 queued as 1"
    [row] = await bench.relay.messages()
    tokens = Tokens([Key(1, b"k" * 32)])
    [click] = re.findall(rb'href="([^"]*)"', bench.received)
    [pixel] = re.findall(rb'<img src="([^"]*)"', bench.received)
    clicked = tokens.read_click(click.decode().removeprefix(f"{PUBLIC_URL}/c/"))
    opened = tokens.read_open(pixel.decode().removeprefix(f"{PUBLIC_URL}/o/"))
    assert clicked
    assert opened
    assert clicked.target == b"https://example.org/a?b=1&c=2"
    assert row.message_id == clicked.message_id == opened.message_id
    assert (row.opens, row.clicks, row.untracked_reason) == (True, True, None)
    assert (row.subject, row.recipients) == ("Gr\u00fc\u00dfe", ("bob@example.org",))
    await until_state(bench.relay, "delivered")
    detail = await Stats(bench.relay.store).message(bench.relay.ana.id, row.message_id)
    assert detail
    assert detail.reply == "250 2.0.0 queued as 1"
    assert [link.target for link in detail.links] == ["https://example.org/a?b=1&c=2"]


async def test_the_record_is_committed_before_the_mail_leaves(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Any] = []

    async def handle_data(self: Sink, server: Any, session: Any, envelope: Any) -> str:
        with sqlite3.connect(tmp_path / "letterbell.db") as other:  # as another process sees it
            rows.extend(other.execute("select subject, delivered_at_ms from message"))
        other.close()
        return "250 2.0.0 ok"

    monkeypatch.setattr(bench.sink, "handle_DATA", handle_data.__get__(bench.sink))
    await bench.send()
    assert rows == [("Gr\u00fc\u00dfe", None)]


@pytest.mark.parametrize(
    ("reply", "state", "heard"),
    [
        ("554 5.7.1 spam", "refused", "554 5.7.1 spam"),
        ("452 4.2.2 full", "deferred", "451 4.2.2 full"),
    ],
)
async def test_what_upstream_said_is_kept(bench: Bench, reply: str, state: str, heard: str) -> None:
    bench.sink.refuse["DATA"] = reply
    assert await bench.send() == heard
    await until_state(bench.relay, state)


async def test_toggles_are_looked_at_for_each_mail(bench: Bench) -> None:
    senders, ana = bench.relay.senders, bench.relay.ana
    await senders.set_tracking(ana.id, opens=False)
    await bench.send()
    assert b"/c/" in bench.received
    assert b"<img" not in bench.received
    await senders.set_tracking(ana.id, opens=True, clicks=False)
    await bench.send()
    assert b"/c/" not in bench.received
    assert b"<img" in bench.received
    await senders.set_tracking(ana.id, opens=False)
    await bench.send()
    assert bench.received == HTML
    assert len(await bench.relay.messages()) == 2  # what is not tracked is not recorded


async def test_controls_are_obeyed_stripped_and_remembered(bench: Bench) -> None:
    await bench.send(
        b"X-Track-Opens: no\r\n" + HTML.replace(b"\r\n\r\n", b"\r\nX-Track-Links: no\r\n\r\n", 1)
    )
    assert bench.received == HTML
    current = await bench.relay.senders.current(bench.relay.ana.id)
    assert current
    assert (current.opens, current.clicks) == (False, False)
    await bench.send(b"X-Track: opens=true\r\n" + HTML)
    assert b"<img" in bench.received
    assert b"X-Track" not in bench.received


async def test_controls_of_a_sender_that_is_not_sticky(bench: Bench) -> None:
    await bench.relay.senders.set_tracking(bench.relay.ana.id, sticky=False)
    await bench.send(b"X-No-Track: yes\r\n" + HTML)
    assert bench.received == HTML
    await bench.send()
    assert b"<img" in bench.received


async def test_a_mail_that_cannot_be_tracked_is_recorded_with_the_reason(bench: Bench) -> None:
    plain = HTML.replace(b"text/html", b"text/plain")
    assert (await bench.send(plain)).startswith("250 ")
    assert bench.received == plain
    [row] = await bench.relay.messages()
    assert (row.opens, row.clicks) == (False, False)
    assert row.untracked_reason


async def test_a_large_mail_is_rewritten_too(bench: Bench) -> None:
    large = HTML.replace(b"<p>", b"<p>" + b"words and words\r\n" * 20_000)
    assert (await bench.send(large)).startswith("250 ")
    assert b"/c/" in bench.received
    assert bench.received.count(b"words and words\r\n") == 20_000


async def test_whatever_the_rewriter_raises_the_mail_goes_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr("relay.pipeline.rewrite", broken)
    before = metrics.REWRITES.labels("failed")._value.get()
    with structlog.testing.capture_logs() as logs:
        assert (await bench.send()).startswith("250 ")
    assert bench.received == HTML
    assert metrics.REWRITES.labels("failed")._value.get() == before + 1
    assert [event["log_level"] for event in logs if event["event"] == "rewriting failed"] == [
        "error"
    ]
    [row] = await bench.relay.messages()
    assert row.untracked_reason == "internal error"


@pytest.fixture
def lock(tmp_path: Path) -> Callable[[], Any]:
    """`with lock():` keeps all others from writing to the relay's store."""

    @asynccontextmanager
    async def locked() -> AsyncIterator[None]:
        other = sqlite3.connect(tmp_path / "letterbell.db", isolation_level=None)
        other.execute("begin immediate")
        yield
        other.execute("rollback")
        other.close()

    return locked


async def test_while_the_store_is_locked_mail_flows_untracked(
    bench: Bench, lock: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.pipeline.RECORD_TIMEOUT", 0.2)
    before = metrics.STORE_UNAVAILABLE._value.get()
    async with lock():
        assert (await bench.send()).startswith("250 ")
        assert bench.received == HTML
    assert metrics.STORE_UNAVAILABLE._value.get() == before + 1
    assert (await bench.send()).startswith("250 ")
    assert b"<img" in bench.received
    assert len(await bench.relay.messages()) == 1  # the one given up on does not come later


async def test_a_sender_disabled_meanwhile_sends_no_more(bench: Bench) -> None:
    def log_in() -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", bench.relay.ports["plain"], timeout=30)
        client.login("ana", PASSWORD)
        client.mail("ana@example.com")
        client.rcpt("bob@example.org")
        return client

    client = await asyncio.to_thread(log_in)
    await bench.relay.senders.set_enabled(bench.relay.ana.id, False)
    code, text = await asyncio.to_thread(client.data, HTML)
    await asyncio.to_thread(client.quit)
    assert (code, text[:5]) == (550, b"5.7.1")
    assert bench.sink.mails == []


async def test_all_or_nothing_for_several_recipients(bench: Bench) -> None:
    bench.sink.refuse["eve@example.org"] = "550 5.1.1 no eve"
    reply = await bench.send(HTML, "bob@example.org", "eve@example.org")
    assert reply == "550 5.1.1 <eve@example.org>: no eve (nothing was sent to anyone)"
    assert bench.sink.mails == []
    await until_state(bench.relay, "refused")
