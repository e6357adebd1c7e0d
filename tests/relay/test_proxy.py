"""The PROXY protocol's headers, of both versions, read to the octet."""

import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.proxy import MAX_V1, SIGNATURE, UNKNOWN, ProxyError, parse_v1, read_origin

CLIENT = b"\x16\x03\x01what the client says"
TCP4, TCP6, UDP4, UNIX, UNSPECIFIED = 0x11, 0x21, 0x12, 0x31, 0x00
FOUR = IPv4Address("192.0.2.7").packed + IPv4Address("198.51.100.1").packed + b"\x10\0\x02\x4b"
SIX = IPv6Address("2001:db8::7").packed + IPv6Address("2001:db8::1").packed + b"\x10\0\x02\x4b"


class Stream:
    """What a peer sends, in pieces of at most `piece` octets."""

    def __init__(self, octets: bytes, piece: int = 65_536) -> None:
        self.octets = octets
        self.piece = piece

    async def receive(self, size: int) -> bytes:
        size = min(size, self.piece)
        piece, self.octets = self.octets[:size], self.octets[size:]
        return piece


def v2(transport: int, addresses: bytes, *, command: int = 0x21, tail: bytes = b"") -> bytes:
    body = addresses + tail
    return SIGNATURE + struct.pack("!BBH", command, transport, len(body)) + body


HEADERS = {
    "v1, IPv4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 4096 587\r\n", "192.0.2.7"),
    "v1, IPv6": (b"PROXY TCP6 2001:DB8::7 2001:db8::1 0 65535\r\n", "2001:db8::7"),
    "v1, the longest": (
        b"PROXY TCP6 %b %b 65535 65535\r\n" % ((b"ffff:" * 8)[:-1], (b"ffff:" * 8)[:-1]),
        ":".join(["ffff"] * 8),
    ),
    "v1, unknown": (b"PROXY UNKNOWN\r\n", UNKNOWN),
    "v1, unknown with words": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", UNKNOWN),
    "v2, IPv4": (v2(TCP4, FOUR), "192.0.2.7"),
    "v2, IPv6": (v2(TCP6, SIX), "2001:db8::7"),
    "v2, more behind the addresses": (v2(TCP4, FOUR, tail=b"\x04\0\x02ab" * 90), "192.0.2.7"),
    "v2, the proxy itself": (v2(UNSPECIFIED, b"", command=0x20), None),
    "v2, the proxy itself with addresses": (v2(TCP4, FOUR, command=0x20), None),
    "v2, unspecified": (v2(UNSPECIFIED, b""), UNKNOWN),
    "v2, a Unix socket": (v2(UNIX, b"\0" * 216), UNKNOWN),
}


@pytest.mark.parametrize("piece", [1, 7, 65_536])
@pytest.mark.parametrize(("header", "origin"), HEADERS.values(), ids=HEADERS)
async def test_headers(header: bytes, origin: str | None, piece: int) -> None:
    stream = Stream(header + CLIENT, piece)
    assert await read_origin(stream.receive) == origin
    assert stream.octets == CLIENT


BAD = {
    "the client itself": b"EHLO client.example.com\r\n",
    "TLS": b"\x16\x03\x01\x02\0\x01\0" + b"\0" * 100,
    "another word": b"PROXIES TCP4 192.0.2.7 198.51.100.1 4096 587\r\n",
    "another case": b"proxy TCP4 192.0.2.7 198.51.100.1 4096 587\r\n",
    "another protocol": b"PROXY UDP4 192.0.2.7 198.51.100.1 4096 587\r\n",
    "the other family": b"PROXY TCP4 2001:db8::7 2001:db8::1 4096 587\r\n",
    "the other family's": b"PROXY TCP6 192.0.2.7 198.51.100.1 4096 587\r\n",
    "no address": b"PROXY TCP4 192.0.2.256 198.51.100.1 4096 587\r\n",
    "no second address": b"PROXY TCP4 192.0.2.7 198.51.100 4096 587\r\n",
    "an interface": b"PROXY TCP6 fe80::1%eth0 fe80::2 4096 587\r\n",
    "octal": b"PROXY TCP4 192.0.2.07 198.51.100.1 4096 587\r\n",
    "a port too large": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 587\r\n",
    "a port with zeros": b"PROXY TCP4 192.0.2.7 198.51.100.1 0587 587\r\n",
    "a port missing": b"PROXY TCP4 192.0.2.7 198.51.100.1 4096\r\n",
    "two spaces": b"PROXY TCP4  192.0.2.7 198.51.100.1 4096 587\r\n",
    "no CR": b"PROXY TCP4 192.0.2.7 198.51.100.1 4096 587\n",
    "a line in it": b"PROXY TCP4 192.0.2.7\r\n198.51.100.1 4096 587\r\n",
    "too long": b"PROXY UNKNOWN " + b"x" * (MAX_V1 - 15) + b"\r\n",
    "v2, version 1": v2(TCP4, FOUR, command=0x11),
    "v2, an unknown command": v2(TCP4, FOUR, command=0x22),
    "v2, UDP": v2(UDP4, FOUR),
    "v2, an unknown family": v2(0x41, SIX),
    "v2, too short": v2(TCP4, FOUR[:-1]),
    "v2, too short for IPv6": v2(TCP6, FOUR),
}


@pytest.mark.parametrize("octets", BAD.values(), ids=BAD)
async def test_no_headers(octets: bytes) -> None:
    with pytest.raises(ProxyError):
        await read_origin(Stream(octets + CLIENT * 10).receive)


def test_the_longest_line_is_as_long_as_may_be() -> None:
    line = b"PROXY UNKNOWN " + b"x" * (MAX_V1 - 16) + b"\r\n"
    assert len(line) == MAX_V1
    assert parse_v1(line) == UNKNOWN


@pytest.mark.parametrize("header", [header for header, _ in HEADERS.values()], ids=HEADERS)
async def test_a_peer_that_goes_away(header: bytes) -> None:
    for end in range(len(header)):
        with pytest.raises(ConnectionResetError):
            await read_origin(Stream(header[:end]).receive)


@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda octets: SIGNATURE + octets),
        st.binary().map(lambda octets: b"PROXY TCP4 " + octets),
    )
)
async def test_whatever_comes_is_a_header_or_one_of_two_errors(octets: bytes) -> None:
    with suppress(ProxyError, ConnectionResetError):
        await read_origin(Stream(octets).receive)


@given(st.ip_addresses(), st.integers(0, 65_535), st.binary(max_size=300), st.integers(1, 9))
async def test_any_client_is_known(
    address: IPv4Address | IPv6Address, port: int, tail: bytes, piece: int
) -> None:
    ends = struct.pack("!HH", port, 587)
    for header in (
        v2(TCP4 if address.version == 4 else TCP6, address.packed * 2 + ends, tail=tail),
        b"PROXY TCP%d %b %b %d 587\r\n"
        % (address.version, str(address).encode(), str(address).encode(), port),
    ):
        stream = Stream(header + CLIENT, piece)
        assert await read_origin(stream.receive) == str(address)
        assert stream.octets == CLIENT
