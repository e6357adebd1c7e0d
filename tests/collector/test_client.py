"""Whose request it was, as far as trusted proxies say."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.client import address_key, client_address, read_networks, truncate, within

TRUSTED = read_networks(("10.0.0.0/8", "::1"))


def find(
    peer: str | None, forwarded_for: tuple[str, ...] = (), forwarded: tuple[str, ...] = ()
) -> str | None:
    found = client_address(peer, forwarded=forwarded, forwarded_for=forwarded_for, trusted=TRUSTED)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("198.51.100.7",), "192.0.2.1"),  # not from a trusted proxy: ignored
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("203.0.113.9, 198.51.100.7",), "198.51.100.7"),  # left of it: anyone's words
        ("10.0.0.1", ("198.51.100.7, 10.0.0.2",), "198.51.100.7"),
        ("10.0.0.1", ("203.0.113.9", "198.51.100.7"), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7:4711",), "198.51.100.7"),
        ("10.0.0.1", ("[2001:db8::7]:4711",), "2001:db8::7"),
        ("10.0.0.1", ("2001:db8::7",), "2001:db8::7"),
        ("10.0.0.1", ("::ffff:198.51.100.7",), "198.51.100.7"),
        ("::ffff:10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("::1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7, unknown",), None),  # masked by a trusted proxy
        ("10.0.0.1", (" , ",), "10.0.0.1"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),  # all trusted: the farthest
        ("fe80::1%eth0", (), "fe80::1"),
        (None, (), None),  # a Unix socket
        ("", ("198.51.100.7",), None),
    ],
)
def test_x_forwarded_for(peer: str | None, forwarded_for: tuple[str, ...], client: str) -> None:
    assert find(peer, forwarded_for) == client


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (("for=198.51.100.7",), "198.51.100.7"),
        (('For="[2001:db8:cafe::17]:4711"',), "2001:db8:cafe::17"),
        (("for=192.0.2.43;proto=http, proto=https;for=198.51.100.7;by=10.0.0.1",), "198.51.100.7"),
        (("for=203.0.113.9", "for=198.51.100.7, for=10.0.0.2"), "198.51.100.7"),
        (("for=198.51.100.7, for=_hidden",), None),
        (("for=198.51.100.7, proto=https",), None),  # a hop that does not say for whom
        (('for="198.51.100.7:80"',), "198.51.100.7"),
    ],
)
def test_forwarded(forwarded: tuple[str, ...], client: str) -> None:
    assert find("10.0.0.1", ("203.0.113.1",), forwarded) == client


addresses = st.ip_addresses().map(str)


@given(st.lists(addresses), addresses)
def test_nothing_a_stranger_writes_counts(invented: list[str], stranger: str) -> None:
    """Whatever stands in the header before the first trusted hop, the answer is the stranger."""
    if within(ip_address(stranger), TRUSTED):
        return
    expected = find(stranger)
    assert find(stranger, (",".join(invented),)) == expected
    assert find("10.0.0.1", (", ".join([*invented, stranger]),)) == expected


@given(st.lists(st.text()), st.lists(st.text()), st.text())
def test_no_header_breaks_it(forwarded: list[str], forwarded_for: list[str], peer: str) -> None:
    for connected in (peer, "10.0.0.1"):
        found = client_address(
            connected, forwarded=forwarded, forwarded_for=forwarded_for, trusted=TRUSTED
        )
        assert found is None or truncate(found)


@pytest.mark.parametrize(
    ("address", "kept"),
    [("203.0.113.77", "cb0071"), ("2001:db8:1:2:3:4:5:6", "20010db80001"), (None, None)],
)
def test_of_an_address_only_its_network_is_kept(address: str | None, kept: str | None) -> None:
    found = truncate(ip_address(address) if address else None)
    assert (found.hex() if found else None) == kept


def test_a_bad_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        read_networks(["10.0.0.1/8"])


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_what_an_address_counts_as(address: str, key: str) -> None:
    assert address_key(address) == key
