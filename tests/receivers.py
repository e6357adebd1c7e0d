"""A real HTTP server on loopback that keeps what it is sent and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

from aiohttp import web
from aiohttp.test_utils import TestServer

from collector.client import Networks

LOOPBACK: Networks = (ip_network("127.0.0.0/8"),)  # for sites that let senders lead there


@dataclass(slots=True)
class Receiver:
    """`answer` may be changed; `calls` are the requests' headers and bodies."""

    url: str = ""
    port: int = 0
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Callable[[], web.Response] = lambda: web.Response(text="ok")

    async def take(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        self.called.set()
        return self.answer()


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        receiver.url = str(server.make_url("")).rstrip("/")
        receiver.port = server.port or 0
        yield receiver
