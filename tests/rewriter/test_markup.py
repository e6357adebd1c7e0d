"""The tokenizer, against lxml (HTML5 tokenizer) on the same input, and its landmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from rewriter.contract import Doubt
from rewriter.markup import Findings, read_markup


def hrefs(html: bytes) -> list[bytes]:
    found = read_markup(html)
    return [
        html[anchor.attributes[b"href"].start : anchor.attributes[b"href"].end]
        for anchor in found.anchors
        if b"href" in anchor.attributes
    ]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        (b"<a href=1>", [b"1"]),
        (b"<A\nHREF\n=\n'1'>", [b"1"]),
        (b'<a x="a>b" href=1>', [b"1"]),
        (b"<a x='\"' href=1>", [b"1"]),
        (b"<a/href=1/>", [b"1/"]),
        (b"<a href=1 href=2>", [b"1"]),
        (b'<a b="c"href="1">', [b"1"]),
        (b"<a href=>", [b""]),
        (b"<a href = >x", [b""]),
        (b'<p ="a>b" c="><a href=1>">', [b"1"]),
        (b"<p it's><a href=1>", [b"1"]),
        (b"<p a=b'c\"><a href=1>", [b"1"]),
        (b'<p a=x="y><a href=1>', [b"1"]),
        (b"< a href=1><a href=2>", [b"2"]),
        (b"</ a href=1><a href=2>", [b"2"]),
        (b"<!a><a href=1>", [b"1"]),
        (b"<?a ?><a href=1>", [b"1"]),
        (b"<!--><a href=1>", [b"1"]),
        (b"<!---><a href=1>", [b"1"]),
        (b"<!-- --!><a href=1>", [b"1"]),
        (b"<!-- -- > <a href=1>--><a href=2>", [b"2"]),
        (b"<![CDATA[<a href=1>]]><a href=2>", [b"2"]),
        (b"<style><a href=1></style><a href=2>", [b"2"]),
        (b"<STYLE/><a href=1></stylex></sTyle ><a href=2>", [b"2"]),
        (b"<title><a href=1></title><a href=2>", [b"2"]),
        (b"<textarea><!-- </textarea><a href=1> -->", [b"1"]),
        (b"<xmp><a href=1></xmp><noframes><a href=2></noframes>", []),
        (b"<noscript><a href=1></noscript>", [b"1"]),
        (b"<plaintext><a href=1>", []),
        (b"<a href='1", []),
        (b"<b x='><a href=1>", []),
        (b"<script><a href=1>", []),
        (b"<!-- <a href=1>", []),
        (b"<a", []),
        (b"<", []),
    ],
)
def test_what_is_a_tag(html: bytes, found: list[bytes]) -> None:
    assert hrefs(html) == found


PIECES = (
    b'<a href=1>|<a href="2">|</a>|<p>|<!--|-->|<style>|</style>|<title>|</title>|\'|"|=| |'
    b"<b x=|>|text|<|/|<br/>"
).split(b"|")


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_it_finds_what_lxml_finds(html: bytes) -> None:
    root = etree.fromstring(b"<html><body>" + html, etree.HTMLParser(encoding="ascii"))
    seen = [a.get("href").encode() for a in root.iter("a") if a.get("href") is not None]
    assert hrefs(html) == seen


@given(st.binary(max_size=300))
def test_any_bytes_are_read(html: bytes) -> None:
    assert isinstance(read_markup(html), Findings)


def test_landmarks_are_the_last_real_ones() -> None:
    html = b"<html><body><!-- </body> --><p></body></html></BODY></HTML>"
    found = read_markup(html)
    assert found.body_start == len(b"<html><body>")
    assert found.body_end == html.index(b"</BODY>")
    assert found.html_end == html.index(b"</HTML>")


@pytest.mark.parametrize(
    ("html", "in_text"),
    [
        (b"x", True),
        (b"<p>", True),
        (b"<!-- x", False),
        (b"<p x='", False),
        (b"<title>x", False),
        (b"x <", True),  # what comes next is "<", and the first one is text then
        (b"x </", False),  # "</<p>" is a comment up to its ">", and so are the next two
        (b"x <!", False),
        (b"x <?", False),
    ],
)
def test_the_state_at_the_end(html: bytes, *, in_text: bool) -> None:
    assert read_markup(html).ends_in_text is in_text


def test_inner_html_ends_at_the_end_tag_or_the_next_link() -> None:
    html = b"<a href=1>x<!--[if mso]><a href=3>z</a><![endif]-->y</a><a href=2>w<a href=4>"
    inner = [html[a.inner.start : a.inner.end] for a in read_markup(html).anchors]
    assert inner == [b"x<!--[if mso]><a href=3>z</a><![endif]-->y", b"z", b"w", b""]


def test_conditional_comments_are_read_with_their_shapes() -> None:
    html = b"<!--[if gte mso 9]><v:rect href='1'><a href='2'><![endif]--><v:rect href='3'>"
    anchors = read_markup(html).anchors
    assert [anchor.in_comment for anchor in anchors] == [True, True]


def test_a_tag_of_too_many_attributes_is_doubtful() -> None:
    with pytest.raises(Doubt):
        read_markup(b"<p " + b" ".join(b"a%d" % n for n in range(300)) + b">")
