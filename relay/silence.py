"""Noticing that the other side is gone though nobody said so: power, a cable, a firewall's memory.

TCP by itself takes a quarter of an hour, and SMTP's time-outs cannot tell a slow server from none.
Linux can: a live one acknowledges what it gets. Elsewhere the relay's time-outs have to do.
"""

import asyncio
import socket

KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


def watch(transport: asyncio.WriteTransport) -> None:
    """From now on the system also asks a silent peer whether it is there."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def allow(transport: asyncio.WriteTransport, seconds: float) -> None:
    """How long a peer may acknowledge nothing, or take nothing more, before it counts as gone."""
    if _USER_TIMEOUT is not None and not transport.is_closing():
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(seconds * 1000))
