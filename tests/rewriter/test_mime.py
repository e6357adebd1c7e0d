"""The structure of messages: what is never modified, and what is odd (rows 59 to 65, §3)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mails import BOTH, Mint, mail, multipart, reason_of, rules_of

from rewriter import Rewritten, rewrite
from rewriter.contract import Doubt
from rewriter.mime import MAX_DEPTH, Structure, read_structure

HTML = b'Content-Type: text/html; charset=utf-8\r\n\r\n<a href="http://e.com/">x</a>'
TEXT = b"Content-Type: text/plain\r\n\r\nhello"
LINK = b'<a href="http://e.com/">x</a>'


def reason(raw: bytes) -> str:
    return reason_of(rewrite(raw, tracking=BOTH, links=Mint()))


def rules(raw: bytes) -> list[str]:
    return rules_of(rewrite(raw, tracking=BOTH, links=Mint()))


def links(raw: bytes) -> int:
    result = rewrite(raw, tracking=BOTH, links=Mint())
    return len(result.links) if isinstance(result, Rewritten) else 0


@pytest.mark.parametrize(
    ("header", "count"), [(b"DKIM-Signature: v=1\r\n", 1), (b"ARC-Seal: i=1\r\n", 0)]
)
def test_a_dkim_signature_seals_nothing_that_is_signed_anew(header: bytes, count: int) -> None:
    result = rewrite(header + mail(LINK), tracking=replace(BOTH, resigned=True), links=Mint())
    assert (len(result.links) if isinstance(result, Rewritten) else 0) == count


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param(multipart(HTML, TEXT, subtype="signed"), "signed", id="signed"),
        pytest.param(multipart(HTML, TEXT, subtype="encrypted"), "encrypted", id="encrypted"),
        pytest.param(multipart(HTML, TEXT, subtype="report"), "a delivery report", id="report"),
        pytest.param(multipart(HTML, subtype="digest"), "a digest", id="digest"),
        pytest.param(
            b"Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\nMII", "S/MIME", id="smime"
        ),
        pytest.param(
            b"Content-Type: application/x-pkcs7-mime\r\n\r\nMII", "S/MIME", id="old smime"
        ),
        pytest.param(
            b"Content-Type: message/rfc822\r\n\r\n" + mail(LINK), "an attached message", id="rfc822"
        ),
        pytest.param(
            b"DKIM-Signature: v=1\r\n" + mail(LINK), "carries a DKIM signature", id="dkim"
        ),
        pytest.param(b"ARC-Seal: i=1\r\n" + mail(LINK), "carries an ARC set", id="arc"),
        pytest.param(
            multipart(HTML, extra="; protected-headers=v1"),
            "protected headers (RFC 9788)",
            id="protected",
        ),
        pytest.param(
            multipart(HTML.replace(b"utf-8", b"utf-8; hp=clear")),
            "protected headers (RFC 9788)",
            id="hp",
        ),
        pytest.param(
            multipart(b"\r\n-----BEGIN PGP MESSAGE-----\r\n", HTML), "inline PGP", id="pgp text"
        ),
        pytest.param(b"Subject: x\r\n\r\nhello http://e.com/", "no HTML part", id="text only"),
        pytest.param(b"Content-Type: text/calendar\r\n\r\nBEGIN", "no HTML part", id="calendar"),
        pytest.param(b"Content-Type: text/x-amp-html\r\n\r\n" + LINK, "no HTML part", id="amp"),
        pytest.param(b"", "no blank line after the header", id="empty"),
        pytest.param(b"Content-Type: text/html", "no blank line after the header", id="cut"),
        pytest.param(b"not a header\r\n\r\n" + LINK, "malformed header", id="no header"),
        pytest.param(b"Content-Type: text/html\rX: y\r\n\r\n" + LINK, "malformed header", id="CR"),
        pytest.param(
            b"Content-Type: text/plain\r\n" + mail(LINK), "two content-type fields", id="two types"
        ),
        pytest.param(
            b"Content-Type: text/html; charset=a; charset=b\r\n\r\n" + LINK,
            "a Content-Type parameter given twice",
            id="two charsets",
        ),
        pytest.param(
            b"Content-Type: multipart/mixed\r\n\r\n" + LINK,
            "multipart without a boundary",
            id="none",
        ),
        pytest.param(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + HTML,
            "multipart without its end",
            id="endless",
        ),
        pytest.param(
            b"Content-Transfer-Encoding: base64\r\n" + multipart(HTML),
            "encoded multipart",
            id="enc",
        ),
    ],
)
def test_messages_left_alone(raw: bytes, why: str) -> None:
    assert reason(raw) == why


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        pytest.param(b"Content-Disposition: attachment\r\n" + HTML, "attachment", id="attachment"),
        pytest.param(
            b"Content-Disposition: inline; filename=x\r\n" + HTML, "attachment", id="file"
        ),
        pytest.param(b"Content-Disposition: odd\r\n" + HTML, "attachment", id="unknown"),
        pytest.param(HTML.replace(b"utf-8", b"utf-8; name=a.html"), "attachment", id="named"),
        pytest.param(
            b"Content-Type: message/rfc822\r\n\r\n" + mail(LINK), "an attached message", id="rfc822"
        ),
        pytest.param(multipart(HTML, TEXT, TEXT, subtype="signed"), "signed", id="signed"),
        pytest.param(b"Content-Type: text/html" + LINK, "no blank line after the header", id="cut"),
        pytest.param(
            b"Content-Transfer-Encoding: x-uue\r\n" + HTML, "unknown transfer encoding", id="uue"
        ),
        pytest.param(
            b"Content-Transfer-Encoding: base64\r\n" + HTML, "malformed base64", id="base64"
        ),
        pytest.param(HTML.replace(b"utf-8", b"utf-7"), "charset", id="charset"),
    ],
)
def test_parts_left_alone_beside_one_that_is_not(part: bytes, rule: str) -> None:
    raw = multipart(part, HTML)
    result = rewrite(raw, tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    assert len(result.links) == 1
    assert rules_of(result) == [rule]
    assert part in result.message


def test_of_related_only_the_root_is_read() -> None:
    image = b"Content-Type: text/html\r\nContent-ID: <2@x>\r\n\r\n" + LINK * 3
    assert links(multipart(HTML, image, subtype="related")) == 1
    assert links(multipart(HTML, image, subtype="related", extra='; start="<2@x>"')) == 3
    missing = multipart(HTML, image, subtype="related", extra='; start="<3@x>"')
    assert reason(missing) == "multipart/related without its root"


def test_nested_parts_are_numbered_as_in_imap() -> None:
    inner = multipart(TEXT, b"Content-Type: text/html\r\n\r\n" + LINK, subtype="alternative")
    structure = read_structure(multipart(TEXT, inner, TEXT))
    assert [part.number for part in structure.parts] == ["1", "2.1", "2.2", "3"]


def test_an_outer_boundary_ends_an_inner_part() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n"
        b"Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n"
        + HTML
        + b"\r\n--outer--"
        b"\r\n--out \t\r\n" + HTML + b"\r\n--out--\r\nepilogue --out\r\n"
    )
    assert links(raw) == 2


def nested(levels: int) -> bytes:
    raw = HTML
    for level in range(levels):
        head = b'Content-Type: multipart/mixed; boundary="=%d="\r\n\r\n' % level
        raw = head + b"--=%d=\r\n%b\r\n--=%d=--\r\n" % (level, raw, level)
    return raw


def test_depth_is_bounded() -> None:
    assert links(nested(MAX_DEPTH)) == 1
    assert reason(nested(MAX_DEPTH + 1)) == "nested too deep"
    assert reason(nested(500)) == "nested too deep"


def test_a_line_that_only_begins_like_a_delimiter_is_text() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + HTML
    assert links(raw + b"\r\n--bc\r\n --b\r\n--b-\r\n" + LINK + b"\r\n--b--") == 2


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_both_line_ends_are_read_and_kept(newline: bytes) -> None:
    raw = multipart(TEXT, HTML, subtype="alternative").replace(b"\r\n", newline)
    result = rewrite(raw, tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    assert (b"\r\n" in result.message) is (newline == b"\r\n")


@pytest.mark.parametrize(
    "content_type",
    [
        'text/html; charset="utf-8"; format=flowed',
        "TEXT/HTML ; CHARSET=utf-8 ;",
        "text/html;charset*=us-ascii'en'utf-8",
        "text/html;\r\n\tcharset=utf-8",
    ],
)
def test_spellings_of_a_content_type(content_type: str) -> None:
    raw = f"Content-Type: {content_type}\r\n\r\n".encode() + LINK
    (part,) = read_structure(raw).parts
    assert (part.media_type, part.charset) == ("text/html", "utf-8")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_doubted(raw: bytes) -> None:
    with suppress(Doubt):
        assert isinstance(read_structure(raw), Structure)


def test_a_parameter_numbered_beyond_all_measure_is_malformed() -> None:
    raw = b"Content-Type: text/html; a*" + b"9" * 5_000 + b"=x\r\n\r\n" + LINK
    assert reason(raw) == "malformed header"


@pytest.mark.parametrize("told", [b"\x1c8bit", b"8bit\xa0", b"\x85base64"])
def test_an_encoding_with_odd_white_space_is_unknown_row_69(told: bytes) -> None:
    raw = b"Content-Type: text/html\r\nContent-Transfer-Encoding: " + told + b"\r\n\r\n" + LINK
    assert rules(raw) == ["unknown transfer encoding"]


@pytest.mark.parametrize(
    "delimiter", [b"\r\n--b\r", b"\r\n--b \r", b"\r\n--b--\r", b"\r--b\r\n", b"x\r--b--\r\n"]
)
def test_a_delimiter_at_a_bare_cr_is_doubtful(delimiter: bytes) -> None:
    """Some readers take it for a line's end, and what follows for another part."""
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    assert reason(head + HTML + delimiter + HTML + b"\r\n--b--\r\n") == "a bare CR at a delimiter"


def test_a_part_with_a_checksum_is_left_alone() -> None:
    md5 = b"Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n" + HTML
    assert rules(multipart(md5, HTML)) == ["carries a checksum"]
    assert links(multipart(md5, HTML)) == 1
