"""The first words of a message: few, cheap, never in halves, the same as a parser would read."""

from base64 import b64encode
from quopri import encodestring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mails import mail

from rewriter import Tracking, plan, read_beginning, read_snippet
from rewriter.beginning import LENGTH
from rewriter.contract import Part
from rewriter.span import Span

BOTH = Tracking(opens=True, clicks=True)


def beginning(raw: bytes, length: int = LENGTH) -> str:
    """As the relay comes to it."""
    return read_beginning(raw, plan(raw, tracking=BOTH).parts, length)


def text(body: str, encoding: str = "8bit", charset: str | None = "utf-8") -> bytes:
    octets = body.encode(charset or "utf-8")
    coded = {"base64": b64encode, "quoted-printable": encodestring}.get(encoding, bytes)(octets)
    declared = f"; charset={charset}" if charset else ""
    head = f"Content-Type: text/plain{declared}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + coded.replace(b"\n", b"\r\n")


def both(plain: str, html: str) -> bytes:
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + plain.encode(),
        b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode(),
    ]
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n' + body


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>Dear Bo,</p>\n<p>the <b>pl</b>ans</p>", "Dear Bo, the plans"),
        ("<head><title>No</title><style>p{}</style></head><body><p>Yes", "Yes"),
        ("<html><head><meta><STYLE>p > a {}</STYLE></head>\n<BODY class=x>Yes</BODY>", "Yes"),
        ("<style>a{}", ""),
        ("a <!-- <b>hidden</b> --> b<script>if (a < b)</script> c", "a b c"),
        ("1 < 2 &amp; 3 &gt; 2", "1 < 2 & 3 > 2"),
        ("Hello&#847;&zwnj;&nbsp;&#8203;<br>you", "Hello you"),
        ("<table><tr><td>one<td>two</table>", "one two"),
        ("<abbr>A</abbr><article>B</article>", "A B"),
        ("<p>", ""),
        ("<img alt=x>", ""),
        ("", ""),
        ("ends in a tag <a href=", "ends in a tag"),
    ],
)
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_of_html(html: str, words: str, encoding: str) -> None:
    assert beginning(mail(html, encoding)) == words


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_of_plain_text(encoding: str) -> None:
    assert beginning(text("Grüße,\n\n  Ben & <Co>", encoding)) == "Grüße, Ben & <Co>"


def test_addresses_of_pages_are_no_words() -> None:
    assert beginning(text("View it: <https://e.com/?a=1>\nHello")) == "View it: Hello"


@pytest.mark.parametrize(
    ("charset", "octets"),
    [("iso-8859-1", b"caf\xe9"), (None, b"caf\xe9"), (None, "café".encode()), ("x-no", b"caf")],
)
def test_charsets(charset: str | None, octets: bytes) -> None:
    assert beginning(mail(b"<p>" + octets, charset=charset)) == octets.decode(
        "utf-8" if octets.isascii() or octets[-1] == 0xA9 else "latin-1"
    )


def test_the_first_part_with_text_counts() -> None:
    assert beginning(both("Plain words", "<p>Others")) == "Plain words"
    assert beginning(both(" \r\n", "<p>Others")) == "Others"


def test_a_long_way_to_the_words() -> None:
    filler = '<td style="padding:0">' * 300
    assert beginning(mail(filler + "Hello")) == "Hello"
    styled = "<head><style>" + "a{} " * 5_000 + "</style></head><body>Hello"
    for encoding in ("8bit", "quoted-printable", "base64"):
        assert beginning(mail(styled, encoding)) == "Hello"
    assert beginning(mail("<td>" * 10_000 + "Hello")) == ""


def test_no_word_is_cut() -> None:
    address = "bob@example.org"
    for before in range(LENGTH - 20, LENGTH + 5):
        found = beginning(text("word " * (before // 5) + "x" * (before % 5) + f" {address} and on"))
        assert len(found) <= LENGTH
        assert found.endswith(("word", "x", "xx", "xxx", "xxxx", address, "and", "on"))
    # Nor where what is looked at ends.
    for size in range(1_480, 1_500):
        html = f"<p>{'short ' * 8}</p><!--{'-' * (size - 80)}-->{address}"
        assert beginning(mail(html)).replace("short", "").strip() in ("", address)


def test_languages_without_spaces() -> None:
    assert beginning(text("日本語" * 100)) == ("日本語" * 100)[:LENGTH]
    assert beginning(text("日本語" * 45 + "bob@example.org")) == "日本語" * 45
    assert beginning(text("語" * 5_000, charset=None)) == "語" * LENGTH


def test_what_was_not_read_has_no_words() -> None:
    signed = b"DKIM-Signature: v=1\r\n" + text("Hello")
    assert beginning(signed) == ""
    attached = b"Content-Disposition: attachment\r\n" + text("Hello")
    assert beginning(attached) == ""


@given(st.text(alphabet=st.sampled_from("<>/!-&;abp =\"'\n é日"), max_size=300))
def test_any_html_gives_one_short_line(html: str) -> None:
    found = beginning(mail(html))
    assert found == " ".join(found.split())
    assert len(found) <= LENGTH


@given(st.lists(st.sampled_from(["<p>", "<div>", "<b>", "</b>", "word", " ", "<br>", "é"])))
def test_the_words_are_those_that_a_parser_reads(pieces: list[str]) -> None:
    html = "<p>x</p>" + "".join(pieces)
    assert beginning(mail(html), 100_000) == read_snippet(html, 100_000)


@given(st.binary(max_size=400), st.sampled_from(["8bit", "quoted-printable", "base64", "x-odd"]))
def test_any_octets_fail_nowhere(octets: bytes, encoding: str) -> None:
    for kind in ("text/plain", "text/html"):
        part = Part("1", kind, None, encoding, Span(0, len(octets)), b"\n")
        assert len(read_beginning(octets, [part])) <= LENGTH
