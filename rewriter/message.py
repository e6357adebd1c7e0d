"""The public entries: a message's bytes in, the same bytes with a pixel and wrapped links out.

Find once, render many: `plan` reads the message and knows every place that may change; the plan
renders copies with the URLs minted for each. Any doubt gives `Untouched`, and the message goes out
as it came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rewriter import charset, mime, transfer
from rewriter.contract import (
    Doubt,
    Links,
    Own,
    Part,
    Rewritten,
    Skipped,
    Tracking,
    Untouched,
)
from rewriter.hypertext import Hypertext
from rewriter.plan import Document, Plan
from rewriter.targets import Exempt, names_own
from rewriter.text import find_links

_PGP = re.compile(rb"-----BEGIN PGP (?:SIGNED )?MESSAGE-----")


def rewrite(
    raw: bytes, *, tracking: Tracking, links: Links, own: Own | None = None
) -> Rewritten | Untouched:
    """Puts in what `tracking` asks for, and takes out what `own` knows as ours from before.

    `raw` is a whole message (RFC 5322), its lines ended by CRLF or LF. In the result every byte
    but link targets and pixels is the byte of `raw`. Time is linear in its size.
    """
    planned = plan(raw, tracking=tracking, own=own)
    return planned if isinstance(planned, Untouched) else planned.render(links)


def plan(raw: bytes, *, tracking: Tracking, own: Own | None = None) -> Plan | Untouched:
    """Finds what may change in a message, or why nothing may."""
    if not (tracking.opens or tracking.clicks or own):
        return Untouched("tracking is off")
    try:
        structure = mime.read_structure(raw, resigned=tracking.resigned)
        finder = _Finder(raw, structure.unsubscribe, tracking, own)
        documents = finder.read(structure.parts)
        documents = _with_footer(documents) if tracking.footer else documents
    except Doubt as doubt:
        return Untouched(doubt.reason)
    parts, skipped = tuple(finder.parts), tuple(finder.skipped)
    if documents:
        return Plan(raw, parts, documents, skipped, tracking.footer)
    if not (tracking.opens or tracking.clicks):
        return Untouched("tracking is off", skipped, parts)
    has_html = any(part.media_type == "text/html" for part in parts)
    return Untouched("nothing to track" if has_html else "no HTML part", skipped, parts)


def _with_footer(documents: Sequence[Document]) -> tuple[Document, ...]:
    """The first document that is tracked has the footer. Raises `Doubt` where it has no place."""
    tracked = [document for document in documents if document.is_tracked]
    bearer = next((document for document in tracked if document.footer is not None), None)
    if tracked and bearer is None:
        raise Doubt("no place for the footer")
    return tuple(
        document if document is bearer else replace(document, footer=None) for document in documents
    )


class _Finder:
    """Finds what may change, part by part."""

    def __init__(
        self, raw: bytes, unsubscribe: frozenset[bytes], tracking: Tracking, own: Own | None
    ) -> None:
        self._raw = raw
        self._tracking = tracking
        self._own = own
        self._tracked = tracking.opens or tracking.clicks
        hosts = frozenset(host.lower().rstrip(".") for host in tracking.own_hosts)
        self._exempt = Exempt(hosts, unsubscribe, url_text=tracking.wrap_url_text)
        self._has_pixel = False
        self.parts: list[Part] = []
        self.skipped: list[Skipped] = []

    def read(self, parts: Sequence[Part]) -> tuple[Document, ...]:
        """The documents that may change; the first that takes it gets the pixel, if one may."""
        documents: list[Document] = []
        for part in parts:
            document = self._read(part)
            if document is not None:
                documents.append(document)
        taken = self._has_pixel
        for index, document in enumerate(documents):
            if document.pixel is not None:
                documents[index] = replace(document, pixel=None) if taken else document
                taken = True
        return tuple(each for each in documents if each.slots or each.pixel is not None)

    def _read(self, part: Part) -> Document | None:
        document = None
        if part.rule is None:
            read = self._read_html if part.media_type == "text/html" else self._read_text
            try:
                document = read(part)
            except Doubt as doubt:
                if doubt.of_message:
                    raise
                part = replace(part, rule=doubt.reason)
            else:
                if document.shown is None and not (document.slots or self._tracking.text_links):
                    part = replace(part, rule="plain text")
        self.parts.append(part)
        return document

    def _read_html(self, part: Part) -> Document:
        body = self._open(part)
        if not (self._tracked or names_own(body.decoded, self._exempt)):
            return Document(part, body, slots=(), pixel=None, shown=0)
        found = Hypertext(body.decoded, part, self._exempt, self._own)
        links = found.links(clicks=self._tracking.clicks)
        slots = sorted(links, key=lambda slot: slot.start)
        pixel = found.place_pixel() if self._tracking.opens else None
        footer = found.place_footer() if self._tracking.footer else None
        self.skipped += found.skipped
        self._has_pixel = self._has_pixel or found.has_pixel
        return Document(part, body, slots, pixel, found.shown, footer)

    def _read_text(self, part: Part) -> Document:
        body = self._open(part)
        clicks = self._tracking.clicks and self._tracking.text_links
        found = find_links(body.decoded, part, self._exempt, self._own, self.skipped, clicks=clicks)
        return Document(part, body, tuple(found), pixel=None, shown=None)

    def _open(self, part: Part) -> transfer.Body:
        if part.charset and not charset.keeps_ascii(part.charset):
            raise Doubt("charset")
        encoded = self._raw[part.body.start : part.body.end]
        body = transfer.open_body(part.encoding, encoded, part.newline)
        if _PGP.search(body.decoded):
            raise Doubt("inline PGP", of_message=True)
        if len(body.decoded) > self._tracking.max_html:
            raise Doubt("text too large")
        if b"\x00" in body.decoded:
            raise Doubt("NUL bytes")
        return body
