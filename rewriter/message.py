"""The one public entry: a message's bytes in, the same bytes with a pixel and wrapped links out.

Find once, render many: `plan` reads the message and knows every place that may change, a plan
renders a copy with the URLs minted for it. What is rendered is read a second time before it is
given out. Any doubt gives `Untouched`, and the message goes out as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rewriter import charset, mime, transfer, verify
from rewriter.contract import Doubt, Link, Links, Rewritten, Skipped, Tracking, Untouched
from rewriter.markup import Anchor, Findings, Span, read_markup
from rewriter.targets import Exempt, opts_out, read_target

PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'
# Gmail cuts a message off past 102 kB, and with it what stands at its end.
CLIPPED = 100_000
_LABEL = 500
_PGP = re.compile(rb"-----BEGIN PGP (?:SIGNED )?MESSAGE-----")
_MINTED = re.compile(r"https?://[!#$%()*+,\-./0-9:;?@A-Z\[\\\]^_a-z{|}~]+")


@dataclass(frozen=True, slots=True)
class Slot:
    """An href whose value may become a minted URL."""

    name: int
    value: Span
    target: bytes
    html: str
    in_comment: bool


@dataclass(frozen=True, slots=True)
class Document:
    """One HTML part: its body, the links that may be wrapped, and where the pixel goes."""

    part: mime.Part
    body: transfer.Body
    slots: tuple[Slot, ...]
    pixel: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that may change in one message."""

    raw: bytes
    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]

    def render(self, links: Links) -> Rewritten | Untouched:
        """One copy of the message, with URLs minted by `links`; verified."""
        copy = _Copy(links)
        try:
            edits = [edit for document in self.documents for edit in copy.edit(self.raw, document)]
        except Doubt as doubt:
            return Untouched(doubt.reason, self.skipped)
        skipped = self.skipped + tuple(copy.skipped)
        if not edits:
            return Untouched("nothing to track", skipped)
        message = transfer.splice(self.raw, edits)
        return Rewritten(message, tuple(copy.links), copy.pixel, skipped)


def rewrite(raw: bytes, *, tracking: Tracking, links: Links) -> Rewritten | Untouched:
    """Puts in what `tracking` asks for.

    `raw` is a whole message (RFC 5322), its lines ended by CRLF or LF. In the result every byte
    but the wrapped href values and the pixel is the byte of `raw`. Time is linear in its size.
    """
    planned = plan(raw, tracking=tracking)
    return planned if isinstance(planned, Untouched) else planned.render(links)


def plan(raw: bytes, *, tracking: Tracking) -> Plan | Untouched:
    """Finds what may change in a message, or why nothing may."""
    if not (tracking.opens or tracking.clicks):
        return Untouched("tracking is off")
    try:
        structure = mime.read_structure(raw)
        _refuse_pgp(raw, structure)
        finder = _Finder(raw, structure, tracking)
        documents = tuple(finder.find())
    except Doubt as doubt:
        return Untouched(doubt.reason)
    skipped = structure.skipped + tuple(finder.skipped)
    if any(document.slots or document.pixel is not None for document in documents):
        return Plan(raw, documents, skipped)
    has_html = documents or skipped
    return Untouched("nothing to track" if has_html else "no HTML part", skipped)


def _refuse_pgp(raw: bytes, structure: mime.Structure) -> None:
    for part in structure.parts:
        if part.encoding != "base64" and _PGP.search(raw, part.body.start, part.body.end):
            raise Doubt("inline PGP")


class _Finder:
    """Finds what may change, part by part; the pixel goes into the first part that takes it."""

    def __init__(self, raw: bytes, structure: mime.Structure, tracking: Tracking) -> None:
        self._raw = raw
        self._parts = [part for part in structure.parts if part.media_type == "text/html"]
        self._tracking = tracking
        self._wants_pixel = tracking.opens
        own = frozenset(host.lower().rstrip(".") for host in tracking.own_hosts)
        self._exempt = Exempt(own, structure.unsubscribe)
        self.skipped: list[Skipped] = []

    def find(self) -> Iterator[Document]:
        for part in self._parts:
            try:
                yield self._read(part)
            except Doubt as doubt:
                self.skipped.append(Skipped(f"{part.media_type} {part.number}", doubt.reason))

    def _read(self, part: mime.Part) -> Document:
        if part.charset and not charset.keeps_ascii(part.charset):
            raise Doubt("charset")
        encoded = self._raw[part.body.start : part.body.end]
        body = transfer.open_body(part.encoding, encoded, part.newline)
        decoded = body.decoded
        if len(decoded) > self._tracking.max_html:
            raise Doubt("HTML too large")
        if b"\x00" in decoded:
            raise Doubt("NUL bytes")
        if _PGP.search(decoded):
            raise Doubt("inline PGP")
        found = read_markup(charset.mask_shifted(decoded))
        slots = tuple(self._slots(found, decoded, part.charset)) if self._tracking.clicks else ()
        return Document(part, body, slots, self._place_pixel(found, decoded))

    def _slots(self, found: Findings, decoded: bytes, encoding: str | None) -> Iterator[Slot]:
        for anchor in found.anchors:
            href = anchor.attributes.get(b"href")
            if href is None:
                continue
            target = self._target(anchor, decoded, encoding)
            if isinstance(target, Skipped):
                self.skipped.append(target)
                continue
            inner = decoded[anchor.inner.start : min(anchor.inner.end, anchor.inner.start + _LABEL)]
            html = charset.decode(inner, encoding)
            yield Slot(href.name, href.value, target, html, anchor.in_comment)

    def _target(self, anchor: Anchor, decoded: bytes, encoding: str | None) -> bytes | Skipped:
        values = {
            name: decoded[attribute.value.start : attribute.value.end]
            for name, attribute in anchor.attributes.items()
        }
        try:
            value = values[b"href"].decode(
                "ascii" if values[b"href"].isascii() else encoding or "utf-8"
            )
        except (LookupError, ValueError):
            return Skipped(values[b"href"].decode("latin-1"), "undecodable")
        if opts_out(values):
            return Skipped(value, "opt-out")
        return read_target(value, self._exempt)

    def _place_pixel(self, found: Findings, decoded: bytes) -> int | None:
        if not self._wants_pixel or not decoded.strip():
            return None
        if self._holds_own_pixel(decoded):
            self._wants_pixel = False
            self.skipped.append(Skipped("pixel", "own pixel"))
            return None
        place = _pixel_place(found, decoded)
        self._wants_pixel = place is None
        return place

    def _holds_own_pixel(self, decoded: bytes) -> bool:
        """Whether an image of ours is there already: a second pass, or a quoted mail."""
        lowered = decoded.lower()
        for host in self._exempt.own_hosts:
            for url in re.finditer(b"//" + re.escape(host.encode()) + b"[:/]", lowered):
                tag = lowered.rfind(b"<", max(0, url.start() - 1_000), url.start())
                if tag >= 0 and lowered.startswith(b"<img", tag):
                    return True
        return False


def _pixel_place(found: Findings, decoded: bytes) -> int | None:
    """Where a reader surely loads an image and nobody sees it; None where no place is sure."""
    if found.framed:
        return None
    if len(decoded) > CLIPPED and found.body_start is not None:
        return found.body_start
    if found.body_end is not None:
        return found.body_end
    if found.html_end is not None:
        return found.html_end
    # Before the last line's end, so that the message still ends with one.
    return len(decoded.rstrip()) if found.ends_in_text else None


class _Copy:
    """One rendering: mints, edits, verifies, and keeps what was done."""

    def __init__(self, links: Links) -> None:
        self._mint = links
        self.links: list[Link] = []
        self.skipped: list[Skipped] = []
        self.pixel = False

    def edit(self, raw: bytes, document: Document) -> Iterator[transfer.Edit]:
        """A document's edits, verified, with offsets from the message's start."""
        put = verify.Put()
        edits = [*self._wrap(document, put), *self._insert_pixel(document, put)]
        if not edits:
            return
        edits.sort(key=lambda edit: edit.start)
        begin = document.part.body.start
        encoded = list(document.body.encode(edits))
        result = transfer.splice(raw[begin : document.part.body.end], encoded)
        verify.check_document(document.body.decode(result), put)
        for edit in encoded:
            yield transfer.Edit(edit.start + begin, edit.end + begin, edit.new)

    def _wrap(self, document: Document, put: verify.Put) -> Iterator[transfer.Edit]:
        for slot in document.slots:
            url = _check_minted(self._mint.click(slot.target, len(self.links)))
            if len(url) > document.body.longest:
                self.skipped.append(Skipped(slot.target.decode("ascii")[:200], "line too long"))
                continue
            (put.in_comments if slot.in_comment else put.links).append(url)
            self.links.append(Link(len(self.links), slot.target, slot.html))
            yield transfer.Edit(slot.value.start, slot.value.end, url.encode("ascii"), slot.name)

    def _insert_pixel(self, document: Document, put: verify.Put) -> Iterator[transfer.Edit]:
        if document.pixel is not None:
            put.pixel = _check_minted(self._mint.pixel())
            self.pixel = True
            new = PIXEL.format(put.pixel).encode("ascii")
            yield transfer.Edit(document.pixel, document.pixel, new)


def _check_minted(url: str) -> str:
    """A URL that can stand in any attribute, quoted or not, and means itself there."""
    if _MINTED.fullmatch(url) is None:
        raise Doubt("a minted URL is unusable")
    return url
