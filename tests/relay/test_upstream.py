"""The way upstream, against real servers: aiosmtpd where it behaves, a script where it must not."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from relays import HOSTNAME, PATIENCE, Script, Sink, server_tls

from relay import metrics
from relay.content import Content
from relay.envelope import Copy, Deferred, Delivered, Outcome, Recipient, Refused, Withheld
from relay.upstream import Upstream, UpstreamError, UpstreamHost

CONTENT = b"Subject: x\r\n\r\n.dot\r\n..dots\r\n\r\nend\r\n"


def copy_to(*addresses: bytes, content: bytes = CONTENT, **parameters: bytes | None) -> Copy:
    return Copy(
        mail_from=b"ana@example.com",
        parameters={name.encode(): value for name, value in parameters.items()},
        recipients=tuple(Recipient(address, {}) for address in addresses),
        content=Content.of(content),
    )


BOB = copy_to(b"bob@example.com")
THREE = copy_to(b"a@example.com", b"b@example.com", b"c@example.com")


def host(port: int, **options: Any) -> UpstreamHost:
    defaults = {"host": "127.0.0.1", "hostname": HOSTNAME, "tls": "none"}
    return UpstreamHost(port=port, **(defaults | options))


async def send(port: int, copy: Copy = BOB, **options: Any) -> tuple[Outcome, ...]:
    upstream = Upstream(host(port, **options))
    async with asyncio.timeout(PATIENCE):
        outcomes = await upstream.send(copy)
        await upstream.close()
    return outcomes


# --- a server that behaves ------------------------------------------------------------------------


@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
@pytest.mark.parametrize("copy", [BOB, THREE])
async def test_delivered_byte_for_byte(offers: tuple[str, ...], copy: Copy) -> None:
    async with Sink(offers=offers).running() as sink:
        outcomes = await send(sink.port, copy)
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [outcome.recipient for outcome in outcomes] == [r.address for r in copy.recipients]
    assert outcomes[0].text == b"queued as 1"
    [mail] = sink.mails
    assert mail.content == CONTENT
    assert mail.recipients == [r.address.decode() for r in copy.recipients]


@pytest.mark.parametrize("content", [b"", b".\r\n", b".", b"\r\n.\r\n.\r\n", b"a" * 3_000_000])
async def test_contents_of_odd_shapes(content: bytes) -> None:
    async with Script().running() as script:
        [outcome] = await send(script.port, copy_to(b"bob@example.com", content=content))
    assert isinstance(outcome, Delivered)
    stuffed = re.sub(rb"(?m)^\.", b"..", content)
    assert script.messages == [
        stuffed + (b"" if content.endswith(b"\n") or not content else b"\r\n") + b".\r\n"
    ]


async def test_a_large_message_in_small_lines() -> None:
    content = b".\r\n" * 200_000
    async with Script().running() as script:
        [outcome] = await send(script.port, copy_to(b"bob@example.com", content=content))
    assert isinstance(outcome, Delivered)
    assert script.messages == [b"..\r\n" * 200_000 + b".\r\n"]


async def test_sessions_are_kept_and_used_again() -> None:
    async with Sink().running() as sink:
        upstream = Upstream(host(sink.port))
        for _ in range(5):
            assert isinstance((await upstream.send(BOB))[0], Delivered)
        await upstream.close()
    assert (len(sink.mails), sink.sessions) == (5, 1)


async def test_no_more_sessions_than_allowed() -> None:
    async with Sink().running() as sink:
        upstream = Upstream(host(sink.port, connections=3))
        outcomes = await asyncio.gather(*(upstream.send(BOB) for _ in range(30)))
        await upstream.close()
    assert all(isinstance(outcome, Delivered) for [outcome] in outcomes)
    assert (len(sink.mails), sink.sessions) == (30, 3)


async def test_an_idle_session_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.upstream.IDLE_SECONDS", 0.01)
    async with Script().running() as script:
        upstream = Upstream(host(script.port))
        await upstream.send(BOB)
        await script.heard(b"QUIT\r\n")
        assert isinstance((await upstream.send(BOB))[0], Delivered)
        await upstream.close()
    assert script.sessions == 2


# --- TLS and login --------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_tls_and_login(
    tls: str,
    runner: Callable[[Awaitable[None]], None],
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    """On both event loops: the transport is taken over from aiosmtplib."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def scenario() -> None:
        sink = Sink(login=(b"relay", b"hunter2"))
        async with sink.running(server_tls(authority, "localhost"), implicit=tls == "tls"):
            upstream = Upstream(
                host(
                    sink.port,
                    host="localhost",
                    tls=tls,
                    ca_file=tmp_path / "ca.pem",
                    user="relay",
                    password="hunter2",
                )
            )
            await upstream.check()
            for copy in (
                BOB,
                THREE,
                copy_to(b"x@example.com", content=(b"y" * 70 + b"\r\n") * 30_000),
            ):
                outcomes = await upstream.send(copy)
                assert all(isinstance(outcome, Delivered) for outcome in outcomes)
            await upstream.close()
        assert len(sink.mails) == 3

    runner(scenario())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"tls": "starttls"}, "no STARTTLS"),
        ({"tls": "tls"}, "TLS with"),
    ],
)
async def test_no_credentials_leave_without_tls(options: dict[str, str], problem: str) -> None:
    async with Script().running() as script:
        login = {"user": "relay", "password": "hunter2", "connect_timeout": 5.0}
        [outcome] = await send(script.port, **options, **login)
        with pytest.raises(UpstreamError, match=problem) as error:
            await Upstream(host(script.port, **options, **login)).check()
    assert isinstance(outcome, Deferred)
    assert b"hunter2" not in outcome.text
    assert "hunter2" not in str(error.value)
    assert not any(line.upper().startswith(b"AUTH") for line in script.lines)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["unknown authority", "wrong name"])
async def test_a_bad_certificate_stops_everything(
    tls: str, fault: str, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    name, ca_file = (
        ("localhost", None)
        if fault == "unknown authority"
        else ("other.example", tmp_path / "ca.pem")
    )
    sink = Sink(login=(b"relay", b"hunter2"))
    async with sink.running(server_tls(authority, name), implicit=tls == "tls"):
        upstream = Upstream(
            host(
                sink.port,
                host="localhost",
                tls=tls,
                ca_file=ca_file,
                user="relay",
                password="hunter2",
            )
        )
        with pytest.raises(UpstreamError, match="certificate of localhost"):
            await upstream.check()
        [outcome] = await upstream.send(BOB)
    assert isinstance(outcome, Deferred)
    assert (outcome.code, outcome.enhanced) == (451, "4.4.1")
    assert (sink.logins, sink.mails) == (0, [])


async def test_a_wrong_password_defers_and_is_told_to_the_operator_only() -> None:
    sink = Sink(login=(b"relay", b"hunter2"))
    async with sink.running():
        upstream = Upstream(host(sink.port, user="relay", password="wrong-one"))
        with pytest.raises(UpstreamError, match=r"refused the login \(535\)") as error:
            await upstream.check()
        [outcome] = await upstream.send(BOB)
    assert isinstance(outcome, Deferred)
    assert b"login" not in outcome.text.lower()
    assert "wrong-one" not in str(error.value)


async def test_an_unreadable_authority_is_named() -> None:
    upstream = Upstream(host(1, tls="starttls", ca_file=Path("/nonexistent/ca.pem")))
    with pytest.raises(UpstreamError, match="ca_file") as error:
        await upstream.check()
    assert "/nonexistent/ca.pem" in error.value.problem


# --- a server that does not take it ---------------------------------------------------------------


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    ("reply", "kind"), [("451 4.3.2 later", Deferred), ("550 5.1.1 never", Refused)]
)
@pytest.mark.parametrize("copy", [BOB, THREE])
async def test_a_no_at_each_stage(
    pipelining: bool, verb: str, reply: str, kind: type[Outcome], copy: Copy
) -> None:
    script = Script("250-script\r\n250 PIPELINING" if pipelining else "250 script").say(verb, reply)
    async with script.running():
        upstream = Upstream(host(script.port))
        outcomes = await upstream.send(copy)
        assert {type(outcome) for outcome in outcomes} == {kind}
        assert {(outcome.code, outcome.text) for outcome in outcomes} == {
            (int(reply[:3]), reply[10:].encode())
        }
        assert len(script.messages) == (verb == ".")
        normal = "354 go" if verb == "DATA" else "250 fine"
        script.say(verb, normal)
        outcomes = await upstream.send(copy)  # whatever was said before is forgotten
        assert {type(outcome) for outcome in outcomes} == {Delivered}
        await upstream.close()


@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
async def test_mixed_recipients_all_or_nothing(offers: tuple[str, ...]) -> None:
    refuse = {"b@example.com": "550 5.1.1 no b", "c@example.com": "450 4.2.1 c is full"}
    async with Sink(offers=offers, refuse=refuse).running() as sink:
        upstream = Upstream(host(sink.port))
        outcomes = await upstream.send(THREE)
        assert [type(outcome) for outcome in outcomes] == [Withheld, Refused, Deferred]
        assert outcomes[1].text == b"no b"
        assert isinstance((await upstream.send(BOB))[0], Delivered)
        await upstream.close()
    assert [mail.recipients for mail in sink.mails] == [["bob@example.com"]]
    assert sink.sessions == 1


async def test_an_empty_mail_is_never_sent() -> None:
    """The server says 354 although its only recipient was refused: hang up, no dot."""
    async with Script(RCPT="550 5.1.1 no").running() as script:
        upstream = Upstream(host(script.port))
        [outcome] = await upstream.send(BOB)
        script.say("RCPT", "250 ok")
        [second] = await upstream.send(BOB)
        await upstream.close()
    assert isinstance(outcome, Refused)
    assert isinstance(second, Delivered)
    assert (len(script.messages), script.sessions) == (1, 2)


@pytest.mark.parametrize("code", [503, 530, 535])
async def test_refusing_the_relay_is_not_refusing_the_mail(code: int) -> None:
    async with Script(
        MAIL=f"{code} 5.7.0 Authentication required, relay@secret"
    ).running() as script:
        [outcome] = await send(script.port)
    assert isinstance(outcome, Deferred)
    assert b"secret" not in outcome.text


# --- a server that goes away or misbehaves --------------------------------------------------------


@pytest.mark.parametrize("verb", ["", "EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("reply", [None, "421 4.3.2 going down", "gibberish"])
async def test_gone_at_each_stage(verb: str, reply: str | None) -> None:
    before = metrics.AMBIGUOUS._value.get()
    async with Script().say(verb, reply).running() as script:
        [outcome] = await send(script.port)
    assert isinstance(outcome, Deferred)
    assert outcome.code in (421, 451)
    ambiguous = verb == "." and reply != "421 4.3.2 going down"
    assert metrics.AMBIGUOUS._value.get() - before == ambiguous


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "."])
async def test_silence_ends_by_itself(verb: str) -> None:
    async with Script().say(verb, "").running() as script:
        [outcome] = await send(script.port, reply_timeout=0.2, data_timeout=0.2)
    assert isinstance(outcome, Deferred)


async def test_nobody_there() -> None:
    async with Sink().running() as sink:
        port = sink.port
    [outcome] = await send(port)
    assert isinstance(outcome, Deferred)
    assert outcome.enhanced == "4.4.1"
    assert str(port).encode() not in outcome.text
    with pytest.raises(UpstreamError, match=f"127.0.0.1:{port} cannot be reached"):
        await Upstream(host(port)).check()


@pytest.mark.parametrize("reply", [None, "421 4.4.2 idle for too long"])
async def test_a_kept_session_that_died_is_replaced_once(reply: str | None) -> None:
    async with Script().running() as script:
        upstream = Upstream(host(script.port))
        await upstream.send(BOB)
        script.say("MAIL", reply, "250 ok")
        [outcome] = await upstream.send(BOB)
        await upstream.close()
    assert isinstance(outcome, Delivered)
    assert (len(script.messages), script.sessions) == (2, 2)


async def test_a_fresh_session_that_dies_is_not_tried_again() -> None:
    async with Script().say("MAIL", None).running() as script:
        [outcome] = await send(script.port)
    assert isinstance(outcome, Deferred)
    assert script.sessions == 1


async def test_a_message_whose_content_was_sent_is_not_sent_again() -> None:
    async with Script().running() as script:
        upstream = Upstream(host(script.port))
        await upstream.send(BOB)
        script.say(".", None)
        [outcome] = await upstream.send(BOB)
        await upstream.close()
    assert isinstance(outcome, Deferred)
    assert (len(script.messages), script.sessions) == (2, 1)


async def test_a_word_out_of_turn_ends_the_session() -> None:
    """Two replies to one command: the second must not answer the next mail."""
    async with (
        Script()
        .say(".", "250 2.0.0 taken\r\n250 2.0.0 taken", "250 2.0.0 last")
        .running() as script
    ):
        upstream = Upstream(host(script.port))
        await upstream.send(BOB)
        [outcome] = await upstream.send(BOB)
        await upstream.close()
    assert outcome.text == b"last"
    assert script.sessions == 2


@pytest.mark.parametrize(
    ("verb", "reply"), [("DATA", "250 fine"), (".", "354 more"), ("DATA", "334 x")]
)
async def test_a_reply_that_makes_no_sense_is_never_a_yes(verb: str, reply: str) -> None:
    async with Script().say(verb, reply).running() as script:
        [outcome] = await send(script.port)
    assert isinstance(outcome, Deferred)


async def test_a_cancelled_transaction_leaves_no_session_behind() -> None:
    async with Script().say("DATA", "").running() as script:
        upstream = Upstream(host(script.port))
        task = asyncio.create_task(upstream.send(BOB))
        await script.heard(b"DATA\r\n")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        script.say("DATA", "354 go")
        [outcome] = await upstream.send(BOB)
        await upstream.close()
    assert isinstance(outcome, Delivered)
    assert script.sessions == 2


# --- extensions -----------------------------------------------------------------------------------

DSN = replace(
    BOB,
    parameters={b"RET": b"HDRS", b"ENVID": b"Qq+2B1", b"BODY": b"8BITMIME", b"AUTH": b"<>"},
    recipients=(
        Recipient(b"bob@example.com", {b"NOTIFY": b"SUCCESS,delay", b"ORCPT": b"rfc822;B@c.d"}),
    ),
)


async def test_dsn_is_passed_on_as_given() -> None:
    async with Script().running() as script:
        await send(script.port, DSN)
    assert b"MAIL FROM:<ana@example.com> RET=HDRS ENVID=Qq+2B1\r\n" in script.lines
    assert b"RCPT TO:<bob@example.com> NOTIFY=SUCCESS,delay ORCPT=rfc822;B@c.d\r\n" in script.lines


async def test_what_is_not_offered_is_not_asked_for() -> None:
    async with Script("250 script").running() as script:
        await send(script.port, replace(DSN, content=Content.of("\u00fc\r\n".encode())))
    assert b"MAIL FROM:<ana@example.com>\r\n" in script.lines
    assert b"RCPT TO:<bob@example.com>\r\n" in script.lines
    assert script.messages == ["\u00fc\r\n.\r\n".encode()]


async def test_8bit_content_and_size_are_announced() -> None:
    async with Script("250-script\r\n250-SIZE 100\r\n250 8BITMIME").running() as script:
        await send(script.port, replace(BOB, content=Content.of("\u00fc\r\n".encode())))
    assert b"MAIL FROM:<ana@example.com> SIZE=4 BODY=8BITMIME\r\n" in script.lines


@pytest.mark.parametrize(
    ("address", "content", "kind"),
    [
        ("b\u00f6b@example.com", b"Subject: x\r\n\r\n", Refused),
        ("bob@example.com", "Subject: \u00fc\r\n\r\n".encode(), Refused),
        ("bob@example.com", "Subject: x\r\n\r\n\u00fc".encode(), Delivered),
    ],
)
async def test_smtputf8_is_needed_by_what_needs_it(
    address: str, content: bytes, kind: type[Outcome]
) -> None:
    copy = copy_to(address.encode(), content=content, SMTPUTF8=None)
    async with Script().running() as script:
        [outcome] = await send(script.port, copy)
    assert isinstance(outcome, kind)
    async with Script("250-script\r\n250 SMTPUTF8").running() as script:
        [outcome] = await send(script.port, copy)
    assert isinstance(outcome, Delivered)
    assert b"MAIL FROM:<ana@example.com> SMTPUTF8\r\n" in script.lines
    assert f"RCPT TO:<{address}>\r\n".encode() in script.lines
