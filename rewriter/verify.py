"""A second reading of what was rewritten, by lxml: a doubt means that the original goes out.

The result alone proves enough: each minted URL must be the whole href of a link, all of them and
in order; one image must be the pixel; and a URL minted for a conditional comment must lie in one.
lxml only reads here. It gets an ASCII view of the document, so that no charset can disturb it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lxml import etree

from rewriter.contract import Doubt

# Bytes that lxml would refuse or decode stand for themselves in no link of ours.
_VIEW = bytes(b if b in b"\t\n\r" or 0x20 <= b < 0x7F else 0x7F for b in range(256))
_PARSER = etree.HTMLParser(encoding="iso-8859-1", recover=True, huge_tree=True, remove_pis=True)


@dataclass(slots=True)
class Put:
    """What was put into one document: minted URLs in order, and the pixel's."""

    links: list[str] = field(default_factory=list)
    in_comments: list[str] = field(default_factory=list)
    pixel: str | None = None


def check_document(html: bytes, put: Put) -> None:
    """Raises `Doubt` unless `html` (decoded) holds exactly what was put into it."""
    try:
        # A root of our own, since a document may be nothing but a comment.
        root = etree.fromstring(b"<html>" + html.translate(_VIEW), _PARSER)
    except etree.LxmlError:
        raise Doubt("verification: the result cannot be read") from None
    minted = set(put.links)
    hrefs = [href for element in root.iter("a", "area") if (href := element.get("href")) in minted]
    if hrefs != put.links:
        raise Doubt("verification: a link is not where it should be")
    if put.pixel and sum(image.get("src") == put.pixel for image in root.iter("img")) != 1:
        raise Doubt("verification: the pixel is not where it should be")
    if put.in_comments:
        comments = "".join(map(str, root.xpath("//comment()")))
        if any(comments.count(url) < count for url, count in Counter(put.in_comments).items()):
            raise Doubt("verification: a link in a comment is not where it should be")
