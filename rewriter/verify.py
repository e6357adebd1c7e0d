"""A second reading of what was rewritten, by lxml: a doubt means that the original goes out.

The result alone proves enough: each minted URL must be the whole href of a link, all of them and
in order; one image must be the pixel; and a URL minted for a conditional comment must lie in one.
lxml only reads here. It gets an ASCII view of the document, so that no charset can disturb it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from rewriter.charset import mask_shifted
from rewriter.contract import Doubt

# Bytes that lxml would refuse or decode stand for themselves in no link of ours.
_VIEW = bytes(b if b in b"\t\n\r" or 0x20 <= b < 0x7F else 0x7F for b in range(256))


@dataclass(slots=True)
class Put:
    """What was put into one document: minted URLs in order, and the pixel's."""

    links: list[str] = field(default_factory=list)
    in_comments: list[str] = field(default_factory=list)
    pixel: str | None = None


def check_document(html: bytes, put: Put) -> None:
    """Raises `Doubt` unless `html` (decoded) holds exactly what was put into it."""
    try:
        found = _read(mask_shifted(html).translate(_VIEW), set(put.links))
    except etree.LxmlError:
        raise Doubt("verification: the result cannot be read") from None
    if found.links != put.links:
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
    links: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def _read(view: bytes, minted: set[str]) -> _Found:
    """Reads a document by lxml: the minted ones among its links, its images and comments."""
    # A parser of its own, since parsers hold state; a root of our own, since a document may be
    # nothing but a comment. What follows </html> becomes a sibling of the root.
    parser = etree.HTMLParser(encoding="iso-8859-1", huge_tree=True)
    root = etree.fromstring(b"<html>" + view, parser)
    found = _Found()
    for top in (*root.itersiblings(preceding=True), root, *root.itersiblings()):
        for node in top.iter("a", "area", "img", etree.Comment):
            if node.tag is etree.Comment:
                found.comments.append(node.text or "")
            elif node.tag == "img":
                found.images.append(node.get("src", ""))
            elif (href := node.get("href")) in minted:
                found.links.append(href)
    return found
