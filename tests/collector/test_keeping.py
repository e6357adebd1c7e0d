"""Of an address no more is kept than the site wishes, and what is kept can be read again."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import client
from collector.keeping import DAY_MS, Keeping


@pytest.mark.parametrize(
    ("address", "addresses", "shown"),
    [
        ("203.0.113.77", "truncated", "203.0.113.0/24"),
        ("203.0.113.77", "full", "203.0.113.77"),
        ("2001:db8:7:8::9", "truncated", "2001:db8:7::/48"),
        ("2001:db8:7:8::9", "full", "2001:db8:7:8::9"),
    ],
)
def test_an_address(address: str, addresses: str, shown: str) -> None:
    kept = Keeping(addresses=addresses).network(ip_address(address))  # type: ignore[arg-type]
    assert kept is not None
    assert client.show(kept) == shown


@pytest.mark.parametrize("addresses", ["none", "truncated", "full"])
def test_none(addresses: str) -> None:
    assert Keeping(addresses=addresses).network(None) is None  # type: ignore[arg-type]
    assert Keeping(addresses="none").network(ip_address("203.0.113.77")) is None


@given(st.ip_addresses())
def test_what_is_shown_is_where_it_came_from(address: object) -> None:
    whole = Keeping(addresses="full").network(address)  # type: ignore[arg-type]
    short = Keeping(addresses="truncated").network(address)  # type: ignore[arg-type]
    assert whole is not None
    assert short is not None
    assert ip_address(client.show(whole)) == address
    assert address in ip_network(client.show(short))


def test_a_window_is_of_days_and_none_is_for_ever() -> None:
    assert Keeping(window=1).takes(5 + DAY_MS, 5)
    assert not Keeping(window=1).takes(6 + DAY_MS, 5)
    assert Keeping().takes(10_000 * DAY_MS, 5)
