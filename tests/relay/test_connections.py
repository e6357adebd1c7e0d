"""How many there may be; how they end is seen on real ones (test_smtpd.py)."""

import pytest

from relay.connections import Connections, address_key


class Session:
    """One that is counted."""

    def finish(self) -> None:
        raise AssertionError

    def abort(self) -> None:
        raise AssertionError


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


def test_a_customers_ipv6_addresses_are_one_and_a_neighbours_are_not() -> None:
    connections = Connections(limit=9, limit_per_address=2)
    first, second = Session(), Session()
    assert connections.admit(first, "2001:db8::1")
    assert connections.admit(second, "2001:db8::2")
    assert not connections.admit(Session(), "2001:db8::3")
    assert connections.admit(Session(), "2001:db8:0:1::3")
    connections.leave(second)
    connections.leave(second)
    assert connections.admit(Session(), "2001:db8::3")
    assert not connections.admit(Session(), "2001:db8::4")
