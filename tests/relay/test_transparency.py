"""Dots and line ends, in pieces cut anywhere: as whole messages would have it (the references)."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.transparency import Stuffing, Unstuffing, has_bare_newline, normalize_newlines

PIECES = st.lists(
    st.sampled_from([b"\r\n", b".", b"..", b"a", b"long line ", b"\r\n.\r\n", b"\0", b"\xff"])
)
CLEAN = PIECES.map(lambda pieces: b"".join([*pieces, b"\r\n"]))
DIRTY = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a"])).map(b"".join)
CUTS = st.lists(st.integers(0, 60), max_size=12)


def cut(octets: bytes, cuts: list[int]) -> list[bytes]:
    """The octets in pieces, empty ones too."""
    borders = [0, *sorted(min(at, len(octets)) for at in cuts), len(octets)]
    return [octets[start:end] for start, end in pairwise(borders)]


def reference_unstuffed(raw: bytes) -> tuple[bytes, bytes] | None:
    """What came after 354, whole: the plain message and what follows its end, if it has one."""
    message, end, rest = (b"\r\n" + raw).partition(b"\r\n.\r\n")
    return ((message + b"\r\n").replace(b"\r\n.", b"\r\n")[2:], rest) if end else None


def reference_stuffed(content: bytes) -> bytes:
    """A whole message as DATA carries it."""
    end = b"" if content.endswith(b"\r\n") or not content else b"\r\n"
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + end + b".\r\n"


def unstuffed(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """All plain octets and the rest, once the end has come."""
    unstuffing, plain, unread = Unstuffing(), b"", iter(pieces)
    for piece in unread:
        new = unstuffing.feed(piece)
        assert not (plain.endswith(b"\r") and new.startswith(b"\n")), "a pair was parted"
        plain += new
        if unstuffing.ended:
            return plain, unstuffing.rest + b"".join(unread)
    return None


def stuffed(pieces: list[bytes]) -> bytes:
    stuffing = Stuffing()
    return b"".join([*map(stuffing.feed, pieces), stuffing.end()])


@given(DIRTY, CUTS)
@example(b".\r\n", [])
@example(b"..\r\n.\r\nQUIT\r\n", [])
@example(b"a\r\n.\r\n.\r\n", [2, 3, 4, 5, 6])
def test_pieces_are_unstuffed_as_the_whole(raw: bytes, cuts: list[int]) -> None:
    assert unstuffed(cut(raw, cuts)) == reference_unstuffed(raw)


@given(CLEAN, CUTS)
@example(b"", [])
@example(b"a\r\n.b", [3, 4])
def test_pieces_are_stuffed_as_the_whole(content: bytes, cuts: list[int]) -> None:
    assert stuffed(cut(content, cuts)) == reference_stuffed(content)


@given(CLEAN, CUTS, CUTS)
def test_stuffing_round_trips_whatever_the_pieces(
    content: bytes, cuts: list[int], others: list[int]
) -> None:
    wire = stuffed(cut(content, cuts))
    assert unstuffed(cut(wire + b"QUIT\r\n", others)) == (content, b"QUIT\r\n")


@pytest.mark.parametrize(
    "ending",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n.",
        b"\r\n. \r\n",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n..\r\n",
        b"\r\r\n.\r\r\n",
        b"\r\n\0\n.\r\n",
        b"\n\n.\r\n",
        b"\r\n.\r\r\n",
        b"\n\r.\r\n",
    ],
)
def test_no_other_ending_ends_a_message(ending: bytes) -> None:
    octets = b"text" + ending + b"text"
    assert unstuffed([octets]) is None
    assert unstuffed([bytes([octet]) for octet in octets]) is None


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
