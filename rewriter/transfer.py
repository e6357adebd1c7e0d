"""Content-Transfer-Encodings as position maps: edit the decoded bytes, touch only what lies under.

A body knows its decoded bytes, and turns edits of them into edits of the encoded bytes. 7bit and
8bit are themselves; quoted-printable is edited in place, with soft line breaks round what is new;
base64 is encoded anew at the width it had. Whatever is malformed raises `Doubt`.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import NamedTuple, Protocol

from rewriter.contract import Doubt

LINE_LIMIT = 998  # RFC 5322 §2.1.1, without the line's end
_QP_LIMIT = 76  # RFC 2045 §6.7 (5), the soft line break's "=" included


class Edit(NamedTuple):
    """Bytes `start` to `end` become `new`.

    Where they are an attribute's value, its name begins at `name`: a line may be broken before it
    and behind the value without a change of meaning. A `block` may stand on a line of its own.
    """

    start: int
    end: int
    new: bytes
    name: int | None = None
    block: bool = False

    @property
    def growth(self) -> int:
        """How much longer the text becomes."""
        return len(self.new) - (self.end - self.start)


class Body(Protocol):
    """One part's encoded body."""

    @property
    def decoded(self) -> bytes: ...

    def fits(self, edit: Edit, before: Sequence[Edit]) -> bool:
        """Whether the edit can stand on short enough lines, after those `before` it, in order."""

    def encode(self, edits: Sequence[Edit]) -> Iterator[Edit]:
        """The same edits on the encoded bytes, offsets from the body's start, in order."""

    def decode(self, encoded: bytes) -> bytes:
        """What a reader makes of `encoded`, by the standard library alone."""


def splice(data: bytes, edits: Sequence[Edit]) -> bytes:
    """`data` with the edits made, which are in order and apart. Copies each byte once."""
    view, pieces, at = memoryview(data), list[bytes | memoryview](), 0
    for edit in edits:
        pieces.append(view[at : edit.start])
        pieces.append(edit.new)
        at = edit.end
    pieces.append(view[at:])
    return b"".join(pieces)


def open_body(encoding: str, encoded: bytes, newline: bytes) -> Body:
    """The body under a Content-Transfer-Encoding; raises `Doubt` where it is unknown or broken."""
    opener = _ENCODINGS.get(encoding)
    if opener is None:
        raise Doubt("unknown transfer encoding")
    return opener(encoded, newline)


@dataclass(frozen=True, slots=True)
class Identity:
    """7bit, 8bit and binary. A line that edits would carry past 998 octets is broken in a tag."""

    decoded: bytes
    newline: bytes

    def fits(self, edit: Edit, before: Sequence[Edit]) -> bool:
        if edit.name is not None:
            return len(edit.new) <= LINE_LIMIT - len('href=""')
        begin = self.decoded.rfind(b"\n", max(0, edit.start - LINE_LIMIT), edit.start) + 1
        end = self.decoded.find(b"\n", edit.end, edit.end + LINE_LIMIT)
        line = (end if end >= 0 else len(self.decoded)) - begin
        on_line = takewhile(lambda earlier: earlier.start >= begin, reversed(before))
        grown = line + edit.growth + sum(earlier.growth for earlier in on_line)
        return edit.growth <= 0 or grown <= LINE_LIMIT

    def encode(self, edits: Sequence[Edit]) -> Iterator[Edit]:
        for line, group in self._by_line(edits):
            grown = line + sum(edit.growth for edit in group)
            yield from group if grown <= LINE_LIMIT else map(self._break, group)

    def decode(self, encoded: bytes) -> bytes:
        return encoded

    def _by_line(self, edits: Sequence[Edit]) -> Iterator[tuple[int, list[Edit]]]:
        """Edits that share a line, with its length; an edit may itself span several lines."""
        group: list[Edit] = []
        begin = end = -1
        for edit in edits:
            if edit.start > end:
                if group:
                    yield end - begin, group
                group, begin = [], self.decoded.rfind(b"\n", 0, edit.start) + 1
            group.append(edit)
            if edit.end > end:
                end = self.decoded.find(b"\n", edit.end)
                end = len(self.decoded) if end < 0 else end
        if group:
            yield end - begin, group

    def _break(self, edit: Edit) -> Edit:
        if edit.name is None:
            ends = self.newline if edit.block else b""
            return Edit(edit.start, edit.end, ends + edit.new + ends)
        # A space before the name gives way to the newline; after a quote or slash it is added.
        start = edit.name - (self.decoded[edit.name - 1 : edit.name] in (b" ", b"\t"))
        end = edit.end + (self.decoded[edit.end : edit.end + 1] in (b'"', b"'"))
        after = end + (self.decoded[end : end + 1] in (b" ", b"\t"))
        new = b"".join(
            (
                self.newline,
                self.decoded[edit.name : edit.start],
                edit.new,
                self.decoded[edit.end : end],
                self.newline,
            )
        )
        return Edit(start, after, new)


_QP_MALFORMED = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+\r?\n)")
# A line's end behind white space. The search leaps from one "\n" to the next.
_QP_PADDED = re.compile(rb"\n(?:(?<=[ \t]\n)|(?<=[ \t]\r\n))")
_QP_PADDING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_QP_SOFT_BREAK = re.compile(rb"=\r?\n")


class QuotedPrintable:
    """Quoted-printable (RFC 2045 §6.7), edited within its lines.

    Where a decoded byte stands follows from the escapes and soft line breaks before it: they are
    counted, from one edit to the next. `_text` is the body without the white space at lines' ends,
    which means nothing (§6.7 (3)): it was cut out at `_cuts`, up to each of which `_lost` bytes
    were.
    """

    __slots__ = ("_cuts", "_encoded", "_lost", "_newline", "_text", "decoded")

    def __init__(self, encoded: bytes, newline: bytes) -> None:
        if _QP_MALFORMED.search(encoded) or encoded.count(b"\r") != encoded.count(b"\r\n"):
            raise Doubt("malformed quoted-printable")
        self._encoded, self._newline = encoded, newline
        padding = _find_padding(encoded)
        self._lost = [0, *accumulate(gap.end - gap.start for gap in padding)]
        self._cuts = [gap.start - lost for gap, lost in zip(padding, self._lost, strict=False)]
        self._text = splice(encoded, padding)
        self.decoded = binascii.a2b_qp(self._text)

    def fits(self, edit: Edit, before: Sequence[Edit]) -> bool:
        return True

    def encode(self, edits: Sequence[Edit]) -> Iterator[Edit]:
        known = at = end = 0  # the decoded byte number `known` stands at `at`
        for edit in edits:
            at, known = self._advance(at, edit.start - known), edit.start
            before, start = end, self._locate(at)
            end = start
            if edit.end > edit.start:
                # It ends where its last byte does, before a soft break that may follow.
                at, known = self._advance(at, edit.end - 1 - known), edit.end - 1
                end = self._locate(at) + (3 if self._text[at] == 0x3D else 1)
            moved = self._make_room(before, start)
            new = self._encoded[moved:start] + edit.new.replace(b"=", b"=3D")
            yield Edit(moved, end, self._wrap(new, moved, end))

    def decode(self, encoded: bytes) -> bytes:
        return binascii.a2b_qp(splice(encoded, _find_padding(encoded)))

    def _advance(self, at: int, count: int) -> int:
        """Where the byte stands that comes `count` decoded bytes after the one at `at`."""
        begin, at, ahead = at, at, count
        while ahead:
            known, at = at, at + ahead
            ahead = 2 * self._text.count(b"=", known, at)
            ahead += self._text.count(b"=\r\n", max(begin, known - 2), at)
        while soft := _QP_SOFT_BREAK.match(self._text, at):
            at = soft.end()
        return at

    def _locate(self, at: int) -> int:
        """The place in the body of what stands at `at` in `_text`."""
        return at + self._lost[bisect_left(self._cuts, at)]

    def _make_room(self, before: int, start: int) -> int:
        """`start`, or a character before it where its line has no room for a soft break."""
        begin = max(before, self._encoded.rfind(b"\n", max(0, start - 77), start) + 1)
        if start - begin != _QP_LIMIT:
            return start
        return start - (3 if self._encoded[start - 3] == 0x3D else 1)

    def _wrap(self, text: bytes, start: int, end: int) -> bytes:
        """`text`, encoded, on soft-broken lines of its own, no escape cut in two."""
        soft, lines, at = b"=" + self._newline, list[bytes](), 0
        while at < len(text):
            cut = text[at : at + _QP_LIMIT - 1]
            escape = cut.rfind(b"=", len(cut) - 2) if at + len(cut) < len(text) else -1
            lines.append(cut if escape < 0 else cut[:escape])
            at += len(lines[-1])
        if start and self._encoded[start - 1] != 0x0A:
            lines.insert(0, b"")
        follows = self._encoded[end : end + 3]
        if follows and follows[:1] not in b"\r\n" and follows[:2] not in (b"=\r", b"=\n"):
            lines.append(b"")
        return soft.join(lines)


def _find_padding(encoded: bytes) -> Sequence[Edit]:
    """White space at the ends of lines, to be cut out."""
    if not encoded.endswith((b" ", b"\t")) and not _QP_PADDED.search(encoded):
        return ()
    return [Edit(*gap.span(), b"") for gap in _QP_PADDING.finditer(encoded)]


class Base64:
    """base64 (RFC 2045 §6.8): encoded anew as a whole, at the width it had."""

    __slots__ = ("_encoded", "_newline", "_text", "decoded")

    def __init__(self, encoded: bytes, newline: bytes) -> None:
        self._encoded, self._newline = encoded, newline
        self._text = encoded.strip(b" \t\r\n")
        try:
            self.decoded = binascii.a2b_base64(
                self._text.translate(None, b"\r\n"), strict_mode=True
            )
        except binascii.Error:
            raise Doubt("malformed base64") from None

    def fits(self, edit: Edit, before: Sequence[Edit]) -> bool:
        return True

    def encode(self, edits: Sequence[Edit]) -> Iterator[Edit]:
        first, newline, _ = self._text.partition(b"\n")
        width = len(first.rstrip(b"\r")) if newline else _QP_LIMIT
        flat = binascii.b2a_base64(splice(self.decoded, edits), newline=False)
        lines = [flat[at : at + width] for at in range(0, len(flat), width)]
        start = self._encoded.find(self._text)
        yield Edit(start, start + len(self._text), self._newline.join(lines))

    def decode(self, encoded: bytes) -> bytes:
        return binascii.a2b_base64(encoded)


_ENCODINGS: dict[str, Callable[[bytes, bytes], Body]] = {
    "7bit": Identity,
    "8bit": Identity,
    "binary": Identity,
    "quoted-printable": QuotedPrintable,
    "base64": Base64,
}
