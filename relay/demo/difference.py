"""What the relay changed in a mail's source, for a person to see. Pure.

Lines that stayed are told as they are; within lines that changed, only the words that did: the
rewriter splices bytes, so what is marked is just what it did.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal

Change = Literal["same", "removed", "added", "folded"]

CONTEXT = 3  # unchanged lines shown round a change

# A URL is one word: it has no spaces, quotes or angle brackets.
_WORDS = re.compile(r"\s+|[\"'<>]|[^\s\"'<>]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that stayed, went or came; "folded" stayed, far from any change."""

    change: Change
    text: str


def compare(before: str, after: str) -> tuple[Piece, ...]:
    """The pieces of both: without the added ones they are `before`, without the removed `after`."""
    pieces: list[Piece] = []
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for piece in _compare(old, new):
        last = pieces[-1] if pieces else None
        if last and (last.change, piece.change) == ("removed", "added"):
            pieces[-1:] = _compare(_WORDS.findall(last.text), _WORDS.findall(piece.text))
        else:
            pieces.append(piece)
    return _joined(pieces)


def fold(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The same text, with long unchanged runs cut into what stands near a change and the rest."""
    return tuple(part for piece in pieces for part in _folded(piece))


def _folded(piece: Piece) -> Iterator[Piece]:
    lines = piece.text.splitlines(keepends=True)
    if piece.change != "same" or len(lines) <= 2 * CONTEXT + 2:
        yield piece
        return
    yield Piece("same", "".join(lines[:CONTEXT]))
    yield Piece("folded", "".join(lines[CONTEXT:-CONTEXT]))
    yield Piece("same", "".join(lines[-CONTEXT:]))


def _compare(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for name, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if name == "equal":
            yield Piece("same", "".join(old[old_start:old_end]))
            continue
        if old_end > old_start:
            yield Piece("removed", "".join(old[old_start:old_end]))
        if new_end > new_start:
            yield Piece("added", "".join(new[new_start:new_end]))


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    return tuple(
        Piece(change, "".join(piece.text for piece in run))
        for change, run in groupby(pieces, lambda piece: piece.change)
    )
