"""Answers written at one stroke: what HTTP wants of every answer is in them."""

import asyncio
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import pytest
from aiohttp import web

from collector.answer import SECURITY_HEADERS, Answer, spell_head

HEAD = spell_head(HTTPStatus.OK, {"Content-Type": "text/plain", "Referrer-Policy": "no-referrer"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def greet(request: web.Request) -> web.StreamResponse:
        return Answer(HEAD, b"hello")

    app = web.Application()
    app.add_routes([web.get("/", greet)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def ask(port: int, *requests: str) -> list[tuple[dict[str, str], bytes]]:
    """Sends them in one flight; the answers' headers and bodies, until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("".join(requests).encode())
    answers = []
    while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
        status, *lines = head.decode().split("\r\n")[:-2]
        assert status == "HTTP/1.1 200 OK"
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines)
        size = 0 if requests[len(answers)].startswith("HEAD") else int(headers["Content-Length"])
        answers.append((headers, await reader.readexactly(size)))
        if headers["Connection"] == "close":
            assert await reader.read() == b""
            break
    writer.close()
    await writer.wait_closed()
    return answers


LAST = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"


async def test_one_after_another_on_one_connection(port: int) -> None:
    kept = "GET / HTTP/1.1\r\nHost: t\r\n\r\n"
    answers = await ask(port, kept, kept, LAST)
    assert [body for _, body in answers] == [b"hello"] * 3
    assert [headers["Connection"] for headers, _ in answers] == ["keep-alive"] * 2 + ["close"]


async def test_head_has_no_body_and_its_length(port: int) -> None:
    [(headers, body), last] = await ask(port, "HEAD / HTTP/1.1\r\nHost: t\r\n\r\n", LAST)
    assert (headers["Content-Length"], body) == ("5", b"")
    assert last[1] == b"hello"


async def test_an_old_client_is_closed_unless_it_asks(port: int) -> None:
    [(headers, body)] = await ask(port, "GET / HTTP/1.0\r\n\r\n")
    assert (headers["Connection"], body) == ("close", b"hello")
    asking = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    [(headers, _), _] = await ask(port, asking, LAST)
    assert headers["Connection"] == "keep-alive"


async def test_it_is_guarded_and_dated(port: int) -> None:
    [(headers, _)] = await ask(port, LAST)
    assert parsedate_to_datetime(headers["Date"])
    assert headers["Content-Type"] == "text/plain"
    for name, value in SECURITY_HEADERS.items():
        assert headers[name] == ("no-referrer" if name == "Referrer-Policy" else value)
