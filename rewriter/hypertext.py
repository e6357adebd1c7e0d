"""One HTML document: which of its links change, and where pixel and footer go."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rewriter import charset
from rewriter.contract import Own, Part, Skipped
from rewriter.entities import decode_attribute, encode_attribute
from rewriter.footer import find_footers
from rewriter.markup import Anchor, read_markup
from rewriter.plan import SHOWN, Slot
from rewriter.span import Span
from rewriter.targets import (
    OPT_OUTS,
    Exempt,
    is_own,
    means_no_tracking,
    names_own,
    read_target,
    shows_another_site,
)

# Gmail cuts a message off past 102 kB, and with it what stands at its end.
CLIPPED = 100_000
GROWTH = 100  # bytes that a wrapped link is longer by, about
_LABEL = 500
# Postal's way to keep one link untracked.
_NOTRACK = re.compile(rb"(https?)\+notrack(?=://)", re.IGNORECASE)


class Hypertext:
    """A document's decoded bytes, read once.

    `shown` counts its links outside comments; `has_pixel` tells of a pixel of ours that stays;
    `skipped` fills as the links are read.
    """

    def __init__(self, decoded: bytes, part: Part, exempt: Exempt, own: Own | None) -> None:
        self._decoded = decoded
        self._part = part.number
        self._charset = part.charset or charset.sniff(decoded)
        self._exempt = exempt
        view = charset.mask_shifted(decoded)
        named = names_own(view, exempt)
        self._own = own if named else None
        self._found = read_markup(view, images=named)
        self._footers = self._own_footers(view)
        self._anchors = [
            anchor
            for anchor in self._found.anchors
            if b"href" in anchor.attributes and not self._in_footer(anchor)
        ]
        self.shown = sum(not anchor.in_comment for anchor in self._anchors)
        self.has_pixel = False
        self.skipped: list[Skipped] = []

    def links(self, *, clicks: bool) -> Iterator[Slot]:
        """What changes, in no order: links to wrap if `clicks`, what is ours from before."""
        nth = 0
        for anchor in self._anchors:
            found = self._link(anchor, None if anchor.in_comment else nth, clicks=clicks)
            if isinstance(found, Slot):
                yield found
            elif found:
                self.skipped.append(found)
            nth += not anchor.in_comment
        for image in self._found.images:
            if b"src" in image.attributes and self._is_pixel(image):
                yield Slot(image.tag.start, image.tag.end)
        for footer in self._footers:
            yield Slot(footer.start, footer.end)

    def place_pixel(self) -> int | None:
        """Where a reader surely loads an image and nobody sees it; None where no place is sure."""
        end = self.place_footer()
        if end is None or self.has_pixel:
            return None
        grown = len(self._decoded) + GROWTH * self.shown
        if grown > CLIPPED and self._found.body_start is not None:
            return self._found.body_start
        return end

    def place_footer(self) -> int | None:
        """Where the text ends; None where no place is sure."""
        found, text = self._found, self._decoded.rstrip()
        if found.framed or not text:
            return None
        if found.body_end is not None:
            return found.body_end
        if found.html_end is not None:
            return found.html_end
        # Before the last line's end, so that the message still ends with one.
        return len(text) if found.ends_in_text else None

    def _own_footers(self, view: bytes) -> list[Span]:
        if self._own is None:
            return []
        return [span for span, url in find_footers(view) if self._own.is_notice(url)]

    def _in_footer(self, anchor: Anchor) -> bool:
        return any(each.start <= anchor.tag.start < each.end for each in self._footers)

    def _link(self, anchor: Anchor, nth: int | None, *, clicks: bool) -> Slot | Skipped | None:
        name, start, end = anchor.attributes[b"href"]
        written = self._decoded[start:end]
        value = self._text(written)
        if value and self._own and (old := self._own.target(decode_attribute(value).strip())):
            return Slot(start, end, new=encode_attribute(old), name=name, nth=nth)
        if not clicks:
            return None
        if value is None:
            return self._skip(written.decode("latin-1"), "undecodable")
        if self._opts_out(anchor):
            return self._skip(value, "opt-out")
        if value.isascii() and _NOTRACK.match(written):
            plain = _NOTRACK.sub(rb"\1", written, count=1)
            return Slot(start, end, new=plain, name=name, nth=nth)
        target = read_target(value, self._exempt)
        if isinstance(target, str):
            return self._skip(value, target)
        html = self._inner(anchor)
        if not self._exempt.url_text and shows_another_site(html, self._exempt.own_hosts):
            return self._skip(value, "shows its URL")
        return Slot(start, end, target=target, name=name, nth=nth, html=html)

    def _skip(self, value: str, rule: str) -> Skipped:
        return Skipped(self._part, value[:SHOWN], rule)

    def _opts_out(self, anchor: Anchor) -> bool:
        marks = anchor.attributes.keys() & OPT_OUTS.keys()
        return any(means_no_tracking(mark, self._value(anchor, mark)) for mark in marks)

    def _value(self, anchor: Anchor, name: bytes) -> bytes:
        _, start, end = anchor.attributes[name]
        return self._decoded[start:end]

    def _text(self, value: bytes) -> str | None:
        try:
            return value.decode("ascii" if value.isascii() else self._charset or "utf-8")
        except (LookupError, ValueError):
            return None

    def _inner(self, anchor: Anchor) -> str:
        start, end = anchor.inner
        return charset.decode(self._decoded[start : min(end, start + _LABEL)], self._charset)

    def _is_pixel(self, image: Anchor) -> bool:
        """Whether an image is a pixel of ours to take out; without `own` it only counts as one."""
        source = decode_attribute(self._text(self._value(image, b"src")) or "").strip()
        if self._own:
            return self._own.is_pixel(source)
        if is_own(source, self._exempt):
            self.has_pixel = True
            self.skipped.append(self._skip(source, "own pixel"))
        return False
