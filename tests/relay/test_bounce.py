"""Reports to senders, read by the standard library."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.bounce import MAX_FULL, MAX_UNASKED, Fate, Subject, report, wants
from relay.envelope import Deferred, Parameters, Recipient, Refused, Relayed
from relay.spoolfile import Action

HEAD = (
    b"Received: by relay.example.com; Mon, 24 Nov 2025 10:00:00 +0000\r\n"
    b"Subject: Offer\r\nMessage-ID: <offer@example.com>\r\n\r\n"
)
ORIGINAL = HEAD + b"Dear Eve,\r\nhere it is.\r\n"
EVE = Recipient(b"eve@example.org", {})
GONE = Refused(
    recipient=EVE.address, code=550, enhanced="5.1.1", text=b"no eve here", host="mx.example.org"
)
BUSY = Deferred(recipient=EVE.address, code=451, enhanced="4.2.1", text=b"busy", host="mx.a")
TOOK = Relayed(recipient=EVE.address, code=250, text=b"fine", host="mx.a")
ABOUT = Subject(
    mail_from=b"ana@example.com",
    parameters={},
    received_at_ms=1_764_000_000_000,
    head=HEAD,
    original=ORIGINAL,
)
ACTIONS: list[Action] = ["failed", "expired", "delayed", "relayed"]


def written(
    *fates: Fate, about: Subject = ABOUT, action: Action = "failed", message_id: int = 7
) -> bytes:
    return report(
        about,
        fates or ((EVE, GONE),),
        action,
        hostname="relay.example.com",
        message_id=message_id,
        now_ms=1_764_003_600_000,
        lifetime=432_000,
    )


def read(octets: bytes) -> EmailMessage:
    message = message_from_bytes(octets, policy=policy.SMTPUTF8)
    assert isinstance(message, EmailMessage)
    return message


def text_of(octets: bytes) -> str:
    content = parts(octets)[0].get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def parts(octets: bytes) -> list[Any]:
    message = read(octets)
    assert message.defects == []
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    return list(message.iter_parts())


def blocks(octets: bytes) -> list[Any]:
    return list(parts(octets)[1].get_payload())


def test_the_head() -> None:
    message = read(written())
    assert message["From"] == "Mail delivery <MAILER-DAEMON@relay.example.com>"
    assert message["To"] == "ana@example.com"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == message["References"] == "<offer@example.com>"
    assert message["Date"] == "Mon, 24 Nov 2025 17:00:00 +0000"
    assert message["Message-ID"] == "<report.0000000000000007@relay.example.com>"


def test_a_person_reads_whom_and_why_first() -> None:
    text = text_of(written())
    assert text.startswith("This is the mail relay relay.example.com.\n\nYour message could not be")
    assert "  <eve@example.org>\n    The mail server mx.example.org said:\n" in text
    assert "      550 5.1.1 no eve here\n" in text


def test_a_program_reads_the_status() -> None:
    about = replace(ABOUT, parameters={b"ENVID": b"offer+2B7"})
    eve = replace(EVE, parameters={b"ORCPT": b"rfc822;Eve+40example.org"})
    of_message, of_eve = blocks(written((eve, GONE), about=about))
    assert of_message.items() == [
        ("Reporting-MTA", "dns; relay.example.com"),
        ("Original-Envelope-Id", "offer+7"),
        ("Arrival-Date", "Mon, 24 Nov 2025 16:00:00 +0000"),
    ]
    assert of_eve.items() == [
        ("Original-Recipient", "rfc822; Eve@example.org"),
        ("Final-Recipient", "rfc822; eve@example.org"),
        ("Action", "failed"),
        ("Status", "5.1.1"),
        ("Remote-MTA", "dns; mx.example.org"),
        ("Diagnostic-Code", "smtp; 550 5.1.1 no eve here"),
        ("Last-Attempt-Date", "Mon, 24 Nov 2025 17:00:00 +0000"),
    ]


@pytest.mark.parametrize(
    ("action", "outcome", "said", "status"),
    [
        ("failed", replace(GONE, enhanced=""), "failed", "5.0.0"),
        ("expired", BUSY, "failed", "4.4.7"),
        ("delayed", BUSY, "delayed", "4.2.1"),
        ("relayed", TOOK, "relayed", "2.0.0"),
        ("relayed", replace(TOOK, enhanced="2.6.0"), "relayed", "2.6.0"),
        ("delayed", replace(BUSY, enhanced=""), "delayed", "4.0.0"),
    ],
)
def test_action_and_status(action: Action, outcome: Any, said: str, status: str) -> None:
    _, of_eve = blocks(written((EVE, outcome), action=action))
    assert (of_eve["Action"], of_eve["Status"]) == (said, status)


def test_a_delay_says_until_when() -> None:
    octets = written((EVE, BUSY), action="delayed")
    assert blocks(octets)[1]["Will-Retry-Until"] == "Sat, 29 Nov 2025 16:00:00 +0000"
    assert "Sat, 29 Nov 2025 16:00:00 +0000" in text_of(octets)
    assert read(octets)["Subject"] == "Your message is delayed"


def test_what_went_on_is_no_promise() -> None:
    octets = written((EVE, TOOK), action="relayed")
    assert read(octets)["Subject"] == "Your message was passed on"
    assert "It may arrive" in text_of(octets)
    assert parts(octets)[2].get_content_type() == "text/rfc822-headers"


def test_the_expired_hear_how_long_it_was_tried() -> None:
    assert "could not be delivered in 5 days" in text_of(written(action="expired"))


def test_what_no_server_said_is_not_put_into_its_mouth() -> None:
    octets = written((EVE, replace(GONE, host="")))
    assert "Remote-MTA" not in blocks(octets)[1]
    assert "Diagnostic-Code" not in blocks(octets)[1]
    assert "The reason:\n      550 5.1.1 no eve here" in text_of(octets)


@pytest.mark.parametrize(
    ("parameters", "size", "action", "whole"),
    [
        ({}, 0, "failed", True),
        ({}, 0, "expired", True),
        ({}, 0, "delayed", False),
        ({}, MAX_UNASKED, "failed", False),
        ({b"RET": b"HDRS"}, 0, "failed", False),
        ({b"RET": b"full"}, MAX_UNASKED, "failed", True),
        ({b"RET": b"FULL"}, MAX_FULL, "failed", False),
    ],
)
def test_what_goes_back_of_the_message(
    parameters: Parameters, size: int, action: Action, whole: bool
) -> None:
    original = ORIGINAL + b"x" * size + b"\r\n"
    about = replace(ABOUT, parameters=parameters, original=original)
    last = parts(written(about=about, action=action))[2]
    if whole:
        assert last.get_content_type() == "message/rfc822"
        assert last.get_payload(0).as_bytes() == original
    else:
        assert last.get_content_type() == "text/rfc822-headers"
        assert last.get_content().encode() == HEAD


def test_what_cannot_be_restored_goes_back_as_its_header() -> None:
    last = parts(written(about=replace(ABOUT, original=None)))[2]
    assert last.get_content_type() == "text/rfc822-headers"


def test_addresses_beyond_ascii() -> None:
    """RFC 6533 §3."""
    recipient = Recipient("zo\u00eb@example.org".encode(), {})
    octets = written((recipient, GONE))
    _, status, last = parts(octets)
    assert status.get_content_type() == "message/global-delivery-status"
    assert last.get_content_type() == "message/global"
    assert b"Final-Recipient: utf-8; zo\xc3\xab@example.org" in octets
    plain = written()
    assert plain.isascii()
    assert b"global" not in plain


def test_what_encloses_octets_above_127_says_so() -> None:
    """RFC 2045 §6.4: else a server without 8BITMIME passes on what it takes for 7-bit."""
    eight = written(about=replace(ABOUT, original=HEAD + "Gr\u00fc\u00dfe\r\n".encode()))
    outer, original = read(eight), parts(eight)[2]
    assert (outer["Content-Transfer-Encoding"], original["Content-Transfer-Encoding"]) == (
        "8bit",
        "8bit",
    )
    seven = written()
    assert b"Content-Transfer-Encoding" not in seven


def test_a_boundary_is_in_no_part() -> None:
    original = HEAD + b"--report-0000000000000007\r\n"
    octets = written(about=replace(ABOUT, original=original))
    assert parts(octets)[2].get_payload(0).as_bytes() == original
    assert len(parts(octets)) == 3


@pytest.mark.parametrize("head", [b"\r\n", b"Message-ID: <a@b>\r\n <c@d>\r\n\r\n", b""])
def test_a_message_id_that_is_none_is_not_answered(head: bytes) -> None:
    assert read(written(about=replace(ABOUT, head=head)))["In-Reply-To"] is None


@pytest.mark.parametrize(
    ("notify", "wanted"),
    [
        (None, {"failed", "expired"}),
        (b"NEVER", set()),
        (b"SUCCESS", {"relayed"}),
        (b"failure", {"failed", "expired"}),
        (b"SUCCESS,DELAY", {"relayed", "delayed"}),
        (b"FAILURE,Delay", {"failed", "expired", "delayed"}),
    ],
)
def test_who_wants_to_hear_it(notify: bytes | None, wanted: set[str]) -> None:
    parameters = {} if notify is None else {b"NOTIFY": notify}
    assert {action for action in ACTIONS if wants(Recipient(b"a@b", parameters), action)} == wanted


ADDRESSES = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="<>"), min_size=1, max_size=30
).map(lambda local: f"{local}@example.org".encode())
ODD = st.binary(max_size=60)


@given(st.lists(st.tuples(ADDRESSES, ODD, ODD), min_size=1, max_size=4), ODD, ODD, ODD, st.data())
def test_nothing_breaks_a_report(
    odd: list[tuple[bytes, bytes, bytes]], envid: bytes, head: bytes, text: bytes, data: Any
) -> None:
    """Whatever stands in words, parameters and headers: three parts, a block a recipient."""
    action = data.draw(st.sampled_from(ACTIONS))
    fates = [
        (Recipient(address, {b"ORCPT": b"rfc822;" + orcpt}), replace(GONE, text=words))
        for address, orcpt, words in odd
    ]
    clean = head.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n\r\n"
    body = text.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"
    about = replace(ABOUT, parameters={b"ENVID": envid}, head=clean, original=clean + body)
    octets = written(*fates, about=about, action=action)
    assert b"\r" not in octets.replace(b"\r\n", b"")
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert b"\0" not in octets.split(b"message/")[0]
    message = message_from_bytes(octets, policy=policy.compat32)
    first, status, last = message.get_payload()
    assert "Your message" in first.get_payload()
    if all(address.isascii() for address, _, _ in odd):  # the library knows no global status
        assert len(status.get_payload()) == 1 + len(odd)
    second = octets.split(b"--report-0000000000000007")[2]
    assert second.count(b"\r\nFinal-Recipient: ") == len(odd)
    assert last.get_content_type().startswith(("message/", "text/rfc822-headers"))
