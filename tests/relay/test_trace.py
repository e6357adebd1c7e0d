"""The trace header and the loop check."""

from dataclasses import replace

import pytest

from collector.senders import Sender
from relay.content import Content
from relay.envelope import Client, Envelope, Identity, Recipient, Refusal
from relay.header import read_fields
from relay.trace import check_loop, received

ANA = Sender(1, "ana", ("ana@example.com",), opens=True, clicks=True, sticky=True, enabled=True)
ENVELOPE = Envelope(
    identity=Identity(sender=ANA),
    mail_from=b"ana@example.com",
    parameters={},
    recipients=(Recipient(b"bcc@example.com", {}),),
    content=Content.of(b""),
    client=Client("192.0.2.7", b"laptop.home", "TLSv1.3"),
    received_at_ms=1_700_000_000_000,
)


def trace(envelope: Envelope, *, show_client: bool = False) -> bytes:
    return received(envelope, hostname="relay.example.com", id="a1", show_client=show_client)


def test_it_says_by_whom_how_and_when_and_nothing_of_the_client() -> None:
    assert trace(ENVELOPE) == (
        b"Received: by relay.example.com (Letterbell) with ESMTPSA id a1;\r\n"
        b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )


def test_a_client_without_a_login_is_no_authenticated_one() -> None:
    by_network = replace(ENVELOPE, identity=Identity(sender=ANA, how="network"))
    assert b" with ESMTPS id " in trace(by_network)


def test_it_shows_the_client_where_that_is_wished() -> None:
    assert trace(ENVELOPE, show_client=True).startswith(
        b"Received: from laptop.home ([192.0.2.7])\r\n\tby relay.example.com"
    )
    over_ipv6 = replace(ENVELOPE, client=Client("2001:db8::1", b"a", ""))
    assert b"from a ([IPv6:2001:db8::1])\r\n" in trace(over_ipv6, show_client=True)


def test_an_ehlo_name_cannot_break_out() -> None:
    envelope = replace(ENVELOPE, client=Client("192.0.2.7", b"x)\r\nEvil:(\xff;", ""))
    assert b"from x???Evil:???\r\n" not in trace(envelope, show_client=True)
    assert b"from x???Evil:?\xff?" not in trace(envelope, show_client=True)
    assert len(read_fields(trace(envelope, show_client=True))) == 1
    assert trace(envelope, show_client=True).isascii()


@pytest.mark.parametrize(
    ("parameters", "tls", "protocol"),
    [
        ({}, "", b"ESMTPA"),
        ({}, "TLSv1.2", b"ESMTPSA"),
        ({b"SMTPUTF8": None}, "", b"UTF8SMTPA"),
        ({b"SMTPUTF8": None}, "TLSv1.3", b"UTF8SMTPSA"),
    ],
)
def test_the_protocol(parameters: dict[bytes, None], tls: str, protocol: bytes) -> None:
    envelope = replace(ENVELOPE, parameters=parameters, client=Client("::1", b"a", tls))
    assert b" with " + protocol + b" id " in trace(envelope)


def test_the_fiftieth_hop_is_refused() -> None:
    hop = b"Received: by a\r\n"
    check_loop(read_fields(hop * 49))
    with pytest.raises(Refusal) as refusal:
        check_loop(read_fields(hop * 50))
    assert refusal.value.reply.wire().startswith(b"554 5.4.6 ")
