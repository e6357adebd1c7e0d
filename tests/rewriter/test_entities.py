"""Character references in attributes, held against a browser-grade table of cases."""

from __future__ import annotations

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.entities import decode_attribute


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("a&amp;b", "a&b"),
        ("a&ampb", "a&ampb"),
        ("a&amp=b", "a&amp=b"),
        ("a&amp", "a&"),
        ("a&amp ", "a& "),
        ("&copy&lang=x", "©&lang=x"),
        ("&notin;&notit;", "∉&notit;"),
        ("&#65;&#x42;&#67", "ABC"),
        ("&#128;", "€"),
        ("&#0;", "\ufffd"),
        ("&#1;", "\x01"),
        ("&#xD800;", "\ufffd"),
        ("&", "&"),
        ("&&amp;&;", "&&&;"),
        ("&unknown;", "&unknown;"),
    ],
)
def test_reference(written: str, seen: str) -> None:
    assert decode_attribute(written) == seen


@given(st.text(alphabet="&;#xX=ampltcopy0189 "))
def test_with_semicolons_only_it_is_what_the_library_reads(text: str) -> None:
    closed = "".join(f"{piece};" if piece.startswith("&") else piece for piece in text.split(";"))
    if closed.count("&") == closed.count(";") == 1 and closed.endswith(";") and closed[0] == "&":
        assert decode_attribute(closed) in (unescape(closed), closed, "\x01")


@given(st.text().filter(lambda text: "&" not in text))
def test_text_without_references_is_itself(text: str) -> None:
    assert decode_attribute(text) == text


@pytest.mark.parametrize("number", ["9" * 5_000, "x" + "f" * 5_000, "99999999", "1114112"])
def test_a_number_beyond_all_characters_is_none(number: str) -> None:
    assert decode_attribute(f"a&#{number};b") == "a\ufffdb"


@pytest.mark.parametrize("number", ["0" * 5_000 + "65", "x" + "0" * 5_000 + "41", "65", "X41"])
def test_leading_zeros_mean_nothing(number: str) -> None:
    assert decode_attribute(f"&#{number};") == "A"
