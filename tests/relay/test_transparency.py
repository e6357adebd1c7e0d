"""Dots and line ends: unstuffing undoes stuffing, and no bare CR or LF is left."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.transparency import has_bare_newline, normalize_newlines, stuffed, unstuff

PIECES = st.lists(
    st.sampled_from([b"\r\n", b".", b"..", b"a", b"long line ", b"\r\n.\r\n", b"\0", b"\xff"])
)
CLEAN = PIECES.map(lambda pieces: b"".join([*pieces, b"\r\n"]))
DIRTY = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a"])).map(b"".join)


@given(CLEAN, st.integers(1, 20))
def test_stuffing_round_trips_whatever_the_chunks(content: bytes, chunk_size: int) -> None:
    wire = b"".join(stuffed(content, chunk_size))
    assert unstuff(wire) == content


@given(CLEAN, st.integers(1, 20))
def test_nothing_stuffed_ends_the_data(content: bytes, chunk_size: int) -> None:
    wire = b"\r\n" + b"".join(stuffed(content, chunk_size))
    assert b"\r\n.\r\n" not in wire


def test_an_unfinished_line_gets_its_end_and_an_empty_message_stays_empty() -> None:
    assert b"".join(stuffed(b"a\r\n.b", 1)) == b"a\r\n..b\r\n"
    assert b"".join(stuffed(b"", 1)) == b""


@given(DIRTY)
def test_normalized_content_has_no_bare_newline(content: bytes) -> None:
    clean = normalize_newlines(content)
    assert clean == re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    assert not has_bare_newline(clean)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", clean)
    assert clean.replace(b"\r\n", b"") == re.sub(rb"[\r\n]", b"", content)


@given(DIRTY)
def test_bare_newlines_are_found_and_only_they(content: bytes) -> None:
    assert has_bare_newline(content) == bool(re.search(rb"\r(?!\n)|(?<!\r)\n", content))


@pytest.mark.parametrize("content", [b"", b"a\r\n", b"\r\n\r\n"])
def test_clean_content_is_not_changed(content: bytes) -> None:
    assert normalize_newlines(content) == content
