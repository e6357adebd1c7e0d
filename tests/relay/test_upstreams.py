"""Which server a mail goes to: routes by sender, hosts in order, and a change of both."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from relays import HOSTNAME, Script, Sink

from relay.content import Content
from relay.credentials import Password
from relay.envelope import Copy, Deferred, Delivered, Outcome, Recipient, Refused, Unreached
from relay.upstream import LoginRefused, UpstreamError, UpstreamHost, UpstreamRoute
from relay.upstreams import Upstreams

BOB = Copy(
    mail_from=b"ana@example.com",
    parameters={},
    recipients=(Recipient(b"bob@example.com", {}),),
    content=Content.of(b"Subject: x\r\n\r\nx\r\n"),
)
AUTH = "250-script\r\n250 AUTH PLAIN"


def host(port: int, **options: Any) -> UpstreamHost:
    defaults: dict[str, Any] = {"host": "127.0.0.1", "hostname": HOSTNAME, "tls": "none"}
    return UpstreamHost(port=port, **(defaults | options))


def route(*ports: int, senders: Sequence[str] = (), **options: Any) -> UpstreamRoute:
    hosts = tuple(host(port, **options) for port in ports)
    return UpstreamRoute(hosts=hosts, senders=tuple(senders))


@pytest.fixture
async def unused_port() -> int:
    async with Sink().running() as sink:
        return sink.port


async def send(upstreams: Upstreams, address: bytes = b"ana@example.com") -> Outcome:
    [outcome] = await upstreams.lane(address).send(BOB)
    return outcome


# --- routes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        (b"ana@example.com", 0),
        (b"Ana@Example.COM", 0),
        (b"eve@example.com", 1),
        (b"ana@sub.example.com", 2),
        (b"example.com", 2),
        (b"", 2),
        (b"\xff@example.com", 1),
        (b"ana@example.com@example.org", 2),
    ],
)
async def test_the_first_route_that_fits_is_taken(address: bytes, taken: int) -> None:
    upstreams = Upstreams(
        [
            route(1, senders=["ana@example.com"]),
            route(2, senders=["*@example.com", "ana@example.com"]),
            route(3),
        ]
    )
    assert upstreams.lane(address).name == f"127.0.0.1:{taken + 1}"


async def test_a_login_goes_by_its_own_name_whatever_its_mail_says() -> None:
    """Its password is for that server alone."""
    ana = Password(b"ana@example.com", b"secret")
    async with Script(AUTH, AUTH="235 ok").running() as own, Script().running() as other:
        upstreams = Upstreams(
            [
                route(own.port, senders=["*@example.com"]),
                route(other.port, senders=["*@example.org"]),
                route(other.port),
            ]
        )
        await upstreams.log_in(ana)
        [outcome] = await upstreams.lane(b"ana@example.org", ana).send(BOB)
        upstreams.close()
    assert isinstance(outcome, Delivered)
    assert (len(own.messages), other.sessions) == (1, 0)


async def test_routes_to_one_host_share_its_connections() -> None:
    upstreams = Upstreams(
        [
            route(1, senders=["*@a.example"], user="a", password="b"),
            route(2, senders=["*@b.example"]),
            route(1),
        ]
    )
    a, b, c = (upstreams.lane(b"x@%b.example" % name)._hosts[0].gate for name in (b"a", b"b", b"c"))
    assert a is c
    assert a is not b


# --- hosts in order -------------------------------------------------------------------------------


async def test_the_next_host_takes_what_the_first_cannot(unused_port: int) -> None:
    async with Sink().running() as second:
        upstreams = Upstreams([route(unused_port, second.port)])
        assert isinstance(await send(upstreams), Delivered)
        assert upstreams.lane(b"").name == f"127.0.0.1:{unused_port}, 127.0.0.1:{second.port}"
        upstreams.close()


@pytest.mark.parametrize(
    "replies",
    [
        {"": "421 4.3.2 full"},
        {"": None},
        {"EHLO": None},
        {"MAIL": "530 5.7.0 log in first"},
        {"MAIL": None},
        {"RCPT": None},
        {"DATA": None},
    ],
)
async def test_a_host_that_does_not_serve_us_is_left_for_the_next(
    replies: dict[str, str | None],
) -> None:
    async with Script(**replies).running() as first, Script().running() as second:
        upstreams = Upstreams([route(first.port, second.port)])
        assert isinstance(await send(upstreams), Delivered)
        upstreams.close()
    assert (first.messages, len(second.messages)) == ([], 1)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(("reply", "kind"), [("451 later", Deferred), ("550 never", Refused)])
async def test_what_a_host_says_of_a_mail_stands(
    verb: str, reply: str, kind: type[Outcome]
) -> None:
    async with Script(**{verb: reply}).running() as first, Script().running() as second:
        upstreams = Upstreams([route(first.port, second.port)])
        assert isinstance(await send(upstreams), kind)
        upstreams.close()
    assert second.sessions == 0


async def test_a_mail_that_may_have_been_taken_goes_nowhere_else() -> None:
    async with Script(**{".": None}).running() as first, Script().running() as second:
        upstreams = Upstreams([route(first.port, second.port)])
        assert isinstance(await send(upstreams), Deferred)
        upstreams.close()
    assert second.sessions == 0


async def test_a_host_that_was_not_there_is_passed_over_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        Script().say("", "421 full", "220 hello").running() as first,
        Sink().running() as second,
    ):
        upstreams = Upstreams([route(first.port, second.port)])
        for _ in range(3):
            assert isinstance(await send(upstreams), Delivered)
        assert (first.sessions, len(second.mails)) == (1, 3)
        [lane] = upstreams._own.values()
        lane._hosts[0]._passed_over_until = 0.0  # the while is over
        assert isinstance(await send(upstreams), Delivered)
        upstreams.close()
    assert (len(first.messages), len(second.mails)) == (1, 3)


async def test_all_hosts_away_is_the_lane_away(unused_port: int) -> None:
    upstreams = Upstreams([route(unused_port, unused_port)])
    assert isinstance(await send(upstreams), Unreached)
    assert upstreams.lane(b"").is_away


async def test_a_login_is_asked_of_the_next_host_only_where_nobody_answers(
    unused_port: int,
) -> None:
    ana = Password(b"ana@example.com", b"secret")
    async with Script(AUTH, AUTH="235 ok").running() as second:
        upstreams = Upstreams([route(unused_port, second.port)])
        await upstreams.log_in(ana)
        assert second.sessions == 1
        upstreams.close()
        async with Script(AUTH, AUTH="535 no").running() as first:
            upstreams = Upstreams([route(first.port, second.port)])
            with pytest.raises(LoginRefused):
                await upstreams.log_in(ana)
        assert second.sessions == 1
    with pytest.raises(UpstreamError):
        await Upstreams([route(unused_port, unused_port)]).log_in(ana)


# --- change ---------------------------------------------------------------------------------------


async def test_a_change_keeps_what_stays_and_ends_what_goes() -> None:
    async with Script().running() as stays, Script().running() as goes, Script().running() as comes:
        kept = route(stays.port, senders=["*@example.com"])
        upstreams = Upstreams([kept, route(goes.port)])
        for address in (b"ana@example.com", b"ana@example.org"):
            assert isinstance(await send(upstreams, address), Delivered)
        lane = upstreams.lane(b"ana@example.com")
        upstreams.change([kept, route(comes.port)])
        await goes.heard(b"QUIT\r\n")
        assert upstreams.lane(b"ana@example.com") is lane
        for address in (b"ana@example.com", b"ana@example.org"):
            assert isinstance(await send(upstreams, address), Delivered)
        upstreams.close()
    assert [len(each.messages) for each in (stays, goes, comes)] == [2, 1, 1]
    assert (stays.sessions, goes.sessions) == (1, 1)


async def test_a_change_lets_what_is_on_its_way_end() -> None:
    async with Script().say(".", "").running() as script, Script().running() as other:
        upstreams = Upstreams([route(script.port)])
        task = asyncio.create_task(send(upstreams))
        await script.heard(b"DATA\r\n")
        upstreams.change([route(other.port)])
        assert not task.done()
        script.hang_up()
        assert isinstance(await task, Deferred)
        assert isinstance(await send(upstreams), Delivered)
        upstreams.close()


async def test_after_a_change_a_login_is_no_longer_proven() -> None:
    ana = Password(b"ana@example.com", b"secret")
    async with Script(AUTH, AUTH="235 ok").running() as script:
        first = route(script.port)
        upstreams = Upstreams([first])
        await upstreams.log_in(ana)
        upstreams.change([replace(first, hosts=(replace(first.hosts[0], connections=3),))])
        script.say("AUTH", "535 no")
        with pytest.raises(LoginRefused):
            await upstreams.log_in(ana)


async def test_many_hosts_at_once() -> None:
    """Each of a hundred mails is taken once, whichever host fell."""
    async with AsyncExitStack() as stack:
        scripts = [await stack.enter_async_context(Script().running()) for _ in range(3)]
        scripts[0].say("", *["220 hello"] * 3, "421 full")
        scripts[1].say("MAIL", *["250 ok"] * 10, None)
        upstreams = Upstreams([route(*(script.port for script in scripts), connections=4)])
        outcomes = await asyncio.gather(*(send(upstreams) for _ in range(100)))
        upstreams.close()
    assert {type(outcome) for outcome in outcomes} == {Delivered}
    assert sum(len(script.messages) for script in scripts) == 100
