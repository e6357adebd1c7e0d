"""The footer: written as configured, in its place, verified, and known again in quotes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html
from mails import BOTH, CLICKS, Mint, mail, multipart

from rewriter import Rewritten, Tracking, Untouched, rewrite
from rewriter.footer import MAX_FOOTER, compose, find_footers

TEXT = "This mail tells when it is read. {What is kept, and how to say no} Grüße"
FOOTED = replace(BOTH, footer=TEXT)
OFF = Tracking(opens=False, clicks=False, own_hosts=BOTH.own_hosts)
NOTICE = Mint().notice()


class Ours:
    """Knows the one notice that the tests mint."""

    def target(self, url: str) -> bytes | None:
        return None

    def is_pixel(self, url: str) -> bool:
        return url == Mint().pixel()

    def is_notice(self, url: str) -> bool:
        return url == NOTICE


def decoded(message: bytes) -> bytes:
    payload = message_from_bytes(message).get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def rewritten(html: str, encoding: str = "8bit", tracking: Tracking = FOOTED) -> Rewritten:
    result = rewrite(mail(html, encoding), tracking=tracking, links=Mint())
    assert isinstance(result, Rewritten), result
    return result


def test_it_says_what_it_was_given_to_any_reader() -> None:
    shown = lxml_html.fromstring(compose(TEXT).format(NOTICE))
    assert shown.text_content() == TEXT.replace("{", "").replace("}", "")
    assert [(a.text, a.get("href")) for a in shown.iter("a")] == [
        ("What is kept, and how to say no", NOTICE)
    ]
    assert compose(TEXT).isascii()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("no link", "braces"),
        ("{one} {two}", "braces"),
        ("{}", "braces"),
        ("{ }", "braces"),
        ("two\n{lines}", "one line"),
        ("bell\x07 {x}", "one line"),
        ("{x}" + "y" * MAX_FOOTER, "at most"),
    ],
)
def test_what_is_no_footer_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        compose(text)


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="{}"), max_size=80)
)
def test_any_text_is_one_line_that_is_found_again(text: str) -> None:
    try:
        made = compose(f"{text}{{{text}.}}{text}").format(NOTICE)
    except ValueError:
        assert not text.isprintable()
        return
    assert len(made) + len("\r\n") < 998 or len(text) > 20
    [(span, url)] = find_footers(made.encode())
    assert (span.start, span.end, url) == (0, len(made), NOTICE)


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("end", ["</body></html>", "</html>", "", "<p>open"])
def test_it_stands_at_the_end_before_the_pixel(encoding: str, end: str) -> None:
    result = rewritten(f'<p>Hi <a href="http://e.com/">x</a></p>{end}', encoding)
    text = lxml_html.fromstring(decoded(result.message))
    hrefs = [each.get("href") for each in text.iter("a")]
    assert hrefs == [Mint().click(b"", 0), NOTICE]
    [pixel] = text.iter("img")
    assert pixel.getprevious().get("data-letterbell") == "footer"


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("tracking", [OFF, BOTH, FOOTED], ids=["off", "on", "on, with a footer"])
def test_in_a_quote_it_goes_like_a_pixel(encoding: str, tracking: Tracking) -> None:
    html = '<p>Hi</p><blockquote>{}</blockquote><p><a href="http://e.com/">x</a></p>'
    old = compose(TEXT).format(NOTICE)
    result = rewrite(mail(html.format(old), encoding), tracking=tracking, links=Mint(), own=Ours())
    assert isinstance(result, Rewritten)
    assert [each.target for each in result.restored] == [None]
    plain = rewrite(mail(html.format(""), encoding), tracking=tracking, links=Mint(), own=Ours())
    expected = plain.message if isinstance(plain, Rewritten) else mail(html.format(""), encoding)
    assert decoded(result.message) == decoded(expected)


@pytest.mark.parametrize(
    "changed",
    [
        lambda made: made.replace("/p/", "/p/forged-"),
        lambda made: made.replace("<p ", "<div ").replace("</p>", "</div>"),
        lambda made: made.replace('data-letterbell="footer"', ""),
    ],
)
def test_what_only_looks_like_one_stays(changed: Callable[[str], str]) -> None:
    html = changed(compose(TEXT).format(NOTICE))
    assert isinstance(rewrite(mail(html), tracking=OFF, links=Mint(), own=Ours()), Untouched)


def test_only_what_is_tracked_has_one() -> None:
    nothing = rewrite(mail("<p>Hi</p>"), tracking=replace(FOOTED, opens=False), links=Mint())
    assert isinstance(nothing, Untouched)
    assert nothing.reason == "nothing to track"
    links_alone = rewritten('<a href="http://e.com/">x</a>', tracking=replace(FOOTED, opens=False))
    assert NOTICE.encode() in links_alone.message
    assert NOTICE.encode() not in rewritten("<p>Hi</p>", tracking=BOTH).message


def test_of_several_parts_the_first_that_is_tracked_has_it() -> None:
    parts = [b"Content-Type: text/html\r\n\r\n<p>%b</p>" % each for each in (b"one", b"two")]
    raw = b"From: a@example.org\r\nMIME-Version: 1.0\r\n" + multipart(*parts)
    result = rewrite(raw, tracking=FOOTED, links=Mint())
    assert isinstance(result, Rewritten)
    assert re.findall(rb"one|two|/p/|/o/", result.message) == [b"one", b"/p/", b"/o/", b"two"]


def test_what_has_no_place_for_it_is_not_tracked() -> None:
    framed = '<frameset><frame src="x"></frameset><a href="http://e.com/">x</a>'
    assert isinstance(rewrite(mail(framed), tracking=CLICKS, links=Mint()), Rewritten)
    refused = rewrite(mail(framed), tracking=replace(CLICKS, footer=TEXT), links=Mint())
    assert isinstance(refused, Untouched)
    assert refused.reason == "no place for the footer"


def test_a_long_document_has_its_pixel_early_and_its_footer_last() -> None:
    result = rewritten(f"<body><p>{'x' * 99}</p>{'<p>y</p>' * 13_000}</body>")
    at = [result.message.index(each) for each in (b"/o/", b"<p>y", b"/p/")]
    assert at == sorted(at)


def test_no_line_grows_too_long_by_it() -> None:
    result = rewritten(f"<p>{'x' * 900}</p>")
    assert max(map(len, result.message.split(b"\r\n"))) <= 998
