"""Where what senders name may lead: not into the networks that this machine alone can see.

Senders choose the addresses of their webhooks, so the relay could be made to ask what only it can
reach: other services on its machine, routers, a cloud's metadata. So the address is judged that a
socket is about to be connected to, after all names are resolved: a name that resolves otherwise a
moment later gains nothing. The site may allow networks of its own.
"""

import socket
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network
from typing import Literal

from collector.client import Address, Networks, within

# What older versions of `ipaddress` call global, and Azure's address for a machine's own secrets.
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "168.63.129.16/32", "3fff::/20")))
_UNICAST = IPv6Network("2000::/3")  # all of IPv6 that anybody is given (RFC 4291 §2.4)
# IPv6 networks whose last 32 bits are an IPv4 address: RFC 6052 (NAT64), RFC 4291 §2.5.5.1, and its
# form in RFC 2765. Not RFC 8215's, where each site puts it elsewhere.
_LAST_32 = tuple(map(IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96", "::ffff:0:0/96")))


class Unreachable(OSError):  # noqa: N818 - named for what happened
    """An address that may not be connected to: it is private, or in the world and to be spoken to
    in plain text."""

    def __init__(self, reason: Literal["private", "plain"] = "private") -> None:
        super().__init__(reason)  # and not the address, so that several are told as one
        self.reason = reason


def check(host: str, port: int, allowed: Networks) -> None:
    """Raises Unreachable unless a socket may be connected to this address: it is out in the world
    and not this machine's own, or lies in a network that is `allowed`. A name raises, too.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        raise Unreachable from None
    if _is_allowed(address, allowed):
        return
    if not is_public(address) or _is_own(address, port):
        raise Unreachable


def check_allowed(host: str, port: int, allowed: Networks) -> None:
    """As `check`, but the world is not enough: only the networks that are `allowed` will do."""
    check(host, port, allowed)
    if not _is_allowed(ip_address(host.partition("%")[0]), allowed):
        raise Unreachable("plain")


def _is_allowed(address: Address, allowed: Networks) -> bool:
    return within(address, allowed) or within(embedded(address), allowed)


def is_public(address: Address) -> bool:
    """Whether it is somewhere in the world, by the registries of special addresses (RFC 6890)."""
    inner = embedded(address)
    if inner != address:
        return is_public(inner)
    if address.version == 6 and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and not within(address, _SPECIAL)


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to (mapped, 6to4, Teredo, NAT64), or itself."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _LAST_32):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.sixtofour or (teredo[1] if teredo else address)


def _is_own(address: Address, port: int) -> bool:
    """Whether this machine answers to it: it would speak from the very same address. No packet
    leaves for that."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), port))
        except OSError:
            return False  # there is no way to it, as the connection will find
        return bool(ip_address(probe.getsockname()[0]) == address)
