"""Whose mail arrives at the incoming server that the site names."""

import pytest

from collector.servers import DEFAULT, Server, Servers

HOME = Servers(
    smtp=Server("relay.example.com", 465, "implicit"),
    imap=Server("imap.example.com", 993, "implicit"),
    domains=("example.com", "example.org"),
)


@pytest.mark.parametrize(
    ("address", "served"),
    [
        ("ana@example.com", True),
        ("Ana@EXAMPLE.org", True),
        ('"ana@home"@example.org', True),
        ("ana@sub.example.com", False),
        ("ana@example.com.evil.example", False),
        ("example.com", True),
        ("", False),
    ],
)
def test_an_address_by_its_domain(address: str, served: bool) -> None:
    assert HOME.serves(address) is served
    assert not DEFAULT.serves(address)
