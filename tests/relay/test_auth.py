"""As whom a sender may write."""

import pytest

from collector.senders import Sender
from relay.auth import check_address, check_author
from relay.envelope import Refusal
from relay.header import read_fields

ANA = Sender(
    1,
    "ana",
    ("Ana@example.com", "*@ana.example"),
    opens=True,
    clicks=True,
    sticky=True,
    enabled=True,
)


@pytest.mark.parametrize(
    "address", [b"ana@example.com", b"ANA@Example.COM", b"any@ana.example", b'"x@y"@ana.example']
)
def test_own_addresses(address: bytes) -> None:
    check_address(ANA, address)


@pytest.mark.parametrize(
    "address",
    [
        b"bob@example.com",
        b"ana@example.org",
        b"x@sub.ana.example",
        b"ana.example",
        b"*@x",
        b"\xff@a",
    ],
)
def test_other_addresses_are_refused_by_name(address: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        check_address(ANA, address)
    reply = refusal.value.reply
    assert reply.code == 550
    assert reply.text.startswith(b"5.7.1 <" + address + b"> ")
    assert b"letterbell sender set" in reply.text


@pytest.mark.parametrize(
    "header",
    [
        b"From: ana@example.com\r\n",
        b'From: "Bob" <ana@example.com>\r\n',
        b"from:\r\n ana@example.com, x@ana.example\r\nSubject: x\r\n",
    ],
)
def test_own_authors(header: bytes) -> None:
    check_author(ANA, read_fields(header + b"\r\nFrom: in the body\r\n"))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"", b"0 From headers"),
        (b"From: ana@example.com\r\nFROM: ana@example.com\r\n", b"2 From headers"),
        (b"Fr\0om: bob@example.com\r\nFrom: ana@example.com\r\n", b"2 From headers"),
        (b"From: ana@example.com\r\njunk\r\nFrom : bob@example.com\r\n", b"2 From headers"),
        (b"From:\r\n", b"no address"),
        (b"From: undisclosed\r\n", b"no address"),
        (b"From: Bob @ work <ana@example.com>\r\n", b"in several ways: write From: Name <address>"),
        (b"From: bob@example.com\r\n", b"<bob@example.com>"),
        (b"From: ana@example.com, bob@example.com\r\n", b"<bob@example.com>"),
        (b"From: bob@example.com <ana@example.com>\r\n", b"<bob@example.com>"),
    ],
)
def test_other_authors_are_refused(header: bytes, words: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        check_author(ANA, read_fields(header + b"\r\nbody\r\n"))
    assert refusal.value.reply.code == 550
    assert words in refusal.value.reply.text
