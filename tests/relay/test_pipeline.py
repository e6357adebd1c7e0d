"""The whole walk of one message with the real store, rewriter and an upstream that keeps mail."""

import asyncio
import base64
import email
import re
import smtplib
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import structlog
from mails import encode
from relays import (
    PASSWORD,
    PATIENCE,
    PUBLIC_URL,
    TOKENS,
    RawClient,
    Relay,
    Script,
    Sink,
    running_relay,
)
from sqlalchemy import text

from collector.errors import StoreUnavailable
from collector.origins import find_origins
from collector.presence import Presence
from collector.stats import SkippedRow, Stats
from collector.store import Wished
from collector.tokens import Key, MessageLinks, NoticeToken, Tokens
from relay import metrics
from relay.envelope import Client, Envelope, Reply
from relay.pipeline import Pipeline
from rewriter import Tracking

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

    async def send(self, content: bytes = HTML, *recipients: str, login: str = "ana") -> str:
        """Submits as ana does; the reply, whatever it is."""
        to = recipients or ("bob@example.org",)
        return await asyncio.to_thread(self._send, content, to, login)

    def _send(self, content: bytes, recipients: tuple[str, ...], login: str) -> str:
        with smtplib.SMTP("127.0.0.1", self.relay.ports["plain"], timeout=30) as client:
            client.login(login, PASSWORD)
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
    [click] = re.findall(rb'href="([^"]*)"', bench.received)
    [pixel] = re.findall(rb'<img src="([^"]*)"', bench.received)
    clicked = TOKENS.read_click(click.decode().removeprefix(f"{PUBLIC_URL}/c/"))
    opened = TOKENS.read_open(pixel.decode().removeprefix(f"{PUBLIC_URL}/o/"))
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


async def test_it_is_on_record_what_was_left_alone_and_who_decided(bench: Bench) -> None:
    links = (
        b'<a href="mailto:bob@example.org">B</a> <a href="https://x.org/secret" data-no-track>X</a>'
    )
    await bench.send(b"X-Track-Opens: yes\r\n" + HTML.replace(b"</a>", b"</a>" + links, 1))
    [row] = await bench.relay.messages()
    detail = await Stats(bench.relay.store).message(bench.relay.ana.id, row.message_id)
    assert detail
    assert detail.skipped == (SkippedRow("scheme", 1, "mailto:"), SkippedRow("opt-out", 1, "x.org"))
    assert detail.wished == Wished(True, True, "header", "setting")


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
        ("452 4.2.2 full", "queued", "250 2.0.0 queued as "),
    ],
)
async def test_what_upstream_said_is_kept(bench: Bench, reply: str, state: str, heard: str) -> None:
    bench.sink.refuse["DATA"] = reply
    assert (await bench.send()).startswith(heard)
    await until_state(bench.relay, state)
    [row] = await bench.relay.store.read(text("SELECT reply FROM message"))
    assert row.reply == reply


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


async def test_what_sticks_is_known_by_its_mail(bench: Bench) -> None:
    ana, store = bench.relay.ana, bench.relay.store
    await bench.send(b"X-track-Opens: no\r\n" + HTML)
    await bench.send(HTML, "no-links@letterbell.invalid", "bob@example.org")
    [mail] = await bench.relay.messages()  # the second is tracked in no way, so not on record
    origins = await find_origins(store, ana.id)
    assert {name: (each.said_by, each.message_id) for name, each in origins.items()} == {
        "opens": ("X-track-Opens", mail.message_id),
        "clicks": ("no-links@letterbell.invalid", None),
    }
    assert origins["opens"].subject == mail.subject


async def test_control_recipients_are_obeyed_dropped_and_remembered(bench: Bench) -> None:
    header = b"To: bob@example.org, no-opens@letterbell.invalid\r\n"
    assert (
        await bench.send(header + HTML, "No-Opens@letterbell.invalid", "bob@example.org")
        == "250 2.0.0 queued as 1"
    )
    assert bench.received.startswith(b"To: bob@example.org\r\n")
    assert b"<img" not in bench.received
    assert b"/c/" in bench.received
    assert bench.sink.mails[-1].recipients == ["bob@example.org"]
    [row] = await bench.relay.messages()
    assert (row.recipients, row.opens, row.clicks) == (("bob@example.org",), False, True)
    current = await bench.relay.senders.current(bench.relay.ana.id)
    assert current
    assert (current.opens, current.clicks) == (False, True)


async def test_a_control_address_in_a_header_alone_counts_too(bench: Bench) -> None:
    await bench.send(b"To: no-track@letterbell.invalid\r\n" + HTML)  # one of many, person by person
    assert bench.received == HTML


async def test_a_control_address_that_cannot_be_cut_out_keeps_the_mail_here(bench: Bench) -> None:
    before = metrics.MESSAGES.labels("rejected")._value.get()
    reply = await bench.send(b"To: bob; no-track@letterbell.invalid\r\n" + HTML)
    assert reply.startswith("550 5.1.3 The To header names letterbell.invalid ")
    assert metrics.MESSAGES.labels("rejected")._value.get() == before + 1
    assert bench.sink.mails == []


async def test_a_logins_suffix_is_the_devices_and_not_remembered(bench: Bench) -> None:
    await bench.send(b"X-Track-Opens: yes\r\n" + HTML, login="ana+no-track")
    assert bench.received == HTML
    await bench.send()
    assert b"<img" in bench.received
    assert b"/c/" in bench.received


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

    monkeypatch.setattr("relay.rewriting.plan", broken)
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


PLAIN = HTML.replace(b"text/html", b"text/plain")
DIRTY = [
    b"a\rb\nc\r\n\r\r\n.\n.\r.\r\n.\r\n..\r\nQUIT\n.\n",
    b".\r\r\n\n" * 60_000,
    b"\n.\n" * 120_000,
    b"\r.\r" * 120_000,
    b"x" * 1_048_576 + b"\r\n.x\r\n",
]


@pytest.mark.parametrize("body", DIRTY, ids=["small", "mixed", "LF", "CR", "a long line"])
@pytest.mark.parametrize("head", [HTML, PLAIN], ids=["html", "plain"])
async def test_upstream_gets_whole_line_ends_and_one_end(
    head: bytes, body: bytes, store_template: Path, tmp_path: Path
) -> None:
    """Whatever came: no CR or LF by itself, no end of data but ours, no other octet changed."""
    async with (
        Script().running() as script,
        running_relay(store_template, tmp_path, script.port) as relay,
    ):
        client = await RawClient.connect(relay.ports["plain"])
        await client.reply()
        await client.ask("EHLO client.example.com")
        await client.ask(b"AUTH PLAIN " + base64.b64encode(b"\0ana\0" + PASSWORD.encode()))
        await client.ask("MAIL FROM:<ana@example.com>", "RCPT TO:<bob@example.org>", "DATA")
        await client.send((head + body).replace(b"\r\n.", b"\r\n.."))
        assert (await client.ask("\r\n.")).startswith("250 ")
    [message] = script.messages
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", message) is None
    assert message.find(b"\r\n.\r\n") == len(message) - 5
    trace = TRACE.match(message)
    assert trace
    arrived = message[trace.end() : -3].replace(b"\r\n.", b"\r\n")
    if head is HTML:
        arrived = re.sub(rb"<img [^>]*>", b"", arrived)
        arrived = re.sub(rb'"https://t[^"]*"', b'"https://example.org/a?b=1&amp;c=2"', arrived)
    assert arrived == re.sub(rb"\r\n|\r|\n", b"\r\n", head + body + b"\r\n")


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


async def test_a_mix_is_queued_and_whoever_is_accepted_gets_it(bench: Bench) -> None:
    bench.sink.refuse["eve@example.org"] = "550 5.1.1 no eve"
    reply = await bench.send(HTML, "bob@example.org", "eve@example.org")
    assert reply.startswith("250 2.0.0 queued as ")
    await until_state(bench.relay, "delivered")
    written = [mail.recipients for mail in bench.sink.mails if mail.mail_from != "<>"]
    assert written == [["bob@example.org"]]
    [row] = await bench.relay.messages()
    assert row.message_id == int(reply.split()[-1], 16)


REPLY = (
    b"From: Ana <ana@example.com>\r\n"
    b"Subject: Re: words\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: %s\r\n"
    b"\r\n"
)
ANSWER = b'<p>Yes: <a href="https://example.org/new">new</a></p>\r\n<blockquote>%s</blockquote>\r\n'
ENCODINGS = ["8bit", "quoted-printable", "base64"]


def body_of(raw: bytes) -> bytes:
    """The HTML of a mail of one part."""
    decoded = email.message_from_bytes(raw).get_payload(decode=True)
    assert isinstance(decoded, bytes)
    return decoded


def answer(quoted: bytes, encoding: str = "8bit") -> bytes:
    """A reply of ana's with the HTML of the mail it answers."""
    return REPLY % encoding.encode() + encode(ANSWER % quoted, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("tracked", [True, False])
async def test_a_reply_gives_nobody_away(bench: Bench, encoding: str, tracked: bool) -> None:
    await bench.send()
    quoted = body_of(bench.received)
    await bench.relay.senders.set_tracking(bench.relay.ana.id, opens=tracked, clicks=tracked)
    before = metrics.RESTORED._value.get()
    with structlog.testing.capture_logs() as logs:
        await bench.send(answer(quoted, encoding))
    [event] = [event for event in logs if event["event"] == "message"]
    assert event["restored"] == metrics.RESTORED._value.get() - before == 2
    arrived = body_of(bench.received)
    assert b'<a href="https://example.org/a?b=1&amp;c=2">go</a>' in arrived
    pixels = re.findall(rb'<img src="([^"]*)"', arrived)
    if tracked:
        [pixel] = pixels
        assert pixel not in quoted
        assert arrived.count(f'"{PUBLIC_URL}/c/'.encode()) == 1
        assert event["tracking"] == "on"
    else:
        assert arrived == ANSWER % body_of(HTML)
        assert event["tracking"] == "off for this sender"
        assert len(await bench.relay.messages()) == 1  # the tracked one


@pytest.mark.parametrize("wish", [b"X-No-Track: yes\r\n", b"X-Track: false\r\n"])
async def test_a_reply_that_wishes_no_tracking(bench: Bench, wish: bytes) -> None:
    await bench.send()
    await bench.send(wish + answer(body_of(bench.received)))
    assert bench.received == answer(body_of(HTML))


async def test_a_large_reply(bench: Bench) -> None:
    await bench.send()
    await bench.relay.senders.set_tracking(bench.relay.ana.id, opens=False, clicks=False)
    words = b"words and words\r\n" * 20_000
    await bench.send(answer(words + body_of(bench.received)))
    assert bench.received == answer(words + body_of(HTML))


async def test_a_forged_link_of_our_look_stays(bench: Bench) -> None:
    foreign = MessageLinks(Tokens([Key(1, b"x" * 32)]), PUBLIC_URL, 42)
    mine = MessageLinks(TOKENS, PUBLIC_URL, 42)
    urls = [
        foreign.click(b"https://evil.example/", 0),
        mine.click(b"https://evil.example/", 0) + "?to=elsewhere",
        mine.click(b"https://evil.example/", 0).replace("t.example.com", "t.example.com.evil"),
    ]
    links = "".join(f'<a href="{url}">x</a>' for url in urls)
    forged = answer(f'{links}<img src="{foreign.pixel()}">'.encode())
    await bench.relay.senders.set_tracking(bench.relay.ana.id, opens=False, clicks=False)
    await bench.send(forged)
    assert bench.received == forged


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_with_tracking_off_other_mail_is_the_same_byte_for_byte(
    bench: Bench, encoding: str
) -> None:
    await bench.relay.senders.set_tracking(bench.relay.ana.id, opens=False, clicks=False)
    other = answer(b'Gr\xc3\xbc\xc3\x9fe <a href="https://t.example.org/c/x">y</a>', encoding)
    await bench.send(other)
    assert bench.received == other
    own = answer(b'The page: <a href="https://t.example.com/">mine</a>', encoding)
    await bench.send(own)
    assert bench.received == own


async def test_a_bounce_is_evidence_and_stays_as_it_is(bench: Bench) -> None:
    await bench.send()
    returned = answer(body_of(bench.received))

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", bench.relay.ports["plain"], timeout=30) as client:
            client.login("ana", PASSWORD)
            client.sendmail("", ["bob@example.org"], returned)

    await asyncio.to_thread(send)
    assert bench.received == returned


async def test_a_reply_with_nothing_else_to_track_is_recorded_as_untracked(bench: Bench) -> None:
    await bench.relay.senders.set_tracking(bench.relay.ana.id, opens=False)
    await bench.send()
    reply = REPLY % b"8bit" + b"Yes.<br>" + body_of(bench.received)
    await bench.send(reply)
    assert bench.received == REPLY % b"8bit" + b"Yes.<br>" + body_of(HTML)
    rows = {row.subject: row for row in await bench.relay.messages()}
    row = rows["Re: words"]
    assert (row.opens, row.clicks, row.untracked_reason) == (False, False, "nothing to track")


async def test_while_the_store_is_locked_a_reply_still_gives_nobody_away(
    bench: Bench, lock: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.send()
    quoted = body_of(bench.received)
    monkeypatch.setattr("relay.pipeline.RECORD_TIMEOUT", 0.2)
    async with lock():
        await bench.send(answer(quoted))
        assert bench.received == answer(body_of(HTML))


@asynccontextmanager
async def bench_with(template: Path, folder: Path, **options: Any) -> AsyncIterator[Bench]:
    async with (
        Sink().running() as sink,
        running_relay(template, folder, sink.port, **options) as it,
    ):
        yield Bench(it, sink)


async def test_quotes_may_be_left_as_they_are(store_template: Path, tmp_path: Path) -> None:
    options = {"rewriting": {"detrack_quotes": False}}
    async with bench_with(store_template, tmp_path, **options) as bench:
        await bench.send()
        quoted = body_of(bench.received)
        await bench.send(answer(quoted))
        arrived = body_of(bench.received)
        assert arrived.count(b"<img") == 1  # never a second pixel
        assert quoted in arrived
        await bench.relay.senders.set_tracking(bench.relay.ana.id, opens=False, clicks=False)
        await bench.send(answer(quoted))
        assert bench.received == answer(quoted)


async def test_links_in_text_and_links_that_show_their_address(
    store_template: Path, tmp_path: Path
) -> None:
    plain = HTML.replace(b"text/html", b"text/plain").partition(b"\r\n\r\n")[0]
    plain += b"\r\n\r\nSee https://example.org/a.\r\n"
    shown = HTML.replace(b">go<", b">www.example.org<")
    tracking = Tracking(opens=False, clicks=False, text_links=True, wrap_url_text=True)
    async with bench_with(store_template, tmp_path, rewriting={"tracking": tracking}) as bench:
        await bench.send(plain)
        [url] = re.findall(rb"See (\S+)\.\r\n", bench.received)
        clicked = TOKENS.read_click(url.decode().removeprefix(f"{PUBLIC_URL}/c/"))
        assert clicked
        assert clicked.target == b"https://example.org/a"
        await bench.send(shown)
        assert f'<a href="{PUBLIC_URL}/c/'.encode() in bench.received
    (tmp_path / "usual").mkdir()
    async with bench_with(store_template, tmp_path / "usual") as bench:
        await bench.send(plain)
        assert bench.received == plain
        await bench.send(shown)
        assert b"/c/" not in bench.received


async def test_the_clients_address_is_told_where_that_is_wanted(
    store_template: Path, tmp_path: Path
) -> None:
    async with bench_with(store_template, tmp_path, show_client=True) as bench:
        await bench.send()
        assert re.match(
            rb"Received: from \S+ \(\[127\.0\.0\.1\]\)\r\n\tby relay\.example\.com ",
            bench.sink.mails[-1].content,
        )


# --- copies ---------------------------------------------------------------------------------------

THREE = ("bob@example.org", "eve@example.org", "Bob@EXAMPLE.org", "bob@Example.Org")


def opened_by(content: bytes) -> tuple[bytes, int]:
    """The mail without what is minted and the trace, and whose copy it is, by all of its tokens."""
    found = set()
    for kind, token in re.findall(rb"https://t\.example\.com/([oc])/([\w-]+)", content):
        read = TOKENS.read_open if kind == b"o" else TOKENS.read_click
        known = read(token.decode())
        assert known
        found.add(known.recipient)
        content = content.replace(token, b"")
    [recipient] = found
    return TRACE.sub(b"", content), recipient


async def test_each_gets_a_copy_of_their_own(bench: Bench) -> None:
    await bench.relay.senders.set_tracking(bench.relay.ana.id, per_recipient=True)
    written = HTML.replace(b"Subject", b"Bcc: eve@example.org\r\nTo: bob@example.org\r\nSubject", 1)
    assert (await bench.send(written, *THREE)).startswith("250 ")
    got = {}
    for mail in bench.sink.mails:
        bare, recipient = opened_by(mail.content)
        got[recipient] = mail.recipients
        assert b"eve@" not in mail.content
        assert b"bob@" in mail.content
        assert bare == opened_by(bench.sink.mails[0].content)[0]
    assert got == {
        1: ["bob@example.org", "bob@Example.Org"],
        2: ["eve@example.org"],
        3: ["Bob@EXAMPLE.org"],
    }
    [row] = await bench.relay.messages()
    assert row.recipients == THREE
    [kept] = await bench.relay.store.read(text("SELECT per_recipient, shared_reason FROM message"))
    assert tuple(kept) == (1, None)


@pytest.mark.parametrize(
    ("content", "recipients", "reason"),
    [
        (PLAIN, THREE, None),
        (HTML.replace(b"Subject", b"X-Track: no\r\nSubject"), THREE, None),
        (HTML, tuple(f"{number}@example.org" for number in range(101)), "more than 100 recipients"),
    ],
    ids=["nothing to track", "not tracked", "too many"],
)
async def test_all_share_a_copy_where_that_loses_nothing(
    store_template: Path,
    tmp_path: Path,
    content: bytes,
    recipients: tuple[str, ...],
    reason: str | None,
) -> None:
    async with bench_with(store_template, tmp_path, max_recipients=101) as bench:
        ana = await bench.relay.senders.set_tracking(
            bench.relay.ana.id, per_recipient=True, sticky=False
        )
        assert ana.per_recipient
        assert (await bench.send(content, *recipients)).startswith("250 ")
        [mail] = bench.sink.mails
        assert mail.recipients == list(recipients)
        query = text("SELECT per_recipient, shared_reason FROM message")
        for row in await bench.relay.store.read(query):
            assert tuple(row) == (0, reason)
        if reason:
            assert opened_by(mail.content)[1] == 0


async def test_without_a_record_nobody_is_told_apart(
    bench: Bench, lock: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.relay.senders.set_tracking(bench.relay.ana.id, per_recipient=True)
    monkeypatch.setattr("relay.pipeline.RECORD_TIMEOUT", 0.2)
    async with lock():
        assert (await bench.send(HTML, *THREE)).startswith("250 ")
    [mail] = bench.sink.mails
    assert mail.recipients == list(THREE)
    assert bench.received == HTML


@pytest.mark.parametrize(
    ("how", "content", "seen"),
    [
        ("account", HTML, "submission"),
        ("upstream", HTML, "submission"),
        ("network", HTML, None),
        ("account", b"Subject: nobody's\r\n\r\n", None),
    ],
)
async def test_who_submits_after_a_login_is_there(
    store_template: Path, tmp_path: Path, how: str, content: bytes, seen: str | None
) -> None:
    places: list[Presence] = []

    def from_afar(pipeline: Pipeline) -> Callable[[Envelope], Awaitable[Reply]]:
        places.append(pipeline._presence)

        async def accept(envelope: Envelope) -> Reply:
            client = Client("93.184.216.34", b"laptop")
            identity = replace(envelope.identity, how=how)
            return await pipeline.accept(replace(envelope, client=client, identity=identity))

        return accept

    async with (
        Sink().running() as sink,
        running_relay(store_template, tmp_path, sink.port, accept=from_afar) as relay,
    ):
        await Bench(relay, sink).send(content)
        [presence] = places
        now_ms = time.time_ns() // 1_000_000
        assert presence.seen(relay.ana.id, ip_address("93.184.216.34"), now_ms) == seen


async def test_a_footer_tells_whoever_is_tracked_and_goes_from_quotes(
    store_template: Path, tmp_path: Path
) -> None:
    footer = "Its sender hears when this is read. {What is kept}"
    rewriting = {"tracking": Tracking(opens=True, clicks=True, footer=footer)}
    async with bench_with(store_template, tmp_path, rewriting=rewriting) as bench:
        await bench.send()
        quoted = body_of(bench.received)
        [notice] = re.findall(rb'>Its sender hears when this is read. <a href="([^"]*)"', quoted)
        token = TOKENS.read_notice(notice.decode().removeprefix(f"{PUBLIC_URL}/p/"))
        [row] = await bench.relay.messages()
        assert token == NoticeToken(row.message_id, 0)
        await bench.send(answer(quoted))
        assert body_of(bench.received).count(b"What is kept") == 1  # its own
        await bench.relay.senders.set_tracking(bench.relay.ana.id, opens=False, clicks=False)
        await bench.send(answer(quoted))
        assert b"What is kept" not in bench.received
        await bench.send()
        assert bench.received == HTML


# --- consent --------------------------------------------------------------------------------------


async def refuse(bench: Bench, address: str, *kinds: str) -> None:
    wishes: Any = dict.fromkeys(kinds or ("open", "click"), False)
    await bench.relay.consents.decide(bench.relay.ana.id, address, wishes, how="notice")


def tracked_in(content: bytes) -> str:
    """What of us is in it: "o" for the pixel, "c" for a link."""
    kinds = re.findall(rb"https://t\.example\.com/([oc])/", content)
    return "".join(sorted({kind.decode() for kind in kinds}))


async def test_who_has_refused_gets_the_mail_as_it_was_written(bench: Bench) -> None:
    await refuse(bench, "Eve@example.org")
    await refuse(bench, "kim@example.org", "open")
    written = HTML.replace(b"Subject", b"Bcc: eve@example.org\r\nTo: bob@example.org\r\nSubject", 1)
    three = ("bob@example.org", "eve@example.org", "kim@example.org")
    assert (await bench.send(written, *three)).startswith("250 ")
    got = {mail.recipients[0]: mail.content for mail in bench.sink.mails}
    assert {name: tracked_in(content) for name, content in got.items()} == {
        "bob@example.org": "co",
        "eve@example.org": "",
        "kim@example.org": "c",
    }
    plain = HTML.replace(b"Subject", b"To: bob@example.org\r\nSubject", 1)
    assert TRACE.sub(b"", got["eve@example.org"]) == plain
    assert all(b"eve@" not in content for content in got.values())
    assert all(len(mail.recipients) == 1 for mail in bench.sink.mails)
    [row] = await bench.relay.messages()
    assert (row.opens, row.clicks, row.untracked_reason) == (True, True, None)
    assert {(each.recipient, each.kind, each.objection) for each in row.objected} == {
        (2, "open", "refused"),
        (2, "click", "refused"),
        (3, "open", "refused"),
    }
    await until_state(bench.relay, "delivered")


async def test_a_copy_for_each_and_none_of_ours_for_some(bench: Bench) -> None:
    await bench.relay.senders.set_tracking(bench.relay.ana.id, per_recipient=True)
    await refuse(bench, "eve@example.org")
    await bench.send(HTML, "eve@example.org", "bob@example.org", "kim@example.org")
    got = {mail.recipients[0]: mail.content for mail in bench.sink.mails}
    assert TRACE.sub(b"", got["eve@example.org"]) == HTML
    assert opened_by(got["bob@example.org"])[1] == 2
    assert opened_by(got["kim@example.org"])[1] == 3
    [kept] = await bench.relay.store.read(text("SELECT per_recipient FROM message"))
    assert tuple(kept) == (1,)


async def test_all_have_refused_and_the_list_says_so(bench: Bench) -> None:
    await refuse(bench, "bob@example.org")
    await bench.send()
    assert bench.received == HTML
    [row] = await bench.relay.messages()
    assert (row.opens, row.clicks) == (False, False)
    assert row.untracked_reason == "its recipient has refused it"
    await until_state(bench.relay, "delivered")


async def test_a_refusal_beats_what_the_message_wishes(bench: Bench) -> None:
    await refuse(bench, "bob@example.org")
    await bench.send(b"X-Track: true\r\n" + HTML, "track@letterbell.invalid", "bob@example.org")
    assert bench.received == HTML


async def test_modes_of_a_sender(bench: Bench) -> None:
    senders, consents, ana = bench.relay.senders, bench.relay.consents, bench.relay.ana
    await senders.set_consent(ana.id, "only-consented")
    await bench.send()
    assert bench.received == HTML
    await consents.decide(ana.id, "bob@example.org", {"click": True}, how="import")
    await bench.send()
    assert tracked_in(bench.received) == "c"
    await refuse(bench, "bob@example.org")
    await senders.set_consent(ana.id, "always")
    await bench.send()
    assert tracked_in(bench.received) == "co"
    await senders.set_consent(ana.id, None)
    await bench.send()
    assert bench.received == HTML
    rows = await bench.relay.messages()
    assert [row.untracked_reason for row in rows] == [
        "its recipient has refused it",
        None,
        None,
        "its recipient has not agreed to it",
    ]


async def test_while_nobodys_decision_can_be_read_nobody_is_tracked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await refuse(bench, "bob@example.org")

    async def away(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(bench.relay.consents, "held", away)
    before = metrics.STORE_UNAVAILABLE._value.get()
    with structlog.testing.capture_logs() as logs:
        assert (await bench.send()).startswith("250 ")
    assert bench.received == HTML
    assert metrics.STORE_UNAVAILABLE._value.get() == before + 1
    [event] = [event for event in logs if event["event"] == "message"]
    assert event["tracking"] == "what its recipients have decided cannot be read"
    assert await bench.relay.messages() == []


async def test_copies_that_fare_differently_are_settled_each(bench: Bench) -> None:
    await refuse(bench, "eve@example.org")
    bench.sink.refuse["eve@example.org"] = "550 5.1.1 no eve"
    reply = await bench.send(HTML, "bob@example.org", "eve@example.org")
    assert reply.startswith("250 2.0.0 queued as ")
    await until_state(bench.relay, "delivered")
    written = [mail for mail in bench.sink.mails if mail.mail_from != "<>"]
    assert [mail.recipients for mail in written] == [["bob@example.org"]]
    assert tracked_in(written[0].content) == "co"
