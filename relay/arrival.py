"""A connection before its session begins: counted, and perhaps in a TLS handshake.

Invariant: it is counted before anything of it is waited for, so that handshakes are limited as
sessions are.
"""

import asyncio
import contextlib
import socket
from ipaddress import IPv6Address

from relay.service import Door, Service
from relay.smtpd import HANDSHAKE_TIMEOUT, SubmissionServer, tell_of_handshake

FULL = b"421 4.7.0 Too many connections; try again later\r\n"


class Arrival:
    """One connection. `peer` is its other end's address."""

    def __init__(self, sock: socket.socket, peer: str, service: Service, door: Door) -> None:
        self._sock = sock
        self._peer = plain_address(peer)
        self._service = service
        self._door = door
        self._owned = True  # the socket is ours to close, no transport has it yet
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Lets it in, or turns it away."""
        connections = self._service.connections
        if not connections.admit(self, self._peer):
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

    def _entered(self, _: asyncio.Task[None]) -> None:
        """Its session has taken its place, or there is none."""
        self._service.connections.leave(self)
        if self._owned:
            self._sock.close()

    def _turn_away(self) -> None:
        """Says why where that costs nothing: inside TLS it would cost the handshake."""
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
