"""A stretch of bytes by its offsets: all that the readers hand to each other."""

from typing import NamedTuple


class Span(NamedTuple):
    """Bytes `start` to `end`."""

    start: int
    end: int
