"""A connection before its session begins: its client is made known, TLS is agreed on.

Invariant: it is counted before anything of it is waited for, so that handshakes, and the headers of
proxies, are limited as sessions are.
"""

import asyncio
import contextlib
import socket
from ipaddress import IPv6Address, ip_address

import structlog

from collector.client import within
from relay.proxy import ProxyError, read_origin
from relay.service import Door, Service
from relay.smtpd import HANDSHAKE_TIMEOUT, SubmissionServer, tell_of_handshake

log = structlog.get_logger()

PROXY_TIMEOUT = 5.0  # seconds, in which a lost packet is sent again
FULL = b"421 4.7.0 Too many connections; try again later\r\n"


class Arrival:
    """One connection. `peer` is its other end's address: the client's, or its proxy's."""

    def __init__(self, sock: socket.socket, peer: str, service: Service, door: Door) -> None:
        self._sock = sock
        self._peer = plain_address(peer)
        self._service = service
        self._door = door
        self._owned = True  # the socket is ours to close, no transport has it yet
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Lets it in, or turns it away."""
        proxies = self._door.proxies
        if proxies and not within(ip_address(self._peer), proxies):
            log.info("client refused", peer=self._peer, problem="it is no proxy of this listener")
            self._sock.close()
            return
        if not self._service.connections.admit(self, None if proxies else self._peer):
            self._turn_away()
            return
        self._task = asyncio.get_running_loop().create_task(self._enter())
        self._task.add_done_callback(self._entered)

    def finish(self) -> None:
        """Ends it: no mail is on its way here."""
        if self._task:
            self._task.cancel()

    abort = finish

    async def _enter(self) -> None:
        if self._door.proxies and not await self._learn_origin():
            return
        context = self._door.tls.context if self._door.tls and self._door.implicit else None
        self._owned = False
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: SubmissionServer(self._service, self._door, peer=self._peer, arrival=self),
                self._sock,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT if context else None,
            )
        except OSError as error:  # ssl.SSLError and time-outs are OSErrors
            tell_of_handshake(self._peer, error)

    async def _learn_origin(self) -> bool:
        """Reads who the proxy's client is; whether that one may go on."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PROXY_TIMEOUT):
                origin = await read_origin(lambda size: loop.sock_recv(self._sock, size))
        except TimeoutError:
            log.info("proxy refused", proxy=self._peer, problem="no whole header came in time")
            return False
        except ProxyError as error:
            log.info("proxy refused", proxy=self._peer, problem=str(error))
            return False
        except OSError:  # it only looked whether we are there
            return False
        self._peer = plain_address(origin or self._peer)
        self._service.connections.leave(self)
        if self._service.connections.admit(self, self._peer):
            return True
        self._turn_away()
        return False

    def _entered(self, _: asyncio.Task[None]) -> None:
        """Its session has taken its place, or there is none."""
        self._service.connections.leave(self)
        if self._owned:
            self._sock.close()

    def _turn_away(self) -> None:
        """Says why where that costs nothing: inside TLS it would cost the handshake."""
        self._owned = False
        if not self._door.implicit:
            with contextlib.suppress(OSError):
                self._sock.send(FULL)
        self._sock.close()


def plain_address(address: str) -> str:
    """An address as it is compared: IPv4 also where IPv6 maps it, and of no interface."""
    if ":" not in address:
        return address
    read = IPv6Address(address.partition("%")[0])
    return str(read.ipv4_mapped or read)
