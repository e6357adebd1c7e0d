"""The addresses a sender may send as: one spelling each, and clear words for the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.addresses import AddressRefused, normalise, normalise_all


@pytest.mark.parametrize(
    ("given_as", "stored"),
    [
        ("ana@example.com", "ana@example.com"),
        (" Ana@Example.COM ", "Ana@example.com"),  # only the domain is known to ignore case
        ("*@Example.com", "*@example.com"),
        ("o'neil+tag@a-b.example", "o'neil+tag@a-b.example"),
        ('"two words"@example.com', '"two words"@example.com'),
        ("ana@localhost", "ana@localhost"),
        ("ana@[192.0.2.1]", "ana@[192.0.2.1]"),
        ("ana@[IPv6:2001:DB8::1]", "ana@[ipv6:2001:db8::1]"),
        ("ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example"),
    ],
)
def test_good_ones(given_as: str, stored: str) -> None:
    assert normalise(given_as) == stored
    assert normalise(stored) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "@example.com",
        "ana@",
        "a na@example.com",
        "ana@@example.com",
        "ana@-example.com",
        "ana@example..com",
        "ana@.com",
        "ana@example.com.",
        "<ana@example.com>",
        "Ana <ana@example.com>",
        "ana@example.com\r\nRCPT TO:<x@y.z>",
        "ana@exa\x00mple.com",
        "a" * 65 + "@example.com",
        "ana@" + "a" * 64 + ".com",
        "ana@" + "a." * 127 + "aa",
        "ana@[example]",
    ],
)
def test_malformed_ones_are_refused_by_name(text: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        normalise(text)
    assert repr(text) in str(refused.value)


def test_a_raw_international_domain_is_sent_to_its_other_form() -> None:
    with pytest.raises(AddressRefused, match="xn--"):
        normalise("ana@bücher.example")


def test_several_keep_their_order() -> None:
    assert normalise_all(["b@x.org", "a@x.org"]) == ("b@x.org", "a@x.org")
    assert normalise_all([]) == ()


def test_twice_the_same_is_refused() -> None:
    with pytest.raises(AddressRefused, match=r"'ana@EXAMPLE\.com' stands there twice"):
        normalise_all(["ana@example.com", "ana@EXAMPLE.com"])


@given(st.text())
def test_normal_or_refused(text: str) -> None:
    try:
        address = normalise(text)
    except AddressRefused:
        return
    assert normalise(address) == address
    assert not set("\r\n\0<>") & set(address)
