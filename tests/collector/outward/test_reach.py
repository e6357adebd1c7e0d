"""Where senders may lead the relay: out into the world, or where the site allows."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.outward import reach
from collector.outward.reach import Unreachable, embedded, is_public

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.9.9.9",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "2001:0:808:808:0:0:80ff:fffe",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_refuses_what_only_we_can_reach(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(Unreachable) as refused:
        reach.check(address, 443, ())
    assert refused.value.reason == "private"


@pytest.mark.parametrize("address", PUBLIC)
def test_lets_into_the_world(address: str) -> None:
    assert is_public(ip_address(address))
    reach.check(address, 443, ())
    with pytest.raises(Unreachable) as refused:
        reach.check_allowed(address, 80, ())
    assert refused.value.reason == "plain"


@pytest.mark.parametrize("name", ["localhost", "example.com", "2130706433", "0x7f000001", ""])
def test_a_name_is_no_address(name: str) -> None:
    with pytest.raises(Unreachable):
        reach.check(name, 443, (ip_network("0.0.0.0/0"),))


def test_the_site_may_allow_networks_in_any_disguise() -> None:
    allowed = (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::5", "64:ff9b::7f00:1"):
        reach.check(address, 80, allowed)
        reach.check_allowed(address, 80, allowed)
    with pytest.raises(Unreachable):
        reach.check("10.0.0.1", 80, allowed)


def test_this_machine_is_no_part_of_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    monkeypatch.setattr(reach, "is_public", lambda _: True)
    for address in {"127.0.0.1", own}:
        with pytest.raises(Unreachable):
            reach.check(address, 443, ())
    reach.check("8.8.8.8", 443, ())


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_no_more_public_inside_ipv6(address: IPv4Address) -> None:
    for network in ("64:ff9b::", "::ffff:0:0", "::ffff:0:0:0", "2002::"):
        shift = 80 if network == "2002::" else 0
        wrapped = IPv6Address(int(IPv6Address(network)) | int(address) << shift)
        assert embedded(wrapped) == address
        assert is_public(wrapped) <= is_public(address)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: IPv4Address | IPv6Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_reserved:
        inner = embedded(address)
        assert not is_public(address) or (inner != address and is_public(inner))
