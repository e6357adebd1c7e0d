"""Where clients come in: listening sockets, and what is taken from them.

We accept by ourselves, because asyncio's servers read a client's TLS handshake before anybody is
asked whether there is room for it.
"""

import asyncio
import errno
import socket
from collections.abc import Iterable, Sequence
from typing import Any

import structlog

from relay.arrival import Arrival
from relay.service import Door, Service

log = structlog.get_logger()

TURN = 100  # connections taken in a row before the others' turn
PAUSE = 0.1  # seconds without accepting where the system has no room for one more
TELL_EVERY = 60.0  # seconds between two words about that
# An address that a name has and this machine lacks, as ::1 of `localhost` without IPv6.
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(address: str, port: int) -> list[socket.socket]:
    """Sockets on every address that the name has. Raises OSError if one is taken, or none is had.

    They take no clients yet: `listen` does.
    """
    found = socket.getaddrinfo(
        address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    bound: list[socket.socket] = []
    absent: OSError | None = None
    for family, kind, protocol, _, place in dict.fromkeys(found):
        try:
            bound.append(_bind(family, kind, protocol, place))
        except OSError as error:
            if error.errno not in ABSENT:
                _close(bound)
                raise
            absent = error
    if absent and not bound:
        raise absent
    return bound


def _bind(family: int, kind: int, protocol: int, place: Any) -> socket.socket:
    # The protocol is IPPROTO_TCP, not 0: only then do the loops set TCP_NODELAY on what it accepts.
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv4 has a socket of its own
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(place)
    except OSError:
        sock.close()
        raise
    return sock


def listen(sockets: Sequence[socket.socket], service: Service, door: Door) -> "Listener":
    """Takes clients on these sockets, which belong to the listener from now on.

    Raises OSError, with all of them closed, where one cannot listen.
    """
    try:
        for sock in sockets:
            sock.setblocking(False)
            sock.listen(socket.SOMAXCONN)
    except OSError:
        _close(sockets)
        raise
    return Listener(sockets, service, door)


class Listener:
    """One door that is open. To stop: `close`, then `service.connections.drain`."""

    def __init__(self, sockets: Sequence[socket.socket], service: Service, door: Door) -> None:
        self.sockets = tuple(sockets)
        self._service = service
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._told = -TELL_EVERY
        self._closed = False
        self._open()

    def close(self) -> None:
        """Takes no more clients. Those that are inside stay."""
        if not self._closed:
            self._shut()
            self._closed = True
            _close(self.sockets)

    def _open(self) -> None:
        if not self._closed:
            for sock in self.sockets:
                self._loop.add_reader(sock, self._accept, sock)

    def _shut(self) -> None:
        for sock in self.sockets:
            self._loop.remove_reader(sock)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(TURN):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # it was gone before its turn
                continue
            except OSError as error:  # no file descriptors, or no memory
                self._pause(error)
                return
            sock.setblocking(False)
            Arrival(sock, address[0], self._service, self._door).begin()

    def _pause(self, error: OSError) -> None:
        """Looks away for a moment: the socket stays readable, and would be looked at for ever."""
        now = self._loop.time()
        if now - self._told >= TELL_EVERY:
            self._told = now
            mend = "raise the limit of open files (LimitNOFILE=), or lower smtp.max_connections"
            log.error("no more connections can be taken", problem=error.strerror, mend=mend)
        self._shut()
        self._loop.call_later(PAUSE, self._open)


def _close(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
