"""Mail that is not tracked is read no further only where it surely quotes nothing of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mails import OWN_HOST, encode, mail, multipart

from relay.quotes import may_quote

URL = f"https://{OWN_HOST}/c/token"
HTML = f'<p>Gr\u00fc\u00dfe <a href="{URL}">x</a></p>'


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "quoted-printable", "base64", "BASE64"])
@pytest.mark.parametrize("html", [HTML, HTML.replace(OWN_HOST, "T.Example.COM"), "x" * 70 + HTML])
def test_what_holds_the_host_is_read(encoding: str, html: str) -> None:
    raw = mail(html, encoding)
    if encoding == "BASE64":
        raw = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + encode(html.encode(), "base64")
    assert may_quote(raw, OWN_HOST)
    assert may_quote(multipart(mail("<p>new</p>"), raw), OWN_HOST)


@given(st.lists(st.sampled_from(["plain", "escape", "upper", "break", "lone break"]), min_size=13))
def test_no_spelling_in_quoted_printable_hides_it(ways: list[str]) -> None:
    """RFC 2045 lets any octet be escaped, and a line be broken anywhere."""
    spell = {
        "plain": lambda c: c,
        "escape": lambda c: f"={ord(c):02x}",
        "upper": lambda c: f"={ord(c.upper()):02X}",
        "break": lambda c: f"=\r\n{c}",
        "lone break": lambda c: f"= \t\n{c}",
    }
    hidden = "".join(spell[way](c) for way, c in zip(ways, OWN_HOST, strict=False))
    head = mail("", "Quoted-Printable")
    assert may_quote(head + f'<a href=3D"https://{hidden}/c/x">'.encode(), OWN_HOST)


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "quoted-printable"])
def test_what_does_not_is_left(encoding: str) -> None:
    assert not may_quote(mail(HTML.replace(OWN_HOST, "t.example.org"), encoding), OWN_HOST)


@given(st.binary(), st.booleans())
def test_anything_may_be_asked_of(content: bytes, quoted: bool) -> None:
    may_quote(b"quoted-printable\r\n" * quoted + content, OWN_HOST)
