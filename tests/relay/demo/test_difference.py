from hypothesis import given
from hypothesis import strategies as st

from relay.demo.difference import CONTEXT, Piece, compare, fold

TEXTS = st.text(alphabet='ab <>"\n=', max_size=60)


def told(*kept: str, pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.text for piece in pieces if piece.change in kept)


@given(TEXTS, TEXTS)
def test_each_side_can_be_read_back(before: str, after: str) -> None:
    pieces = compare(before, after)
    assert told("same", "removed", pieces=pieces) == before
    assert told("same", "added", pieces=pieces) == after


@given(TEXTS, TEXTS)
def test_folding_loses_nothing(before: str, after: str) -> None:
    pieces = compare(before, after)
    folded = fold(pieces)
    assert "".join(piece.text for piece in folded) == "".join(piece.text for piece in pieces)


def test_within_a_line_only_the_words_that_changed_are_marked() -> None:
    before = 'See <a href="https://example.com/a?b=c">this</a> now\n'
    after = 'See <a href="http://127.0.0.1/c/xyz">this</a> now\n'
    assert compare(before, after) == (
        Piece("same", 'See <a href="'),
        Piece("removed", "https://example.com/a?b=c"),
        Piece("added", "http://127.0.0.1/c/xyz"),
        Piece("same", '">this</a> now\n'),
    )


def test_a_line_that_came_is_added_whole() -> None:
    assert compare("b\nc\n", "a\nb\nc\n") == (Piece("added", "a\n"), Piece("same", "b\nc\n"))


def test_what_stayed_is_one_piece() -> None:
    assert compare("a\nb\n", "a\nb\n") == (Piece("same", "a\nb\n"),)


def test_long_unchanged_runs_keep_their_ends() -> None:
    lines = [f"{number}\n" for number in range(20)]
    head, rest, tail = fold(compare("".join(lines), "".join(lines)))
    assert head == Piece("same", "".join(lines[:CONTEXT]))
    assert rest == Piece("folded", "".join(lines[CONTEXT:-CONTEXT]))
    assert tail == Piece("same", "".join(lines[-CONTEXT:]))
