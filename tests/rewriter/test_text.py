"""URLs in plain text: rows 80 and 81, and our own old ones in quotes (row 78)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mails import BOTH, OWN_HOST, Mint, encode, reason_of, rules_of

from rewriter import Restored, Rewritten, Tracking, rewrite

TEXT_LINKS = replace(BOTH, text_links=True)
HEAD = b"Content-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: "


def mail(text: str, encoding: str = "8bit") -> bytes:
    return HEAD + encoding.encode() + b"\r\n\r\n" + encode(text.encode(), encoding)


def targets(text: str, encoding: str = "8bit") -> list[str]:
    result = rewrite(mail(text, encoding), tracking=TEXT_LINKS, links=Mint())
    return [link.target.decode() for link in getattr(result, "links", ())]


def test_text_only_mail_is_left_alone_by_default_row_80() -> None:
    assert reason_of(rewrite(mail("http://e.com/"), tracking=BOTH, links=Mint())) == "no HTML part"


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_with_the_option_only_the_url_changes_row_81(encoding: str) -> None:
    raw = mail("See http://e.com/a?x=1&y=2, \r\nor not. \r\n-- \r\nAna\r\n", encoding)
    result = rewrite(raw, tracking=TEXT_LINKS, links=Mint())
    assert isinstance(result, Rewritten)
    assert [link.target for link in result.links] == [b"http://e.com/a?x=1&y=2"]
    assert (result.pixel, result.links[0].label) == (None, "http://e.com/a?x=1&y=2")
    if encoding == "8bit":
        url = f"https://{OWN_HOST}/c/0-{Mint().tail}".encode()
        assert result.message == raw.replace(b"http://e.com/a?x=1&y=2", url)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://e.com/.", ["http://e.com/"]),
        ("(http://e.com/)", ["http://e.com/"]),
        ("http://e.com/a_(b)", ["http://e.com/a_(b)"]),
        ("[x](http://e.com/a)!", ["http://e.com/a"]),
        ("<http://e.com/a>", ["http://e.com/a"]),
        ('"http://e.com/a"', ["http://e.com/a"]),
        ("<http://e.com/a\r\nb>", []),
        ("http://e.com/größe", []),
        ("xhttp://e.com/", []),
        ("git+http://e.com/", []),
        ("http:// e.com", []),
        ("http://u:p@e.com/", []),
        (f"https://{OWN_HOST}/c/x", []),
        ("mailto:a@b.c ftp://e.com/", []),
        ("http://e.com/?a=1&amp;b", ["http://e.com/?a=1&amp;b"]),
        ("one http://1.com/ two HTTP://2.com", ["http://1.com/", "HTTP://2.com"]),
    ],
)
def test_where_a_url_ends(text: str, found: list[str]) -> None:
    assert targets(text) == found


def test_lines_are_counted_cumulatively_row_72() -> None:
    urls = [f"http://e.com/{n}" for n in range(20)]
    result = rewrite(mail(" ".join(urls)), tracking=TEXT_LINKS, links=Mint())
    assert isinstance(result, Rewritten)
    assert 5 < len(result.links) < 20
    assert max(map(len, result.message.split(b"\r\n"))) <= 998
    assert rules_of(result) == ["line too long"] * (20 - len(result.links))
    # In quoted-printable a line may be broken anywhere.
    assert len(targets(" ".join(urls), "quoted-printable")) == 20


def test_our_own_old_urls_lead_home_row_78() -> None:
    class Ours:
        def target(self, url: str) -> bytes | None:
            return b"http://e.com/home" if url.endswith("/c/old") else None

        def is_pixel(self, url: str) -> bool:
            return False

        def is_notice(self, url: str) -> bool:
            return False

    off = Tracking(opens=False, clicks=False, own_hosts=BOTH.own_hosts)
    raw = mail(f"> see <https://{OWN_HOST}/c/old>, and https://{OWN_HOST}/c/other\r\n")
    result = rewrite(raw, tracking=off, links=Mint(), own=Ours())
    assert isinstance(result, Rewritten)
    assert result.restored == (Restored("1", b"http://e.com/home"),)
    old = f"https://{OWN_HOST}/c/old".encode()
    assert result.message == raw.replace(old, b"http://e.com/home")


@given(st.text(alphabet="http://e.com <>().,é\r\n"))
def test_any_text_comes_back_but_for_its_urls(text: str) -> None:
    mint = Mint()
    raw = mail(text)
    result = rewrite(raw, tracking=TEXT_LINKS, links=mint)
    message = result.message if isinstance(result, Rewritten) else raw
    for ordinal, target in enumerate(mint.targets):
        url = f"https://{OWN_HOST}/c/{ordinal}-{mint.tail}".encode()
        message = message.replace(url, target, 1)
    assert message == raw


def test_a_url_that_its_reader_joins_with_the_next_line_is_left_alone_row_81() -> None:
    """RFC 3676 §4.1: with delsp=yes the space goes with the soft line break."""
    text = b"; format=flowed; delsp=yes\r\n\r\nSee http://e.com/a- \r\nname\r\n"
    plain = b"Content-Type: text/plain"
    assert rules_of(rewrite(plain + text, tracking=TEXT_LINKS, links=Mint())) == ["end unclear"]
    apart = text.replace(b"yes", b"no")
    assert isinstance(rewrite(plain + apart, tracking=TEXT_LINKS, links=Mint()), Rewritten)
