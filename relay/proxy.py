"""The PROXY protocol, versions 1 and 2: what a proxy says of the client before the client speaks.

https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt. Exactly the header is read and not one
octet of what follows, which is the client's: its TLS handshake as often as SMTP. Who may send a
header is decided before it is read (`Door.proxies`).
"""

import re
import struct
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address

Receive = Callable[[int], Awaitable[bytes]]  # at most so many octets, b"" at the end

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MAX_V1 = 107  # octets, CRLF included
# A client whose proxy does not know it. To take the proxy's address for its own, as the protocol
# suggests, would give it what loopback and listed networks may do.
UNKNOWN = "0.0.0.0"  # noqa: S104 - nobody listens there

_V1 = re.compile(
    rb"PROXY TCP(?P<version>[46]) (?P<source>[0-9a-fA-F:.]+) (?P<destination>[0-9a-fA-F:.]+)"
    rb" (?P<ports>(?:0|[1-9]\d{0,4}) (?:0|[1-9]\d{0,4}))\r\n"
)
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")

_LOCAL, _PROXY = 0x20, 0x21  # version 2 with its two commands
_STREAM = 1
# Family -> what its addresses are made of, and octets of addresses and ports in all.
_INET = {1: (IPv4Address, 4, 12), 2: (IPv6Address, 16, 36)}
_UNSPECIFIED, _UNIX = 0, 3


class ProxyError(Exception):
    """No header, or none that can be right; the message says why."""


async def read_origin(receive: Receive) -> str | None:
    """The client's address, perhaps UNKNOWN; None where the proxy speaks for itself (LOCAL).

    Raises ProxyError, ConnectionResetError if the peer goes away first.
    """
    start = await _exactly(receive, len(SIGNATURE))
    if start != SIGNATURE:
        return parse_v1(await _line(receive, start))
    command, transport, length = struct.unpack("!BBH", await _exactly(receive, 4))
    return parse_v2(command, transport, await _exactly(receive, length))


def parse_v1(line: bytes) -> str:
    """The source in a version 1 line, CRLF included. Raises ProxyError."""
    if _UNKNOWN.fullmatch(line):
        return UNKNOWN
    match = _V1.fullmatch(line)
    if not match:
        raise ProxyError("no PROXY header came first")
    if any(int(port) > 65535 for port in match["ports"].split()):
        raise ProxyError("a port is none")
    kind = IPv4Address if match["version"] == b"4" else IPv6Address
    try:
        source, _ = (kind(match[end].decode("ascii")) for end in ("source", "destination"))
    except ValueError:
        raise ProxyError("an address is none") from None
    return str(source)


def parse_v2(command: int, transport: int, rest: bytes) -> str | None:
    """The source in a version 2 header: its 13th and 14th octet, and what the length counts.

    Raises ProxyError. What stands behind the addresses is not looked at.
    """
    if command == _LOCAL:
        return None
    if command != _PROXY:
        raise ProxyError("a version or command that there is not")
    family, kind = divmod(transport, 16)
    if family == _UNSPECIFIED or (family, kind) == (_UNIX, _STREAM):
        return UNKNOWN
    if family not in _INET or kind != _STREAM:
        raise ProxyError("no TCP over IPv4 or IPv6")
    address, size, whole = _INET[family]
    if len(rest) < whole:
        raise ProxyError("the header is too short for its addresses")
    return str(address(rest[:size]))


async def _line(receive: Receive, line: bytes) -> bytes:
    """The line that begins so, to its end, octet by octet: what follows is not ours to read."""
    while not line.endswith(b"\n") and len(line) < MAX_V1 and line.startswith(b"PROXY "):
        line += await _exactly(receive, 1)
    return line


async def _exactly(receive: Receive, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        more = await receive(size - len(octets))
        if not more:
            raise ConnectionResetError("it ended inside the PROXY header" if octets else "")
        octets += more
    return octets
