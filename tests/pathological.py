"""Input that costs other parsers quadratic time, or all of memory: REWRITING's fifth section.

Each kind grows with `times`, so that a bench can tell whether the time grows with it; 1 is the
size that tests ask for. tests/rewriter/test_pathological.py says what must become of each.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

LINK = b'<a href="http://e.com/">x</a>'
LONG_LINK = b'<a href="http://e.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">x</a>'
HEAD = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n"


def html(body: bytes, encoding: bytes = b"8bit") -> bytes:
    return HEAD % encoding + body


def quoted(body: bytes) -> bytes:
    return html(re.sub(rb"\r?\n", b"\r\n", binascii.b2a_qp(body)), b"quoted-printable")


def nested(depth: int) -> bytes:
    heads = [
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    ]
    return (
        b"".join(heads)
        + html(LINK)
        + b"".join(b"\r\n--b%d--\r\n" % n for n in reversed(range(depth)))
    )


KINDS: dict[str, Callable[[int], bytes]] = {
    "<a": lambda times: html(b"<a " * 20_000 * times),
    "<!--": lambda times: html(b"<!--" * 20_000 * times),
    "<a href= unclosed": lambda times: html(b'<a href="' * 20_000 * times),
    "<": lambda times: html(b"<" * 50_000 * times),
    "&amp; in one href": lambda times: html(
        b'<a href="http://e.com/?' + b"&amp;" * 200_000 * times + b'">x</a>' + LINK
    ),
    "attributes": lambda times: html(
        b"<a " + b" ".join(b"a%d=b" % n for n in range(50_000 * times)) + b">" + LINK
    ),
    "<!--[if mso]>": lambda times: html(b"<!--[if mso]>" * 3_000 * times),
    "<!--[if mso]> closed": lambda times: html(
        (b"<!--[if mso]>" + LINK + b"<![endif]-->") * 3_000 * times
    ),
    "parts": lambda times: (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: text/html\r\n\r\n%b\r\n" % LINK * 10_000 * times
        + b"--b--\r\n"
    ),
    "nested multiparts": lambda times: nested(500 * times),
    "nested <div>": lambda times: html(b"<div>" * 100_000 * times + LINK),
    "5 MB quoted-printable": lambda times: quoted(
        b"hello = world, it was a quiet week in the workshop\r\n" * 94_000 * times + LINK
    ),
    "70,000 links in 5 MB": lambda times: html((LONG_LINK + b"\r\n") * 70_000 * times),
    "links on one line": lambda times: html(LONG_LINK * 10_000 * times),
    "links on one line, quoted-printable": lambda times: quoted(LONG_LINK * 10_000 * times),
    "white space": lambda times: html(b"<p>" + b" " * 1_000_000 * times + b"x" + LINK),
    "<p a='": lambda times: html(b"<p a='" * 20_000 * times + b">"),
    "<img": lambda times: html(b"<img " * 20_000 * times + b"t.example.com"),
    "<script>": lambda times: html(b"<script>" * 20_000 * times),
    "</titl": lambda times: html(b"<title></titl" * 20_000 * times),
    "ESC $ B": lambda times: html(b"\x1b$B" * 50_000 * times + b"\x1b(B" + LINK),
    "%a in one href": lambda times: html(
        b'<a href="http://e.com/' + b"%a" * 50_000 * times + b'">x</a>' + LINK
    ),
    "long header": lambda times: b"Subject: " + b"x " * 500_000 * times + b"\r\n" + html(LINK),
    "parameters": lambda times: (
        b"Content-Type: text/html" + b" ; a=b" * 1_000 * times + b"\r\n\r\n" + LINK
    ),
    "white space in a header": lambda times: (
        b"Content-Type: text/html;" + b" " * 50_000 * times + b"x\r\n\r\n" + LINK
    ),
    "< in List-Unsubscribe": lambda times: (
        b"List-Unsubscribe: " + b"<" * 100_000 * times + b"\r\n" + html(LINK)
    ),
}
