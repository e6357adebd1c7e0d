"""Labels: what a person sees of a link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter import read_label
from rewriter.labels import read_snippet


@pytest.mark.parametrize(
    ("html", "label"),
    [
        ("Read  more", "Read more"),
        ("<b>Read</b>\n<i>more</i>", "Read more"),
        ("so <b>said</b>, <i>Bo</i>.", "so said, Bo."),
        ("one<p>two</p>three<br>four<td>five", "one two three four five"),
        ("Fish &amp; chips", "Fish & chips"),
        ('<img src="x.png" alt="Our shop">', "Our shop"),
        ('<img src="x.png">', ""),
        ('<area alt="Map, north" href="x">', "Map, north"),
        ("<!-- hidden -->shown", "shown"),
        ("<style>p{}</style>Text", "Text"),
        ("http://e.com/?a&b", "http://e.com/?a&b"),
        ("", ""),
    ],
)
def test_label(html: str, label: str) -> None:
    assert read_label(html) == label


@given(st.text())
def test_any_html_gives_one_line(html: str) -> None:
    assert read_label(html) == " ".join(read_label(html).split())


def test_a_snippet_is_what_is_read_first() -> None:
    html = "<head><title>No</title></head><style>p{}</style><p>Dear Bo,</p>\n<p>the <b>plans</b>"
    assert read_snippet(html) == "Dear Bo, the plans"
    assert read_snippet(html, 10) == "Dear Bo, t"
