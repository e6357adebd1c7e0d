"""Who asked: the client's address, seen through the proxies that the site trusts.

Invariant: a header counts only as far as trusted machines wrote it. The chain of hops is walked
from the right (the nearest), and the first address that is no trusted proxy is the client;
whatever stands left of it, anyone may have invented.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, inet_pton

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

# Bits of an IPv6 address that tell customers apart; the rest is each one's own to vary.
NEIGHBOURHOOD = 64

# RFC 7239 section 4: for=192.0.2.60, for="[2001:db8::1]:4711", in any case, among other pairs.
_FORWARDED_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^\s;"]*)', re.IGNORECASE)
_PORT = re.compile(r":\d{1,5}$")


def read_networks(texts: Iterable[str]) -> Networks:
    """Networks from texts such as "10.0.0.0/8". Raises ValueError naming the one that is none."""
    return tuple(ip_network(text) for text in texts)


def within(address: Address | None, networks: Networks) -> bool:
    """Whether the address lies in one of the networks; an unknown one lies in none."""
    if address is not None:
        for network in networks:
            if address in network:
                return True
    return False


def client_address(
    peer: str | None,
    *,
    forwarded: Sequence[str],
    forwarded_for: Sequence[str],
    trusted: Networks,
) -> Address | None:
    """The client's address, or None where there is none to know (a Unix socket, a masked hop).

    `peer` is the connection's other end; `forwarded` and `forwarded_for` the values of the headers
    Forwarded (RFC 7239, preferred) and X-Forwarded-For, in the order received; both are ignored
    unless `peer` is trusted.
    """
    address = _read_peer(peer or "")
    if not within(address, trusted):
        return address
    hops = _forwarded_hops(forwarded) or _listed_hops(forwarded_for)
    for hop in reversed(hops):
        address = read_address(hop)
        if not within(address, trusted):
            return address
    return address


def _listed_hops(values: Sequence[str]) -> list[str]:
    return [hop.strip() for value in values for hop in value.split(",") if hop.strip()]


def _forwarded_hops(values: Sequence[str]) -> list[str]:
    elements = _listed_hops(values)
    found = (_FORWARDED_FOR.search(element) for element in elements)
    return [match.group(1).strip('"') if match else "" for match in found]


def read_address(text: str) -> Address | None:
    """The address in "1.2.3.4", "1.2.3.4:80", "2001:db8::1" or "[2001:db8::1]:80"."""
    with suppress(OSError, ValueError):  # most are IPv4 without a port: a third of the time
        return IPv4Address(inet_pton(AF_INET, text))
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = _PORT.sub("", text)
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def address_key(address: str) -> str:
    """What an address counts as: itself, or of IPv6 its /64 network, which is one customer's."""
    try:
        read = ip_address(address)
    except ValueError:
        return address
    if read.version == 4:
        return address
    if read.ipv4_mapped:
        return str(read.ipv4_mapped)
    network = int(read) >> (128 - NEIGHBOURHOOD) << (128 - NEIGHBOURHOOD)
    return str(IPv6Network((network, NEIGHBOURHOOD)))


# A site's proxies are few, and ask again and again.
_read_peer = lru_cache(maxsize=1_000)(read_address)


def truncate(address: Address | None) -> bytes | None:
    """What may be kept of an address: its /24 (3 bytes) or, of IPv6, its /48 (6 bytes)."""
    if address is None:
        return None
    return address.packed[: 3 if address.version == 4 else 6]


def show(network: bytes) -> str:
    """What was kept of an address, for people: "203.0.113.0/24", "2001:db8::/48", or all of it."""
    size, whole = {3: (24, 4), 6: (48, 16)}.get(len(network), (None, len(network)))
    address = ip_address(network.ljust(whole, b"\0"))
    return str(address) if size is None else f"{address}/{size}"
