"""A message's places that may change, and how a copy with newly minted URLs is made of them.

A slot either gets a URL minted for its target, or bytes that are known already (an old link of
ours leads to its target again). Rendering mints, turns the edits of decoded text into edits of the
message, splices once, and has the result read a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rewriter import transfer, verify
from rewriter.contract import (
    Doubt,
    Link,
    Links,
    Part,
    Restored,
    Rewritten,
    Skipped,
    Untouched,
)
from rewriter.entities import decode_attribute
from rewriter.footer import compose

PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'
_MINTED = re.compile(r"https?://[!#$%()*+,\-./0-9:;?@A-Z\[\\\]^_a-z{|}~]+")
MAX_LINKS = 65_536  # of one message: a link's number takes two bytes in what is minted
SHOWN = 200  # characters that are told of what was left alone


class Slot(NamedTuple):
    """Bytes of a document's decoded text that become a minted URL, or `new` without a `target`.

    `name` is where the attribute's name begins, if the text is one's value. `nth` counts the
    document's links outside comments; None within a comment, for an image, in plain text.
    """

    start: int
    end: int
    target: bytes | None = None
    new: bytes = b""
    name: int | None = None
    nth: int | None = None
    html: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One text part: its body, what may change in it (in order), where pixel and footer go.

    `shown` is how many links an HTML document has outside comments; None for plain text.
    """

    part: Part
    body: transfer.Body
    slots: Sequence[Slot]
    pixel: int | None
    shown: int | None
    footer: int | None = None

    @property
    def is_tracked(self) -> bool:
        """Whether it gets a pixel, or a link to wrap."""
        return self.pixel is not None or any(slot.target is not None for slot in self.slots)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that may change in one message."""

    raw: bytes
    parts: tuple[Part, ...]
    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    footer: str = ""

    def render(self, links: Links, *, verified: bool = False) -> Rewritten | Untouched:
        """One copy of the message, with URLs minted by `links`.

        It is read a second time, unless a copy of this plan was `verified` before.
        """
        copy = _Copy(links, self.footer)
        try:
            edits = [
                edit
                for document in self.documents
                for edit in copy.edit(self.raw, document, verified=verified)
            ]
        except Doubt as doubt:
            return Untouched(doubt.reason, self.skipped, self.parts)
        skipped = self.skipped + tuple(copy.skipped)
        if not edits:
            return Untouched("nothing to track", skipped, self.parts)
        return Rewritten(
            message=transfer.splice(self.raw, edits),
            links=tuple(copy.links),
            pixel=copy.pixel,
            skipped=skipped,
            restored=tuple(copy.restored),
            parts=self.parts,
        )


class _Copy:
    """One rendering: what it mints and what it keeps of it."""

    def __init__(self, links: Links, footer: str) -> None:
        self._mint = links
        self._footer = footer
        self.links: list[Link] = []
        self.skipped: list[Skipped] = []
        self.restored: list[Restored] = []
        self.pixel: str | None = None

    def edit(self, raw: bytes, document: Document, *, verified: bool) -> Iterator[transfer.Edit]:
        """A document's edits, with offsets from the message's start."""
        put = None if verified else verify.Put(document.shown)
        edits = [*self._fill(document, put), *self._insert(document, put)]
        if not edits:
            return
        edits.sort(key=lambda edit: edit.start)
        encoded = list(document.body.encode(edits))
        begin, end = document.part.body.start, document.part.body.end
        if put is not None:
            result = document.body.decode(transfer.splice(raw[begin:end], encoded))
            verify.check_splice(document.body, edits, result)
            verify.check_document(result, put)
        for edit in encoded:
            yield transfer.Edit(edit.start + begin, edit.end + begin, edit.new)

    def _fill(self, document: Document, put: verify.Put | None) -> list[transfer.Edit]:
        part, edits = document.part.number, list[transfer.Edit]()
        for slot in document.slots:
            if slot.target is not None and len(self.links) >= MAX_LINKS:
                self.skipped.append(Skipped(part, _shown(slot.target), "too many links"))
                continue
            new = slot.new if slot.target is None else self._click(slot.target)
            edit = transfer.Edit(slot.start, slot.end, new, slot.name)
            if not document.body.fits(edit, edits):
                shown = _shown(slot.target or slot.new)
                self.skipped.append(Skipped(part, shown, "line too long"))
                continue
            if slot.target is None:
                plain = new if slot.name is None else decode_attribute(new.decode()).encode()
                self.restored.append(Restored(part, plain or None))
            else:
                self.links.append(Link(len(self.links), slot.target, slot.html, part))
            if put is not None:
                put.note(slot.nth, new, in_tag=slot.name is not None)
            edits.append(edit)
        return edits

    def _click(self, target: bytes) -> bytes:
        return _check_minted(self._mint.click(target, len(self.links)))

    def _insert(self, document: Document, put: verify.Put | None) -> Iterator[transfer.Edit]:
        """Footer and pixel, as one where they have one place."""
        new: dict[int, str] = {}
        if document.footer is not None:
            url = _check_minted(self._mint.notice()).decode("ascii")
            new[document.footer] = compose(self._footer).format(url)
            if put is not None:
                put.notice = url
        if document.pixel is not None:
            url = _check_minted(self._mint.pixel()).decode("ascii")
            new[document.pixel] = new.get(document.pixel, "") + PIXEL.format(url)
            self.pixel = document.part.number
            if put is not None:
                put.pixel = url
        for at, html in new.items():
            yield transfer.Edit(at, at, html.encode("ascii"), block=True)


def _shown(target: bytes) -> str:
    return target[:SHOWN].decode("ascii")


def _check_minted(url: str) -> bytes:
    """A URL that can stand in any attribute, quoted or not, and means itself there."""
    if _MINTED.fullmatch(url) is None:
        raise Doubt("a minted URL is unusable")
    return url.encode("ascii")
