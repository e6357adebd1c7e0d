"""Cursors tell nothing, and are good for one list of one sender's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.api.cursors import PATTERN, Cursors
from collector.tokens import Key, Tokens

OLD, NEW = Key(1, b"o" * 32), Key(2, b"n" * 32)
CURSORS = Cursors(Tokens([OLD]))


@given(st.integers(0, 2**63 - 1), st.integers(1, 9), st.text(max_size=20))
def test_it_opens_where_it_was_sealed(position: int, sender_id: int, what: str) -> None:
    cursor = CURSORS.seal(position, sender_id, what)
    assert re.fullmatch(PATTERN, cursor)
    assert CURSORS.open(cursor, sender_id, what) == position
    assert CURSORS.open(cursor, sender_id + 1, what) is None
    assert CURSORS.open(cursor, sender_id, f"{what}x") is None


def test_what_is_none() -> None:
    cursor = CURSORS.seal(1, 1, "hits")
    other = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert CURSORS.open(other, 1, "hits") is None
    assert CURSORS.open("A" * 32, 1, "hits") is None


def test_neighbours_look_nothing_alike() -> None:
    one, two = CURSORS.seal(1, 1, "hits"), CURSORS.seal(2, 1, "hits")
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 10
    assert one == CURSORS.seal(1, 1, "hits")


@pytest.mark.parametrize(("keys", "position"), [([NEW, OLD], 7), ([NEW], None)])
def test_it_lives_as_long_as_its_key(keys: list[Key], position: int | None) -> None:
    cursor = CURSORS.seal(7, 1, "hits")
    assert Cursors(Tokens(keys)).open(cursor, 1, "hits") == position
