"""The demo's world: the relay, the collector and an inbox, on loopback, thrown away at the end.

The parts are the ones that `serve` runs. Different are only their surroundings: a database in a
temporary folder, an inbox in place of the upstream, and clicks that count at once.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from aiohttp import web

from collector.app import build_runner
from collector.presence import Presence
from collector.servers import Server, Servers
from collector.tokens import Key
from relay.auth import Accounts, Auth
from relay.connections import Connections
from relay.demo import pages
from relay.demo.inbox import Inbox
from relay.demo.state import LOGIN, Demo
from relay.demo.witness import Witness
from relay.drafts import Drafts
from relay.guard import Guard
from relay.listener import listen
from relay.networks import Networks
from relay.sealing import Seal
from relay.service import Door, Service, Submission
from relay.site import Site, open_site
from relay.spool import Spool
from relay.upstream import UpstreamHost, UpstreamRoute

HOST = "127.0.0.1"
HOSTNAME = "demo.letterbell.example"
DRAIN_SECONDS = 2.0

Echo = Callable[[str], object]


class Unseen(Presence):
    """One browser plays both ends here, so that its session tells nothing of who reads."""

    def owner(self, token: str) -> int | None:
        return None


async def run_demo(*, smtp_port: int = 1587, http_port: int = 8025, echo: Echo = print) -> None:
    """Runs until SIGINT or SIGTERM. Where a port is taken, says so and takes another."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with open_demo(smtp_port=smtp_port, http_port=http_port, echo=echo) as demo:
        echo(_welcome(demo))
        await stopped.wait()
    echo("The demo is over; nothing of it is left.")


@asynccontextmanager
async def open_demo(*, smtp_port: int, http_port: int, echo: Echo = print) -> AsyncIterator[Demo]:
    """The running demo. A port of 0 is any free one."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="letterbell-demo-"))
        http = stack.enter_context(contextlib.closing(_bind("page", http_port, echo)))
        smtp = stack.enter_context(contextlib.closing(_bind("relay", smtp_port, echo)))
        demo = Demo(http_port=http.getsockname()[1], smtp_port=smtp.getsockname()[1], inbox=Inbox())
        keys = [Key(0, secrets.token_bytes(32))]
        spool = await asyncio.to_thread(
            partial(Spool.open, Path(folder) / "spool", min_free=0, sealer=Seal(keys))
        )
        stack.callback(spool.close)
        site = await stack.enter_async_context(
            open_site(
                store_url=f"sqlite:///{folder}/letterbell.db",
                keys=keys,
                routes=[await _open_inbox(stack, demo.inbox)],
                drafts=Drafts(Path(folder), floor=0),
                hostname=HOSTNAME,
                public_url=demo.public_url,
                presence=Unseen(),
                spool=spool,
                servers=Servers(smtp=Server(HOST, demo.smtp_port, "none")),
                # Who tries the demo clicks fast; elsewhere that is the mark of a scanner.
                early_click=0,
            )
        )
        demo.sender_id = (await site.senders.add(LOGIN, demo.password, [LOGIN])).id
        pages.setup(site.app, demo)
        await _open_collector(stack, site, http)
        await _open_relay(stack, site, demo, smtp)
        yield demo


def _bind(what: str, port: int, echo: Echo) -> socket.socket:
    """A socket for the page or the relay, on `port` or on a free one."""
    try:
        return _take(port)
    except OSError as error:
        taken = _take(0)
        echo(_elsewhere(what, port, taken.getsockname()[1], error))
        return taken


def _take(port: int) -> socket.socket:
    # IPPROTO_TCP: without it asyncio leaves out TCP_NODELAY.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


async def _open_inbox(stack: AsyncExitStack, inbox: Inbox) -> UpstreamRoute:
    server = await asyncio.get_running_loop().create_server(inbox.server, HOST, 0)
    stack.callback(server.close)
    port = server.sockets[0].getsockname()[1]
    return UpstreamRoute.to(UpstreamHost(host=HOST, port=port, hostname=HOSTNAME, tls="none"))


async def _open_collector(stack: AsyncExitStack, site: Site, http: socket.socket) -> None:
    runner = build_runner(site.app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, http).start()


async def _open_relay(stack: AsyncExitStack, site: Site, demo: Demo, smtp: socket.socket) -> None:
    service = Service(
        submission=Submission(hostname=HOSTNAME),
        auth=Auth(Accounts(site.senders), Guard(), Networks(site.senders)),
        accept=Witness(site.pipeline, demo).accept,
        connections=Connections(limit=100, limit_per_address=100),
        drafts=site.drafts,
    )
    listener = listen([smtp], service, Door(allow_plain_auth=True))
    stack.push_async_callback(service.connections.drain, DRAIN_SECONDS)
    stack.callback(listener.close)


def _elsewhere(what: str, wanted: int, taken: int, error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"Port {wanted} cannot be had ({reason}): the {what} is on port {taken}."


def _welcome(demo: Demo) -> str:
    return f"""
  Open   {demo.entrance}

  This address signs you in once. To send from your own mail client:
  localhost:{demo.smtp_port} without TLS, user {LOGIN}, password {demo.password}

  All of it stays on this machine and is thrown away at the end. Ctrl+C ends it.
"""
