"""Reports to senders, ready to leave: made of real mail that the relay has rewritten."""

from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from custodies import EVE, outgoing
from mails import encode
from relays import PUBLIC_URL, TOKENS

from relay.content import Content
from relay.drafts import Drafts
from relay.envelope import Outgoing, Recipient, Refused
from relay.policy import PlannedCopy
from relay.reports import Reports
from relay.rewriting import Rewriting
from relay.signing import Signing

GONE = Refused(recipient=EVE, code=550, enhanced="5.1.1", text=b"no eve", ordinal=2)
HEAD = (
    b"From: ana@example.com\r\nSubject: offer\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: "
)
BODY = b'<p>Dear Eve, <a href="https://example.com/offer?a=1">here it is</a></p>\r\n'
HTML = HEAD + b"8bit\r\n\r\n" + BODY


def rewriting(folder: Path, **options: Any) -> Rewriting:
    return Rewriting(
        tokens=TOKENS, public_url=PUBLIC_URL, drafts=Drafts(folder, floor=0), **options
    )


def reports(folder: Path, **options: Any) -> Reports:
    return Reports(
        rewriting=rewriting(folder, **options),
        signing=Signing(),
        hostname="relay.example.com",
        lifetime=432_000,
        now_ms=lambda: 1_764_003_600_000,
        random_bits=lambda bits: 5,
    )


def mail(content: Content, **changes: Any) -> Outgoing:
    made = outgoing(1, b"bob@example.org", EVE)
    [copy] = made.copies
    return replace(made, copies=(replace(copy, content=content),), **changes)


@pytest.mark.parametrize("detrack_quotes", [True, False])
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
async def test_the_original_goes_back_without_what_is_ours(
    tmp_path: Path, encoding: str, detrack_quotes: bool
) -> None:
    """Whoever reads the report neither opens nor clicks the mail."""
    message = HEAD + encoding.encode() + b"\r\n\r\n" + encode(BODY, encoding)
    original = Content.of(message)
    planned = PlannedCopy(recipients=(), opens=True, clicks=True, reason=None)
    made = await rewriting(tmp_path).copies(original, [planned], 1)
    tracked = made.contents[0]
    assert len(made.links) == 1
    assert made.pixel
    report = await reports(tmp_path, detrack_quotes=detrack_quotes).about(
        mail(tracked), [GONE], "failed"
    )
    assert report
    octets = report.copies[0].content.read()
    back = list(message_from_bytes(octets, policy=policy.SMTP).iter_parts())[2].get_payload(0)
    assert b"t.example" not in back.get_payload(decode=True)
    assert back.get_payload(decode=True).rstrip() == BODY.rstrip()
    if encoding == "8bit":
        assert message in octets


async def test_it_comes_from_nobody_and_is_not_tracked(tmp_path: Path) -> None:
    told = await reports(tmp_path).about(mail(Content.of(HTML)), [GONE], "failed")
    assert told
    assert (told.mail_from, told.route, told.tracked) == (b"", b"ana@example.com", False)
    [copy] = told.copies
    assert copy.mail_from == b""
    assert copy.recipients == (Recipient(b"ana@example.com", {b"NOTIFY": b"NEVER"}),)
    assert told.parameters == {}
    assert told.received_at_ms == 1_764_003_600_000
    assert told.id != 1


async def test_a_report_is_made_of_no_report(tmp_path: Path) -> None:
    assert (
        await reports(tmp_path).about(mail(Content.of(HTML), mail_from=b""), [GONE], "failed")
        is None
    )


async def test_it_tells_of_those_alone_who_want_it(tmp_path: Path) -> None:
    made = mail(Content.of(HTML))
    [copy] = made.copies
    quiet = tuple(replace(each, parameters={b"NOTIFY": b"NEVER"}) for each in copy.recipients)
    made = replace(made, copies=(replace(copy, recipients=quiet),))
    assert await reports(tmp_path).about(made, [GONE], "failed") is None


async def test_utf8_asks_for_smtputf8(tmp_path: Path) -> None:
    sender = "zo\u00eb@example.com".encode()
    told = await reports(tmp_path).about(mail(Content.of(HTML), mail_from=sender), [GONE], "failed")
    assert told
    assert told.parameters == {b"SMTPUTF8": None}
    assert b"To: <zo\xc3\xab@example.com>" in told.copies[0].content.head


async def test_a_fault_in_restoring_sends_the_header_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr("relay.rewriting.plan", broken)
    told = await reports(tmp_path).about(mail(Content.of(HTML)), [GONE], "failed")
    assert told
    assert b"text/rfc822-headers" in told.copies[0].content.read()
