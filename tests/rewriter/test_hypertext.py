"""What an HTML document shows and what is ours in it: rows 47, 58 and 78."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mails import BOTH, CLICKS, OWN_HOST, Mint, mail, multipart, reason_of, rules, rules_of, targets

from rewriter import Restored, Rewritten, Tracking, Untouched, rewrite
from rewriter.entities import decode_attribute

OFF = Tracking(opens=False, clicks=False, own_hosts=BOTH.own_hosts)
OLD_PIXEL = f'<img src="https://{OWN_HOST}/o/old" width="1" height="1" alt="">'


class Ours:
    """Knows what the test says was minted before."""

    def __init__(self, **targets: bytes) -> None:
        self._targets = {f"https://{OWN_HOST}/c/{name}": to for name, to in targets.items()}

    def target(self, url: str) -> bytes | None:
        return self._targets.get(url.lower())

    def is_pixel(self, url: str) -> bool:
        return url == f"https://{OWN_HOST}/o/old"

    def is_notice(self, url: str) -> bool:
        return False


def restored(html: str, tracking: Tracking = OFF, encoding: str = "8bit", **links: bytes) -> str:
    raw = mail(html, encoding)
    result = rewrite(raw, tracking=tracking, links=Mint(), own=Ours(**links))
    assert isinstance(result, Rewritten), result
    return result.message.decode().partition("\r\n\r\n")[2]


def test_a_postal_marker_is_written_back_row_47() -> None:
    html = '<a href="HTTPS+notrack://e.com/A">x</a><a href="http://e.com/">y</a>'
    result = rewrite(mail(html), tracking=CLICKS, links=Mint())
    assert isinstance(result, Rewritten)
    assert b'<a href="HTTPS://e.com/A">x</a>' in result.message
    assert [link.target for link in result.links] == [b"http://e.com/"]


@pytest.mark.parametrize(
    "text",
    [
        "http://e.com/",
        "e.com",
        " <b>www.e.com</b>/path?x=1 ",
        "https://user@e.com:8080/",
        "WWW.E.COM",
        "e.com.",
        "&#101;.com",
    ],
)
def test_a_link_that_shows_another_site_is_left_alone_row_58(text: str) -> None:
    html = f'<a href="http://e.com/">{text}</a>'
    assert targets(html) == []
    assert rules(html) == ["shows its URL"]
    wrap = replace(CLICKS, wrap_url_text=True)
    assert isinstance(rewrite(mail(html), tracking=wrap, links=Mint()), Rewritten)


@pytest.mark.parametrize(
    "text", ["Read more", "e.com is here", "v1.2", "a.b@", "example.com", "www.example.com/x", ""]
)
def test_other_texts_are_no_address_of_another_site_row_58(text: str) -> None:
    assert targets(f'<a href="http://e.com/">{text}</a>') == ["http://e.com/"]


@pytest.mark.parametrize("tracking", [OFF, BOTH], ids=["tracking off", "tracking on"])
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_our_old_links_and_pixels_go_row_78(tracking: Tracking, encoding: str) -> None:
    before = "<p>I agree.</p><blockquote>"
    quote = f'<a href="https://{OWN_HOST}/c/a">one</a>{OLD_PIXEL}</blockquote>'
    html = before + quote
    raw = mail(html, encoding)
    own = Ours(a=b"http://e.com/?a=1&b='2'")
    result = rewrite(raw, tracking=tracking, links=Mint(), own=own)
    assert isinstance(result, Rewritten)
    assert result.restored == (Restored("1", b"http://e.com/?a=1&b='2'"), Restored("1", None))
    assert result.links == ()
    assert result.pixel == ("1" if tracking.opens else None)
    if encoding == "8bit":
        new = before + '<a href="http://e.com/?a=1&amp;b=&#39;2&#39;">one</a></blockquote>'
        assert new.encode() in result.message
        assert b"/o/old" not in result.message


def test_a_target_is_restored_as_it_was_seen() -> None:
    target = b"http://e.com/\"<'>&amp;"
    html = restored(f"<a href=https://{OWN_HOST}/c/a>x</a>", a=target)
    assert decode_attribute(html.removeprefix("<a href=").removesuffix(">x</a>")) == target.decode()


def test_our_host_is_known_in_any_case_row_78() -> None:
    html = f'<a href="HTTPS://{OWN_HOST.upper()}/c/a">x</a>'
    assert restored(html, a=b"http://e.com/") == '<a href="http://e.com/">x</a>'


def test_what_only_looks_like_ours_stays_row_78() -> None:
    html = f'<a href="https://{OWN_HOST}/c/b">x</a><img src="https://{OWN_HOST}/logo.png">'
    assert (
        reason_of(rewrite(mail(html), tracking=OFF, links=Mint(), own=Ours())) == "tracking is off"
    )


def test_without_a_memory_of_ours_a_pixel_is_not_doubled() -> None:
    result = rewrite(mail(f"<p>x</p>{OLD_PIXEL}"), tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched)
    assert rules_of(result) == ["own pixel"]


def test_only_one_pixel_for_all_parts_even_if_a_later_one_had_it() -> None:
    part = b"Content-Type: text/html\r\n\r\n"
    raw = multipart(part + OLD_PIXEL.encode() + b"<p>x", part + b"<p>y</p>")
    result = rewrite(raw, tracking=BOTH, links=Mint(), own=Ours())
    assert isinstance(result, Rewritten)
    assert result.message.count(b"<img") == 1


def test_links_in_comments_are_restored_too() -> None:
    html = f'<!--[if mso]><a href="https://{OWN_HOST}/c/a">x</a><![endif]-->'
    assert "http://e.com/?a&amp;b" in restored(html, a=b"http://e.com/?a&b")


def test_an_href_that_its_charset_cannot_read_is_left_alone() -> None:
    html = b'<a href="http://e.com/\xff">x</a>'
    result = rewrite(mail(html), tracking=CLICKS, links=Mint())
    assert rules_of(result) == ["undecodable"]
