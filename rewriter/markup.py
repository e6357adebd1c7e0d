"""A linear tokenizer of HTML: where the links are, and where the pixel belongs.

It follows those states of the WHATWG tokenizer (HTML Living Standard, 13.2.5) that decide what is
a tag, an attribute, a comment or text. It only ever moves forward: what has no end (a comment, a
quote, a tag, a raw text element) runs to the end of the document, and reading stops there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rewriter.contract import Doubt
from rewriter.span import Span

_RAW_TEXT = (b"style", b"script", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes")
_NOTABLE = rb"a(?:rea)?|body|html|frameset|plaintext|" + b"|".join(_RAW_TEXT)

# A tag in the usual spelling, in one step. Nothing is tried twice (all is possessive), so that a
# tag it does not fit costs one more pass of that tag, and no more.
_GAP = rb"""[ \t\n\f\r/] [^<>"'=]{0,80}+"""
_VALUE = rb"""(?: "[^"]*+" | '[^']*+' | [^ \t\n\f\r<>"'=`]++ (?=[ \t\n\f\r>]) )"""
_ATTRIBUTES = rb"(?: %b (?<![ \t\n\f\r/]) = %b ){0,30}+ (?: %b )?+" % (_GAP, _VALUE, _GAP)


def _dull(notable: bytes) -> re.Pattern[bytes]:
    """All that is of no interest, up to the next "<" that is: always matches, perhaps nothing."""
    name = rb"""(?! (?: %b ) [ \t\n\f\r/>] ) [a-z][^ \t\n\f\r/<>"'=]*+""" % notable
    tag = rb"</? %b (?: > | %b > )" % (name, _ATTRIBUTES)
    return re.compile(rb"[^<]*+ (?: %b [^<]*+ )*+" % tag, re.IGNORECASE | re.VERBOSE)


_DULL = _dull(_NOTABLE)
_DULL_BUT_IMAGES = _dull(_NOTABLE + b"|img")
# In Outlook's conditional comments VML shapes carry links as well.
_DULL_IN_COMMENT = _dull(_NOTABLE + rb"|v:[^ \t\n\f\r/>]*+")
_NAME = re.compile(rb"<(/?)([a-zA-Z][^ \t\n\f\r/>]*)(>?)")
# The tag's end (1), or an attribute's name (2) and its value in double, single or no quotes (3-5).
_ATTRIBUTE = re.compile(
    rb"""
    [ \t\n\f\r/]*
    (?: (>)
      | ([^ \t\n\f\r/>] [^ \t\n\f\r/>=]*)
        (?: [ \t\n\f\r]* = [ \t\n\f\r]*
            (?: "([^"]*)" | '([^']*)' | ([^ \t\n\f\r>"'] [^ \t\n\f\r>]*) )
        )?
    )
    """,
    re.VERBOSE,
)
_EQUALS = re.compile(rb"[ \t\n\f\r]*=[ \t\n\f\r]*")
_COMMENT = re.compile(rb"<!--(?:>|->|(.*?)--!?>)", re.DOTALL)
_CONDITIONAL = re.compile(rb"\s*\[if [^\]]*\]>(.*)<!\[endif\]\s*\Z", re.DOTALL | re.IGNORECASE)
# Real tags have a dozen attributes at most; lxml takes quadratic time over them.
_MAX_ATTRIBUTES = 200
_RAW_END = {
    name: re.compile(rb"</" + name + rb"(?=[ \t\n\f\r/>])", re.IGNORECASE) for name in _RAW_TEXT
}


class Attribute(NamedTuple):
    """An attribute's name begins at `name`, its value is `start` to `end`, without any quotes."""

    name: int
    start: int
    end: int


@dataclass(slots=True)
class Anchor:
    """A start tag that may carry a URL, and where its inner HTML lies."""

    tag: Span
    attributes: Mapping[bytes, Attribute]
    inner: Span
    in_comment: bool


@dataclass(slots=True)
class Findings:
    """What one document holds. Offsets; None where it has no such thing.

    `images` are those outside comments, if asked for. `ends_in_text`: what is put behind the last
    byte would be read as text and tags.
    """

    anchors: list[Anchor] = field(default_factory=list)
    images: list[Anchor] = field(default_factory=list)
    body_start: int | None = None
    body_end: int | None = None
    html_end: int | None = None
    framed: bool = False
    ends_in_text: bool = False


def read_markup(view: bytes, *, images: bool = False) -> Findings:
    """All anchors of a document in order, and its landmarks. `view` must be ASCII-compatible.

    Takes time linear in `len(view)` whatever it holds. Raises `Doubt` over a tag that is none.
    """
    return _Reader(view, _DULL_BUT_IMAGES if images else _DULL).read()


class _Reader:
    def __init__(self, view: bytes, dull: re.Pattern[bytes]) -> None:
        self._view = view
        self._dull = dull
        self._found = Findings()
        self._open: Anchor | None = None

    def read(self) -> Findings:
        self._found.ends_in_text = self._scan(0, len(self._view), in_comment=False)
        return self._found

    def _scan(self, at: int, end: int, *, in_comment: bool) -> bool:
        """Reads tags up to `end`; False where something without an end swallowed the rest."""
        dull = _DULL_IN_COMMENT if in_comment else self._dull
        view = self._view
        while True:
            at = dull.match(view, at, end).end()  # type: ignore[union-attr]
            if at >= end:
                return self._close(end)
            if name := _NAME.match(view, at, end):
                after = self._tag(name, end, in_comment=in_comment)
            else:
                after = self._markup(at, end)
            if after is None:
                self._close(end)
                return False
            at = after

    def _markup(self, at: int, end: int) -> int | None:
        """Reads what begins with the "<" at `at` and is no tag; where it ends, or None."""
        if self._view.startswith(b"<!--", at):
            return self._comment(at, end)
        if self._view[at + 1 : at + 2] in (b"!", b"?", b"/") and at + 1 < end:
            close = self._view.find(b">", at + 2, end)  # a declaration or bogus comment
            return None if close < 0 else close + 1
        return at + 1

    def _comment(self, at: int, end: int) -> int | None:
        comment = _COMMENT.match(self._view, at, end)
        if comment is None:
            return None
        if comment[1] and (conditional := _CONDITIONAL.match(comment[1])):
            around, self._open = self._open, None
            inner = comment.start(1)
            self._scan(inner + conditional.start(1), inner + conditional.end(1), in_comment=True)
            self._open = around
        return comment.end()

    def _tag(self, name: re.Match[bytes], end: int, *, in_comment: bool) -> int | None:
        is_end, tag = bool(name[1]), name[2].lower()
        attributes: dict[bytes, Attribute] = {}
        close = name.end() if name[3] else self._attributes(name.end(), end, attributes)
        if close is None:
            return None
        if is_end:
            self._end_tag(tag, name.start(), in_comment=in_comment)
            return close
        if tag in (b"a", b"area") or (in_comment and tag.startswith(b"v:")):
            self._anchor(tag, Span(name.start(), close), attributes, in_comment=in_comment)
        elif tag == b"img" and not in_comment:
            span = Span(name.start(), close)
            self._found.images.append(Anchor(span, attributes, span, in_comment))
        elif tag == b"body" and not in_comment and self._found.body_start is None:
            self._found.body_start = close
        elif tag == b"frameset":
            self._found.framed = True
        elif tag == b"plaintext":
            return None
        elif tag in _RAW_END:
            raw_end = _RAW_END[tag].search(self._view, close, end)
            return raw_end.start() if raw_end else None
        return close

    def _anchor(
        self, tag: bytes, span: Span, attributes: Mapping[bytes, Attribute], *, in_comment: bool
    ) -> None:
        self._close(span.start)
        inner = span if tag == b"area" else Span(span.end, span.end)
        anchor = Anchor(span, attributes, inner, in_comment)
        self._found.anchors.append(anchor)
        if tag != b"area":
            self._open = anchor

    def _end_tag(self, tag: bytes, at: int, *, in_comment: bool) -> None:
        if tag == b"a" or (in_comment and tag.startswith(b"v:")):
            self._close(at)
        elif tag == b"body" and not in_comment:
            self._found.body_end = at
        elif tag == b"html" and not in_comment:
            self._found.html_end = at

    def _close(self, at: int) -> bool:
        """The open anchor's inner HTML ends here."""
        if self._open is not None:
            self._open.inner = Span(self._open.tag.end, at)
            self._open = None
        return True

    def _attributes(self, at: int, end: int, found: dict[bytes, Attribute]) -> int | None:
        """Reads attributes into `found`, of two with one name the first; the tag's end, or None."""
        view = self._view
        while match := _ATTRIBUTE.match(view, at, end):
            group, at = match.lastindex or 2, match.end()
            if group == 1:
                if len(found) > _MAX_ATTRIBUTES:
                    raise Doubt("too many attributes")
                return at
            if group == 2 and (equals := _EQUALS.match(view, at, end)):
                at = equals.end()
                if view[at : at + 1] != b">":
                    return None  # a quote that never ends
            name = match[2].lower()
            if name not in found:
                value = (at, at) if group == 2 else match.span(group)
                found[name] = Attribute(match.start(2), *value)
        return None
