"""Properties of the whole rewriter: tests/invariants.py, asked of mail of every kind.

Arbitrary bytes, arbitrary HTML, messages grown from a grammar that knows where mail is odd, and
our own golden mails with pieces put in, taken out and doubled.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import FOOTER, check
from mails import BOTH, OWN_HOST, encode, mail

from rewriter import Tracking

CORPUS = [path.read_bytes() for path in sorted(Path(__file__).parents[1].glob("corpus/*.eml"))]
ENCODINGS = ("7bit", "8bit", "binary", "quoted-printable", "base64")


def mostly(usual: object, *others: object) -> st.SearchStrategy[object]:
    """The usual three times out of four."""
    return st.sampled_from([usual] * 3 * len(others) + [*others])


TRACKINGS = st.builds(
    Tracking,
    opens=mostly(True, False),
    clicks=mostly(True, False),
    own_hosts=st.just(BOTH.own_hosts),
    max_html=mostly(2_000_000, 200),
    text_links=st.booleans(),
    wrap_url_text=st.booleans(),
    footer=st.sampled_from(["", FOOTER]),
)

LINKS = [
    '<a href="http://e.com/">x</a>',
    "<a href='https://e.org/?a=1&amp;b=2&region=3'>y</a>",
    "<a href=http://e.com/u/>z</a>",
    '<a\r\nclass="b"\thref = "http://e.com/n"\r\n title=\'t\'>',
    '<a title="x"href="http://e.com/glued"id=y>',
    '<a href="http://bücher.example/ä b">x</a>',
    '<a href="http://e.com/">e.com</a>',
    '<a href="https+notrack://e.com/">x</a>',
    '<a data-no-track href="http://e.com/">x</a>',
    f'<a href="https://{OWN_HOST}/c/old">x</a>',
    '<area href="http://e.com/area">',
    '<a href="mailto:a@e.com">',
    "<!--[if mso]><v:rect href='http://e.com/v'/><a href=http://e.com/m>x</a><![endif]-->",
    "<!--[if !mso]><!--><a href='http://e.com/'><!--<![endif]-->",
    "http://e.com/plain, (https://e.org/a_(b))",
]
PROSE = [
    "</a>",
    "<p>text</p>",
    "<table><tr><td>",
    "<body class=x>",
    "</body>",
    "</html>",
    "<!-- x -->",
    "<style>a{}</style>",
    "=3D",
    "é",
    "漢字",
    "x" * 80,
    "word " * 200,
    " \r\n",
    "\r\n",
]
# What swallows the rest, or hides a tag.
TRAPS = [
    "<!--",
    "-->",
    "<style>",
    "</style>",
    "<script>",
    "</script>",
    "<title>",
    "</title>",
    "<textarea>",
    "<plaintext>",
    "<frameset>",
    "<svg>",
    "<![CDATA[",
    f'<img src="https://{OWN_HOST}/o/old" width=1>',
    '\x1b$B$"\x1b(B',
    "\x1b$B",
    "-----BEGIN PGP MESSAGE-----\r\n",
    *"=\"'<>&\n\r\t\0",
]
PIECES = st.one_of(*[st.sampled_from(LINKS), st.sampled_from(PROSE)] * 4, st.sampled_from(TRAPS))
HTML = st.lists(PIECES | st.text(max_size=9), min_size=1, max_size=25).map("".join)

TYPES = ["TEXT/HTML", "text/plain", "text/calendar", "image/png", "message/rfc822"]
CHARSETS = ["us-ascii", "iso-2022-jp", "shift_jis", "windows-1252", "utf-7"]
FIELDS = [
    "Subject: x\r\n",
    "Content-Disposition: inline\r\n",
    "Content-ID: <1@e.com>\r\n",
    "List-Unsubscribe: <http://e.com/>\r\n",
    "X-Folded: one\r\n two\r\n",
    "Content-Disposition: attachment\r\n",
    "Content-Type: text/plain\r\n",
    "DKIM-Signature: v=1\r\n",
    "From somebody\r\n",
    "odd line\r\n",
]


@st.composite
def leaves(draw: st.DrawFn) -> bytes:
    """A part with its header; what it says of itself is mostly true."""
    encoding, charset = draw(st.sampled_from(ENCODINGS)), draw(mostly("utf-8", *CHARSETS))
    body = encode(draw(HTML).encode(charset, "replace"), encoding)
    kind, charset = draw(mostly("text/html", *TYPES)), draw(mostly(charset, "x-unknown"))
    told = draw(mostly(encoding, encoding.upper(), "7bit", "base64", "x-odd"))
    odd = draw(mostly("", *FIELDS))
    head = f"Content-Type: {kind}; charset={charset}\r\nContent-Transfer-Encoding: {told}\r\n"
    return f"{odd}{head}\r\n".encode() + body


@st.composite
def multiparts(draw: st.DrawFn, parts: st.SearchStrategy[bytes]) -> bytes:
    """Parts between delimiters that may look alike, now and then without the last one."""
    boundary = draw(st.sampled_from(["a", "b", "bb", "c d", "=_x'()+_,-./:=?"]))
    subtype = draw(mostly("mixed", "alternative", "related", "signed", "digest"))
    delimiter = f"--{boundary}".encode()
    bodies = draw(st.lists(parts, min_size=1, max_size=3))
    pieces = [delimiter + b"\r\n" + body + b"\r\n" for body in bodies]
    end = draw(mostly(b"--\r\n", b"-- \r\n", b"--", b"--\r\nepilogue\r\n", b"\r\n"))
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode()
    preamble = draw(mostly(b"", b"\r\n", b"a preamble\r\n"))
    return head + preamble + b"".join(pieces) + delimiter + end


MESSAGES = st.recursive(leaves(), multiparts, max_leaves=6)


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A golden mail after some accidents."""
    raw = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(1, 5))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 60))
        kind = draw(st.sampled_from(["insert", "delete", "double", "newline"]))
        if kind == "insert":
            new = draw(PIECES.map(str.encode) | st.binary(max_size=8))
            raw = raw[:at] + new + raw[at:]
        elif kind == "delete":
            raw = raw[:at] + raw[at + length :]
        elif kind == "double":
            raw = raw[: at + length] + raw[at:]
        else:
            raw = raw[:at] + raw[at:].replace(b"\r\n", b"\n")
    return raw


# A property is true or not, however busy the machine is.
patient = settings(deadline=None)


@patient
@given(raw=st.binary(max_size=500), tracking=TRACKINGS)
def test_any_bytes(raw: bytes, tracking: Tracking) -> None:
    check(raw, tracking)


@pytest.mark.parametrize("encoding", ENCODINGS)
@patient
@given(html=HTML, tracking=TRACKINGS)
def test_any_html(encoding: str, html: str, tracking: Tracking) -> None:
    check(mail(html, encoding), tracking)


@patient
@given(raw=MESSAGES, newline=st.sampled_from([b"\r\n", b"\n"]), tracking=TRACKINGS)
def test_any_message(raw: bytes, newline: bytes, tracking: Tracking) -> None:
    check(raw.replace(b"\r\n", newline), tracking)


@patient
@given(raw=mutants(), tracking=TRACKINGS)
def test_any_accident(raw: bytes, tracking: Tracking) -> None:
    check(raw, tracking)


@pytest.mark.parametrize("raw", CORPUS)
def test_the_golden_mails(raw: bytes) -> None:
    """Also shows that the invariants let what is right pass."""
    check(raw, BOTH)
