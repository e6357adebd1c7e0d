"""Access tokens for upstream: from a program, from a token server, and as upstream takes them."""

import asyncio
import json
import os
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from relays import HOSTNAME, PATIENCE, Script
from structlog.testing import capture_logs

from relay import oauth
from relay.content import Content
from relay.envelope import Copy, Delivered, Outcome, Recipient, Unreached
from relay.oauth import PAUSE, TokenSource
from relay.upstream import TokenCommand, TokenRefresh, UpstreamError, UpstreamHost, UpstreamRoute
from relay.upstreams import Upstreams

BOB = Copy(
    mail_from=b"ana@example.com",
    parameters={},
    recipients=(Recipient(b"bob@example.com", {}),),
    content=Content.of(b"Subject: x\r\n\r\nx\r\n"),
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def command(body: str, *words: str) -> TokenCommand:
    return TokenCommand((sys.executable, "-c", body, *words))


class Server:
    """A token server: answers each form that it gets as it is told, the last answer for ever."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.forms: list[dict[str, str]] = []
        self.origin = TokenRefresh(url="", client="", refresh="")

    async def answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        status, said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        text = said if isinstance(said, str) else json.dumps(said)
        headers = {"Location": "https://elsewhere.example/"} if status == 302 else {}
        return web.Response(status=status, text=text, headers=headers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        app = web.Application()
        app.router.add_post("/token", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.origin = TokenRefresh(
            url=f"http://127.0.0.1:{port}/token",
            client="the-client",
            client_secret="client-secret",
            refresh="first-refresh",
        )
        try:
            yield self
        finally:
            await runner.cleanup()


# --- a program ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "printed",
    [
        "ya29.a-token",
        "ya29.a-token\n",
        "  ya29.a-token \nand more that nobody reads\n",
        '{"access_token": "ya29.a-token", "expires_in": 3600}',
        '{\n "access_token": "ya29.a-token"\n}\n',
    ],
)
async def test_a_program_prints_a_token(printed: str) -> None:
    origin = command("import sys; sys.stdout.write(sys.argv[1])", printed)
    assert await TokenSource(origin).token() == "ya29.a-token"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "gave no access token"),
        ("print('two words')", "gave no access token"),
        ("print('{\"access_token\": 7}')", "gave no access token"),
        ('print(\'{"error": "secret"}\')', "gave no access token"),
        ("print('t\\x01auth=Bearer')", "gave no access token"),
        ("print('a' * 100_000)", "gave no access token"),
        ("print('secret'); raise SystemExit(3)", "ended with status 3"),
    ],
)
async def test_a_program_that_gives_none(body: str, problem: str) -> None:
    with pytest.raises(UpstreamError, match=problem) as refused:
        await TokenSource(command(body)).token()
    assert "secret" not in str(refused.value)
    assert "token_command" in refused.value.mend


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(UpstreamError, match="/nowhere/token cannot be run"):
        await TokenSource(TokenCommand(("/nowhere/token", "secret"))).token()


async def test_a_program_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "TIMEOUT", 0.5)
    body = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(99)"
    with pytest.raises(UpstreamError, match="no access token within"):
        await TokenSource(command(body, str(tmp_path / "pid"))).token()
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_token_that_is_too_long_is_read_to_its_end() -> None:
    """More than a pipe holds: a program must not wait for us for ever."""
    origin = command("print('token'); print('x' * 300_000)")
    async with asyncio.timeout(PATIENCE):
        assert await TokenSource(origin).token() == "token"


# --- a token server -------------------------------------------------------------------------------


async def test_a_refresh_token_is_exchanged() -> None:
    async with Server((200, {"access_token": "a", "expires_in": 3600})).running() as server:
        assert await TokenSource(server.origin).token() == "a"
    assert server.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "first-refresh",
            "client_id": "the-client",
            "client_secret": "client-secret",
        }
    ]


@pytest.mark.parametrize(
    ("answer", "problem", "mend"),
    [
        (
            (400, {"error": "invalid_grant", "error_description": "a-secret"}),
            "400 invalid",
            "get a",
        ),
        ((401, {"error": "invalid_client"}), r"\(401 invalid_client\)", "compare"),
        ((400, {"error": "<b>a-secret</b>"}), r"\(400\)", "compare"),
        ((500, "a-secret"), r"\(500\)", "compare"),
        ((302, ""), r"\(302\)", "compare"),
        ((200, "<html>a-secret"), "gave no access token", "token_url"),
        ((200, ["a-secret"]), "gave no access token", "token_url"),
    ],
)
async def test_a_server_that_gives_none(
    answer: tuple[int, object], problem: str, mend: str
) -> None:
    async with Server(answer).running() as server:
        with pytest.raises(UpstreamError, match=problem) as refused:
            await TokenSource(server.origin).token()
    assert mend in refused.value.mend
    for secret in ("a-secret", "client-secret", "first-refresh"):
        assert secret not in str(refused.value)
        assert secret not in repr(server.origin)


async def test_a_server_that_is_not_there() -> None:
    async with Server((200, "")).running() as server:
        origin = server.origin
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1 cannot be reached"):
        await TokenSource(origin).token()


async def test_a_new_refresh_token_takes_the_old_ones_place() -> None:
    said = {"access_token": "a", "expires_in": 1, "refresh_token": "second-refresh"}
    async with Server((200, said)).running() as server:
        source = TokenSource(server.origin)
        with capture_logs() as logs:
            await source.token()
            await source.token()
    assert [form["refresh_token"] for form in server.forms] == ["first-refresh", "second-refresh"]
    [told] = logs
    assert "token_command" in told["mend"]
    assert "second-refresh" not in str(told)


# --- kept -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"expires_in": 3600}, 3540),
        ({"expires_in": "3600"}, 3540),
        ({"expires_in": 30}, 0),
        ({"expires_in": -5}, 0),
        ({"expires_in": None}, 300),
        ({}, 300),
    ],
)
async def test_a_token_is_kept_until_shortly_before_its_end(
    said: Mapping[str, object], seconds: float
) -> None:
    clock = Clock()
    async with Server(
        (200, {"access_token": "first"} | said), (200, {"access_token": "second"})
    ).running() as server:
        source = TokenSource(server.origin, clock)
        assert await source.token() == "first"
        clock.now += max(0, seconds - 1)
        assert await source.token() == ("first" if seconds else "second")
        clock.now += 1
        assert await source.token() == "second"


async def test_many_wait_for_one_token() -> None:
    async with Server((200, {"access_token": "a", "expires_in": 3600})).running() as server:
        source = TokenSource(server.origin)
        assert set(await asyncio.gather(*(source.token() for _ in range(20)))) == {"a"}
    assert len(server.forms) == 1


async def test_many_hear_of_one_failure_and_the_next_try_is_later() -> None:
    clock = Clock()
    async with Server((500, ""), (200, {"access_token": "a"})).running() as server:
        source = TokenSource(server.origin, clock)
        told = await asyncio.gather(*(source.token() for _ in range(20)), return_exceptions=True)
        assert {type(each) for each in told} == {UpstreamError}
        assert len(server.forms) == 1
        clock.now += PAUSE
        assert await source.token() == "a"


# --- as upstream takes it -------------------------------------------------------------------------


def xoauth2(token: str) -> bytes:
    said = f"user=relay@example.com\x01auth=Bearer {token}\x01\x01".encode()
    return b"AUTH XOAUTH2 " + b64encode(said) + b"\r\n"


@pytest.fixture
def by_token() -> Callable[[int, Server], Upstreams]:
    def make(port: int, server: Server) -> Upstreams:
        options: dict[str, Any] = {"user": "relay@example.com", "token": server.origin}
        host = UpstreamHost(host="127.0.0.1", port=port, hostname=HOSTNAME, tls="none", **options)
        return Upstreams([UpstreamRoute.to(host)])

    return make


async def send(upstreams: Upstreams) -> Outcome:
    [outcome] = await upstreams.lane(b"ana@example.com").send(BOB)
    upstreams.close()
    return outcome


AUTH = "250-script\r\n250 AUTH LOGIN XOAUTH2"
TWO = ((200, {"access_token": "old", "expires_in": 3600}), (200, {"access_token": "new"}))


async def test_one_that_upstream_takes(by_token: Callable[[int, Server], Upstreams]) -> None:
    async with Script(AUTH, AUTH="235 ok").running() as script, Server(*TWO).running() as server:
        assert isinstance(await send(by_token(script.port, server)), Delivered)
    assert xoauth2("old") in script.lines


async def test_one_that_upstream_refuses_is_replaced_once(
    by_token: Callable[[int, Server], Upstreams],
) -> None:
    script = Script(AUTH).say("AUTH", "535 5.7.8 ended", "235 ok")
    async with script.running(), Server(*TWO).running() as server:
        assert isinstance(await send(by_token(script.port, server)), Delivered)
    assert [line for line in script.lines if line.startswith(b"AUTH")] == [
        xoauth2("old"),
        xoauth2("new"),
    ]


async def test_a_login_that_is_refused_with_every_token_is_unreached(
    by_token: Callable[[int, Server], Upstreams],
) -> None:
    async with Script(AUTH, AUTH="535 no").running() as script, Server(*TWO).running() as server:
        upstreams = by_token(script.port, server)
        with capture_logs() as logs:
            assert isinstance(await send(upstreams), Unreached)
    assert len(server.forms) == 2
    assert any("refused the login (535)" in str(line) for line in logs)
    assert not any(token in str(line) for line in logs for token in ("old", "new"))


async def test_no_token_is_unreached_and_told(by_token: Callable[[int, Server], Upstreams]) -> None:
    async with Script(AUTH).running() as script, Server((400, "")).running() as server:
        with capture_logs() as logs:
            assert isinstance(await send(by_token(script.port, server)), Unreached)
    assert script.sessions == 0
    assert any("token server" in str(line) for line in logs)


async def test_a_change_of_routes_keeps_the_token_and_its_refresh(
    by_token: Callable[[int, Server], Upstreams],
) -> None:
    """The refresh token in the file may be long gone."""
    async with Script(AUTH, AUTH="235 ok").running() as script, Server(*TWO).running() as server:
        upstreams = by_token(script.port, server)
        await upstreams.lane(b"").send(BOB)
        [route] = upstreams._own
        upstreams.change([UpstreamRoute(hosts=route.hosts, senders=("*@example.com",)), route])
        assert isinstance(await send(upstreams), Delivered)
    assert len(server.forms) == 1
