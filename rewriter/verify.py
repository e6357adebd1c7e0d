"""A second reading of what was rewritten: a doubt means that the original goes out.

The standard library decodes the new body, which must be the old text with just the edits made. In
HTML lxml must then find as many links as we did, the changed ones at their places, each with the
whole of its new value; the pixel as one image; and what was put into a conditional comment in
comments. Neither writes: they only read, lxml an ASCII view that no charset can disturb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lxml import etree

from rewriter import transfer
from rewriter.charset import mask_shifted
from rewriter.contract import Doubt
from rewriter.entities import decode_attribute

# Bytes that lxml would refuse or decode stand for themselves in no link of ours.
_VIEW = bytes(b if b in b"\t\n\r" or 0x20 <= b < 0x7F else 0x7F for b in range(256))


@dataclass(slots=True)
class Put:
    """What was put into one document.

    `shown` is its number of links outside comments, None for plain text; `hrefs` are the new
    values by their index among those; `in_comments` new values as written, in order. The `notice`
    is the URL of the footer's link, which is not among them.
    """

    shown: int | None
    hrefs: dict[int, str] = field(default_factory=dict)
    in_comments: list[str] = field(default_factory=list)
    pixel: str | None = None
    notice: str | None = None

    def note(self, nth: int | None, new: bytes, *, in_tag: bool) -> None:
        """Remembers one value."""
        if nth is not None:
            self.hrefs[nth] = decode_attribute(new.decode("ascii"))
        elif in_tag:
            self.in_comments.append(new.decode("ascii"))


def check_splice(body: transfer.Body, edits: Sequence[transfer.Edit], result: bytes) -> None:
    """Raises `Doubt` unless `result` is the body's decoded text with the edits made.

    Line breaks that keep a line short stand within tags, and are told from nothing else.
    """
    expected = transfer.splice(body.decoded, edits)
    if result != expected and _unbroken(result) != _unbroken(expected):
        raise Doubt("verification: the text changed elsewhere")


def _unbroken(text: bytes) -> bytes:
    return b"".join(text.split())


def check_document(html: bytes, put: Put) -> None:
    """Raises `Doubt` unless lxml finds in `html` (decoded) what was put into it, in its place."""
    if put.shown is None:
        return
    try:
        found = _read(mask_shifted(html).translate(_VIEW))
    except etree.LxmlError:
        raise Doubt("verification: the result cannot be read") from None
    if put.notice is not None:
        if found.hrefs.count(put.notice) != 1:
            raise Doubt("verification: the footer is not where it should be")
        found.hrefs.remove(put.notice)
    if len(found.hrefs) != put.shown or any(found.hrefs[n] != url for n, url in put.hrefs.items()):
        raise Doubt("verification: a link is not where it should be")
    if put.pixel and found.images.count(put.pixel) != 1:
        raise Doubt("verification: the pixel is not where it should be")
    comments, at = "".join(found.comments), 0
    for url in put.in_comments:
        at = comments.find(url, at) + len(url)
        if at < len(url):
            raise Doubt("verification: a link in a comment is not where it should be")


@dataclass(slots=True)
class _Found:
    hrefs: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def _read(view: bytes) -> _Found:
    """Reads a document by lxml: the links of its anchors, its images and comments."""
    # A parser of its own, since parsers hold state; a root of our own, since a document may be
    # nothing but a comment. What follows </html> becomes a sibling of the root.
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, collect_ids=False)
    root = etree.fromstring(b"<html>" + view, parser)
    found = _Found()
    for top in (*root.itersiblings(preceding=True), root, *root.itersiblings()):
        for node in top.iter("a", "area", "img", etree.Comment):
            if node.tag is etree.Comment:
                found.comments.append(node.text or "")
            elif node.tag == "img":
                found.images.append(node.get("src", ""))
            elif (href := node.get("href")) is not None:
                found.hrefs.append(href)
    return found
