"""The way upstream, against real servers: aiosmtpd where it behaves, a script where it must not."""

import asyncio
import os
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from relays import HOSTNAME, PATIENCE, Script, Sink, server_tls, until

from relay import metrics, silence
from relay.content import Bulk, Content
from relay.credentials import Password
from relay.envelope import (
    Copy,
    Deferred,
    Delivered,
    Outcome,
    Recipient,
    Refused,
    Relayed,
    Unreached,
    Withheld,
)
from relay.gate import Gate
from relay.lane import Lane
from relay.upstream import UpstreamError, UpstreamHost, UpstreamRoute

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


def lane(host: UpstreamHost) -> Lane:
    return Lane(UpstreamRoute.to(host), gate_of=lambda host: Gate(host.connections))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def put_clock(upstream: Lane) -> Clock:
    """A clock for its health that stands until the test moves it."""
    clock = upstream._health._clock = Clock()
    return clock


async def kinds(upstream: Lane) -> list[type[Outcome]]:
    return [type(outcome) for outcome in await upstream.send(BOB)]


async def send(port: int, copy: Copy = BOB, **options: Any) -> tuple[Outcome, ...]:
    upstream = lane(host(port, **options))
    async with asyncio.timeout(PATIENCE):
        outcomes = await upstream.send(copy)
        upstream.close()
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
        upstream = lane(host(sink.port))
        for _ in range(5):
            assert isinstance((await upstream.send(BOB))[0], Delivered)
        upstream.close()
    assert (len(sink.mails), sink.sessions) == (5, 1)


async def test_no_more_sessions_than_allowed() -> None:
    async with Sink().running() as sink:
        upstream = lane(host(sink.port, connections=3))
        outcomes = await asyncio.gather(*(upstream.send(BOB) for _ in range(30)))
        upstream.close()
    assert all(isinstance(outcome, Delivered) for [outcome] in outcomes)
    assert (len(sink.mails), sink.sessions) == (30, 3)


async def test_an_idle_session_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.upstream_sessions.IDLE_SECONDS", 0.01)
    async with Script().running() as script:
        upstream = lane(host(script.port))
        await upstream.send(BOB)
        await script.heard(b"QUIT\r\n")
        assert isinstance((await upstream.send(BOB))[0], Delivered)
        upstream.close()
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
            upstream = lane(
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
            upstream.close()
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
            await lane(host(script.port, **options, **login)).check()
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
        upstream = lane(
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
        upstream = lane(host(sink.port, user="relay", password="wrong-one"))
        with pytest.raises(UpstreamError, match=r"refused the login \(535\)") as error:
            await upstream.check()
        [outcome] = await upstream.send(BOB)
    assert isinstance(outcome, Deferred)
    assert b"login" not in outcome.text.lower()
    assert "wrong-one" not in str(error.value)


async def test_an_unreadable_authority_is_named() -> None:
    upstream = lane(host(1, tls="starttls", ca_file=Path("/nonexistent/ca.pem")))
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
        upstream = lane(host(script.port))
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
        upstream.close()


@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
async def test_mixed_recipients_all_or_nothing(offers: tuple[str, ...]) -> None:
    refuse = {"b@example.com": "550 5.1.1 no b", "c@example.com": "450 4.2.1 c is full"}
    async with Sink(offers=offers, refuse=refuse).running() as sink:
        upstream = lane(host(sink.port))
        outcomes = await upstream.send(THREE)
        assert [type(outcome) for outcome in outcomes] == [Withheld, Refused, Deferred]
        assert outcomes[1].text == b"no b"
        assert isinstance((await upstream.send(BOB))[0], Delivered)
        upstream.close()
    assert [mail.recipients for mail in sink.mails] == [["bob@example.com"]]
    # DATA went ahead and was answered 354: a session without a dot is no use any more
    assert sink.sessions == (2 if offers else 1)


@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
async def test_a_part_goes_to_those_who_are_accepted(offers: tuple[str, ...]) -> None:
    refuse = {"b@example.com": "550 5.1.1 no b", "c@example.com": "450 4.2.1 c is full"}
    async with Sink(offers=offers, refuse=refuse).running() as sink:
        upstream = lane(host(sink.port))
        for number in (1, 2):
            outcomes = await upstream.send(THREE, partial=True)
            assert [type(outcome) for outcome in outcomes] == [Delivered, Refused, Deferred]
            assert [outcome.text for outcome in outcomes] == [
                b"queued as %d" % number,
                b"no b",
                b"c is full",
            ]
        upstream.close()
    assert [mail.recipients for mail in sink.mails] == [["a@example.com"]] * 2
    assert sink.sessions == 1


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("verb", ["", "MAIL", "RCPT", "DATA", "."])
async def test_outcomes_tell_whose_they_are_and_who_said_them(verb: str, partial: bool) -> None:
    recipients = tuple(Recipient(b"bob@example.com", {}, ordinal) for ordinal in (3, 1, 7))
    replies = {verb: "451 later"} if verb else {"": None}
    async with Script(**replies).running() as script:
        upstream = lane(host(script.port))
        outcomes = await upstream.send(replace(BOB, recipients=recipients), partial=partial)
        upstream.close()
    assert [outcome.ordinal for outcome in outcomes] == [3, 1, 7]
    assert {outcome.host for outcome in outcomes} == {"127.0.0.1" if verb else ""}


async def test_many_recipients_take_one_flight() -> None:
    """DATA is said before the answer to any of them is there."""
    async with Script().say("MAIL", "").running() as script:
        task = asyncio.create_task(send(script.port, THREE))
        await script.heard(b"DATA\r\n")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_empty_mail_is_never_sent() -> None:
    """The server says 354 although its only recipient was refused: hang up, no dot."""
    async with Script(RCPT="550 5.1.1 no").running() as script:
        upstream = lane(host(script.port))
        [outcome] = await upstream.send(BOB)
        script.say("RCPT", "250 ok")
        [second] = await upstream.send(BOB)
        upstream.close()
    assert isinstance(outcome, Refused)
    assert isinstance(second, Delivered)
    assert (len(script.messages), script.sessions) == (1, 2)


@pytest.mark.parametrize("code", [503, 530, 535])
async def test_refusing_the_relay_is_not_refusing_the_mail(code: int) -> None:
    async with Script(
        MAIL=f"{code} 5.7.0 Authentication required, relay@secret"
    ).running() as script:
        [outcome] = await send(script.port)
    assert isinstance(outcome, Unreached)
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
        await lane(host(port)).check()


@pytest.mark.parametrize("reply", [None, "421 4.4.2 idle for too long"])
async def test_a_kept_session_that_died_is_replaced_once(reply: str | None) -> None:
    async with Script().running() as script:
        upstream = lane(host(script.port))
        await upstream.send(BOB)
        script.say("MAIL", reply, "250 ok")
        [outcome] = await upstream.send(BOB)
        upstream.close()
    assert isinstance(outcome, Delivered)
    assert (len(script.messages), script.sessions) == (2, 2)


async def test_a_fresh_session_that_dies_is_not_tried_again() -> None:
    async with Script().say("MAIL", None).running() as script:
        [outcome] = await send(script.port)
    assert isinstance(outcome, Deferred)
    assert script.sessions == 1


async def test_a_message_whose_content_was_sent_is_not_sent_again() -> None:
    async with Script().running() as script:
        upstream = lane(host(script.port))
        await upstream.send(BOB)
        script.say(".", None)
        [outcome] = await upstream.send(BOB)
        upstream.close()
    assert isinstance(outcome, Deferred)
    assert (len(script.messages), script.sessions) == (2, 1)


async def test_a_word_out_of_turn_ends_the_session() -> None:
    """Two replies to one command: the second must not answer the next mail."""
    async with (
        Script()
        .say(".", "250 2.0.0 taken\r\n250 2.0.0 taken", "250 2.0.0 last")
        .running() as script
    ):
        upstream = lane(host(script.port))
        await upstream.send(BOB)
        [outcome] = await upstream.send(BOB)
        upstream.close()
    assert outcome.text == b"last"
    assert script.sessions == 2


@pytest.mark.parametrize(
    ("verb", "reply"), [("DATA", "250 fine"), (".", "354 more"), ("DATA", "334 x")]
)
async def test_a_reply_that_makes_no_sense_is_never_a_yes(verb: str, reply: str) -> None:
    async with Script().say(verb, reply).running() as script:
        [outcome] = await send(script.port)
    assert isinstance(outcome, Deferred)


async def test_a_cancel_behind_the_dot_is_ambiguous_and_counted() -> None:
    before = metrics.AMBIGUOUS._value.get()
    async with Script().say(".", "").running() as script:
        task = asyncio.create_task(send(script.port))
        await until(lambda: len(script.messages) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert metrics.AMBIGUOUS._value.get() - before == 1


async def test_content_that_cannot_be_read_is_not_upstreams_fault(tmp_path: Path) -> None:
    bulk = Bulk(tmp_path)
    bulk.append(b"body\r\n")
    os.ftruncate(bulk._file.fileno(), 2)
    async with Script().running() as script:
        upstream = lane(host(script.port))
        [outcome] = await upstream.send(replace(BOB, content=Content(b"X: y\r\n\r\n", bulk)))
        assert (type(outcome), outcome.enhanced) == (Deferred, "4.3.0")
        assert isinstance((await upstream.send(BOB))[0], Delivered)
        upstream.close()
    assert script.messages == [CONTENT.replace(b"\n.", b"\n..") + b".\r\n"]


async def test_a_silent_host_is_given_up_sooner_before_the_content(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed: list[int] = []
    allow = silence.allow

    def spy(transport: asyncio.WriteTransport, seconds: float) -> None:
        allow(transport, seconds)
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        allowed.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))

    monkeypatch.setattr(silence, "allow", spy)
    async with Script().running() as script:
        await send(script.port, reply_timeout=60.0)
    assert allowed == [15_000, 60_000]


# --- a server that is away ------------------------------------------------------------------------


async def test_an_upstream_that_is_away_is_looked_for_by_one_mail_at_a_time() -> None:
    calls: list[str] = []
    async with Script().say("", "421 busy").running() as script:
        upstream = lane(host(script.port))
        upstream.on_back(lambda: calls.append("back"))
        clock = put_clock(upstream)
        assert upstream.may_try()
        assert await kinds(upstream) == [Unreached]
        assert (upstream.may_try(), upstream.seconds_to_probe, script.sessions) == (False, 5, 1)
        for wait in (5, 10, 20, 40, 80, 160, 300, 300):
            clock.now += wait
            assert upstream.may_try()
            probe, other = await asyncio.gather(upstream.send(BOB), upstream.send(BOB))
            assert [type(probe[0]), type(other[0])] == [Unreached, Unreached]
            assert not upstream.may_try()
        assert script.sessions == 9
        assert calls == []
        script.say("", "220 here again")
        assert await kinds(upstream) == [
            Delivered
        ]  # who asks before it is due is the probe as well
        assert (upstream.may_try(), upstream.seconds_to_probe, calls) == (True, 0, ["back"])
        upstream.close()


def test_its_name_tells_no_whole_login() -> None:
    own = host(587, host="mx.example.com", user="relay@example.com", password="up stream")
    theirs = Password(b"ana@example.com", b"correct horse")
    assert lane(own).name == "mx.example.com:587 as r…@example.com"
    passed = Lane(UpstreamRoute.to(own), gate_of=lambda _: Gate(1), credentials=theirs)
    assert passed.name == "mx.example.com:587 as a…@example.com"


async def test_who_waited_while_it_went_away_does_not_try() -> None:
    async with Script().say("", "421 busy").running() as script:
        upstream = lane(host(script.port, connections=2))
        outcomes = await asyncio.gather(*(upstream.send(BOB) for _ in range(20)))
        assert {type(outcome) for [outcome] in outcomes} == {Unreached}
        assert script.sessions == 2


async def test_a_no_to_the_mail_is_an_answer_and_brings_it_back() -> None:
    async with Script().say("", None, "220 hello").say("MAIL", "451 not this one").running() as one:
        upstream = lane(host(one.port))
        assert await kinds(upstream) == [Unreached]
        assert await kinds(upstream) == [Deferred]
        assert upstream.may_try()
        upstream.close()


async def test_a_login_that_is_not_taken_any_more_ends_its_sessions() -> None:
    async with Script("250 script").running() as script:
        upstream = lane(host(script.port))
        assert await kinds(upstream) == [Delivered]
        script.say("MAIL", "530 5.7.0 log in")
        assert await kinds(upstream) == [Unreached]
        assert not upstream.may_try()
        await script.heard(b"QUIT\r\n")
        script.say("MAIL", "250 ok")
        assert await kinds(upstream) == [Delivered]
        upstream.close()
    assert script.sessions == 2


@pytest.mark.parametrize("ending", ["cancelled", "broken"])
async def test_a_probe_that_tells_nothing_lets_another_be_one(ending: str) -> None:
    async with Script().say("", None, "220 hello").say("MAIL", "").running() as script:
        upstream = lane(host(script.port))
        assert await kinds(upstream) == [Unreached]
        task = asyncio.create_task(upstream.send(BOB))
        await script.heard(b"DATA\r\n")
        assert await kinds(upstream) == [Unreached]
        script.say("MAIL", "250 ok")
        if ending == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            script.hang_up()
            assert type((await task)[0]) is Deferred
        assert await kinds(upstream) == [Delivered]
        upstream.close()


async def test_the_queue_leaves_half_of_the_connections_to_others() -> None:
    async with Script().say("MAIL", "").running() as script:
        upstream = lane(host(script.port, connections=4))
        assert upstream.width == 2
        queued = [asyncio.create_task(upstream.send(BOB, partial=True)) for _ in range(10)]
        await until(lambda: script.lines.count(b"DATA\r\n") == 2)
        script.say("MAIL", "250 ok")
        assert await kinds(upstream) == [Delivered]
        assert script.lines.count(b"DATA\r\n") == 3
        for task in queued:
            task.cancel()
        await asyncio.gather(*queued, return_exceptions=True)
        upstream.close()


async def test_a_cancelled_transaction_leaves_no_session_behind() -> None:
    async with Script().say("DATA", "").running() as script:
        upstream = lane(host(script.port))
        task = asyncio.create_task(upstream.send(BOB))
        await script.heard(b"DATA\r\n")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        script.say("DATA", "354 go")
        [outcome] = await upstream.send(BOB)
        upstream.close()
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


@pytest.mark.parametrize(
    ("offers", "notify", "kind"),
    [
        ("250 script", b"SUCCESS,DELAY", Relayed),
        ("250 script", b"delay,success", Relayed),
        ("250 script", b"FAILURE", Delivered),
        ("250 script", None, Delivered),
        ("250-script\r\n250 DSN", b"SUCCESS", Delivered),
    ],
)
async def test_who_will_hear_nothing_of_success(
    offers: str, notify: bytes | None, kind: type[Outcome]
) -> None:
    parameters = {} if notify is None else {b"NOTIFY": notify}
    copy = replace(BOB, recipients=(Recipient(b"bob@example.com", parameters),))
    async with Script(offers).running() as script:
        [outcome] = await send(script.port, copy)
        script.say("RCPT", "550 5.1.1 no")
        [refused] = await send(script.port, copy)
    assert (type(outcome), outcome.text) == (kind, b"taken")
    assert type(refused) is Refused


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
