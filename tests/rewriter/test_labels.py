"""Labels: what a person sees of a link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter import read_label


@pytest.mark.parametrize(
    ("html", "label"),
    [
        ("Read  more", "Read more"),
        ("<b>Read</b>\n<i>more</i>", "Read more"),
        ("Fish &amp; chips", "Fish & chips"),
        ('<img src="x.png" alt="Our shop">', "Our shop"),
        ('<img src="x.png">', ""),
        ('<area alt="Map, north" href="x">', "Map, north"),
        ("<!-- hidden -->shown", "shown"),
        ("<style>p{}</style>Text", "Text"),
        ("", ""),
    ],
)
def test_label(html: str, label: str) -> None:
    assert read_label(html) == label


@given(st.text())
def test_any_html_gives_one_line(html: str) -> None:
    assert read_label(html) == " ".join(read_label(html).split())
