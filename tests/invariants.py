"""What must hold of the rewriter whatever bytes it is given.

Hypothesis (tests/rewriter/test_properties.py) and the coverage-guided run (tests/fuzz) both ask
`check`. It walks each changed text beside the old one, so that every byte is either the byte it
was or an edit in a place that the plan told of; the standard library and lxml, which know nothing
of the plan, say that each place is what it is taken for.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from email import message_from_bytes

from e2e.oracle import normalise
from lxml import etree
from mails import OWN_HOST, Mint

from rewriter import Part, Plan, Rewritten, Tracking, Untouched, plan, rewrite
from rewriter.footer import compose
from rewriter.mime import read_structure
from rewriter.plan import PIXEL, Document

TAIL = "aW52YXJpYW50"  # a message that holds it already proves nothing
MINT = Mint(tail=TAIL)
IMAGE = PIXEL.format(MINT.pixel()).encode()
FOOTER = "Tracked. {Say no} here"
FOOTED = compose(FOOTER).format(MINT.notice()).encode()
CLICK = re.compile(f"https://{OWN_HOST}/c/([0-9]+)-{TAIL}".encode())
IDENTITY = ("7bit", "8bit", "binary")
LIMITS = {"quoted-printable": 76, "base64": 76} | dict.fromkeys(IDENTITY, 998)
TRAILING = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n|\Z)")
# Bytes that lxml would decode or refuse stand for themselves in no link of ours.
VIEW = bytes(b if b in b"\t\n\r" or 0x20 <= b < 0x7F else 0x7F for b in range(256))
FRAME = ("html", "head", "body")  # there is always one, wherever its tags stand


@dataclass(frozen=True)
class Ours:
    """Knows what one rewriting minted."""

    targets: dict[str, bytes]

    def target(self, url: str) -> bytes | None:
        return self.targets.get(url)

    def is_pixel(self, url: str) -> bool:
        return url == MINT.pixel()

    def is_notice(self, url: str) -> bool:
        return url == MINT.notice()


def check(raw: bytes, tracking: Tracking) -> Rewritten | Untouched:
    """Rewrites `raw`; raises AssertionError where anything is not as it should be."""
    result = rewrite(raw, tracking=tracking, links=Mint(tail=TAIL))
    if TAIL.encode() in raw:
        return result
    if isinstance(result, Untouched):
        assert result.reason
        return result
    planned = plan(raw, tracking=tracking)
    assert isinstance(planned, Plan)
    assert planned.render(Mint(tail=TAIL)) == result, "find once, render many: the same copy"
    check_told(result, tracking)
    check_outside(raw, result)
    check_structure(raw, result)
    for document in planned.documents:
        check_text(raw, result, document)
    check_second_pass(result, tracking)
    check_way_home(result, tracking)
    return result


def check_told(result: Rewritten, tracking: Tracking) -> None:
    """What is told of the edits is what stands in the message."""
    read = {part.number for part in result.parts if part.rule is None}
    assert len({part.number for part in result.parts}) == len(result.parts)
    assert changed(result) <= read, "a part that was left alone has changed"
    assert {skipped.part for skipped in result.skipped} <= read
    assert tracking.clicks or not result.links
    assert tracking.opens or not result.pixel
    for part in parts_of(result.message):
        if part.number in read:
            text = decode(result.message, part)
            told = [link.ordinal for link in result.links if link.part == part.number]
            assert sorted(int(each) for each in CLICK.findall(text)) == told
            assert text.count(IMAGE) == (part.number == result.pixel)
    texts = [decode(result.message, part) for part in parts_of(result.message)]
    tracked = bool(result.pixel or result.links)
    assert sum(each.count(FOOTED) for each in texts) == (tracked and bool(tracking.footer))
    assert all(isinstance(link.label, str) for link in result.links)


def check_outside(raw: bytes, result: Rewritten) -> None:
    """Byte for byte, all but the bodies of changed parts is what it was."""
    before, after = result.parts, parts_of(result.message)
    assert [part.number for part in before] == [part.number for part in after]
    edited = changed(result)
    assert list(gaps(raw, before, edited)) == list(gaps(result.message, after, edited))


def check_structure(raw: bytes, result: Rewritten) -> None:
    """The standard library's parser sees the same headers, boundaries and other parts."""
    befores, afters = (list(message_from_bytes(each).walk()) for each in (raw, result.message))
    assert [list(each.raw_items()) for each in befores] == [
        list(each.raw_items()) for each in afters
    ]
    pairs = list(zip(befores, afters, strict=True))
    assert all(old.preamble == new.preamble and old.epilogue == new.epilogue for old, new in pairs)
    leaves = [pair for pair in pairs if not pair[0].is_multipart()]
    # get_payload() would decode the charset, and fail on some.
    differ = sum(old._payload != new._payload for old, new in leaves)
    assert differ <= len(changed(result)), "another part has changed"


def check_text(raw: bytes, result: Rewritten, document: Document) -> None:
    """One part: the same text but for the edits, the same tree, short lines."""
    number = document.part.number
    part = next(part for part in parts_of(result.message) if part.number == number)
    was, now = decode(raw, document.part), decode(result.message, part)
    assert was == document.body.decoded, "we decode as the standard library does"
    walk(was, now, document)
    if document.shown is not None:
        check_tree(was, now, result)
    longest, before = (
        max(map(len, re.split(rb"\r?\n", message[each.body.start : each.body.end])))
        for message, each in ((result.message, part), (raw, document.part))
    )
    limit = LIMITS[part.encoding]
    # What was too long already may end with a soft break now.
    assert longest <= (limit if before <= limit else before + 1), "a line is too long"


def walk(was: bytes, now: bytes, document: Document) -> None:
    """Raises AssertionError unless `now` is `was` with edits in the plan's places.

    In 7bit and 8bit, white space in a tag round an edited attribute may give way to a line's end.
    """
    at = came = 0
    newline = document.part.newline if document.part.encoding in IDENTITY else None

    def copy(to: int) -> None:
        nonlocal at, came
        assert now.startswith(was[at:to], came), f"changed near {was[at : at + 60]!r}"
        came += to - at
        at = to

    def change(to: int, new: bytes) -> None:
        nonlocal at, came
        assert now.startswith(new, came), f"not as edited near {was[at : at + 60]!r}"
        came += len(new)
        at = to

    def break_line(before: int, after: int) -> bool:
        """Whether the white space from `before` to `after` became the end of a line."""
        copy(before)
        if newline and now.startswith(newline, came) and was[before:after] != newline:
            change(after, newline)
            return True
        copy(after)
        return False

    def place_block() -> None:
        place, html = blocks.pop(0)
        copy(place)
        alone = newline and now.startswith(newline + html, came)
        change(at, newline + html + newline if newline and alone else html)

    blocks = blocks_of(document)
    for slot in document.slots:
        while blocks and blocks[0][0] <= slot.start:
            place_block()
        broken = False
        if slot.name is not None:
            space = was[slot.name - 1 : slot.name] in (b" ", b"\t")
            broken = break_line(slot.name - space, slot.name)
        copy(slot.start)
        url = CLICK.match(now, came)
        if slot.target is None and now.startswith(slot.new, came):
            change(slot.end, slot.new)
        elif url:
            change(slot.end, url[0])
        if broken:
            quote = was[slot.end : slot.end + 1] in (b'"', b"'")
            end = slot.end + quote
            assert break_line(end, end + (was[end : end + 1] in (b" ", b"\t")))
    while blocks:
        place_block()
    copy(len(was))
    assert came == len(now), "something was added at the end"


def blocks_of(document: Document) -> list[tuple[int, bytes]]:
    """What is put in, in order, and where; one block where footer and pixel have one place."""
    if document.footer is not None and document.footer == document.pixel:
        return [(document.footer, FOOTED + IMAGE)]
    places = ((document.footer, FOOTED), (document.pixel, IMAGE))
    return sorted((place, html) for place, html in places if place is not None)


def check_tree(was: bytes, now: bytes, result: Rewritten) -> None:
    """lxml's trees are equal but for hrefs and the pixel, and each link leads where it did."""
    if b"\x1b" in was or b"\x0e" in was:  # runs of another charset, which the view cannot mask
        return
    befores = list(elements(was))
    afters = [each for each in elements(now) if not is_put_in(each)]
    assert [shape(each) for each in befores] == [shape(each) for each in afters], "tree"
    for before, after in zip(befores, afters, strict=True):
        old, new = before.get("href") or "", after.get("href") or ""
        if url := CLICK.fullmatch(new.encode()):
            target = result.links[int(url[1])].target.decode()
            assert "\x7f" in old or normalise(old) == target, "leads elsewhere"
        else:
            assert old == new or old.lower().replace("+notrack", "", 1) == new.lower()


def is_put_in(element: etree._Element) -> bool:
    """Whether it is the pixel, the footer, or the footer's link."""
    footer = element.get("data-letterbell") == "footer"
    return footer or MINT.pixel() == element.get("src") or MINT.notice() == element.get("href")


def check_second_pass(result: Rewritten, tracking: Tracking) -> None:
    """No second pixel, and no link that is wrapped twice."""
    second = rewrite(result.message, tracking=tracking, links=Mint(tail="c2Vjb25k"))
    if isinstance(second, Rewritten):
        # A part that has grown too large is not read, so its pixel is not seen.
        unread = any(part.rule == "text too large" for part in second.parts)
        assert unread or not (result.pixel and second.pixel)
        assert not any(CLICK.match(link.target) for link in second.links)


def check_way_home(result: Rewritten, tracking: Tracking) -> None:
    """With tracking off every link of ours is restored to its target, and the pixel goes."""
    own = Ours({MINT.click(b"", link.ordinal): link.target for link in result.links})
    off = replace(tracking, opens=False, clicks=False, max_html=2_000_000, footer="")
    home = rewrite(result.message, tracking=off, links=Mint(), own=own)
    unread = any(part.rule == "text too large" for part in result.parts)
    grown = any(skipped.rule == "line too long" for skipped in home.skipped)
    if unread or grown or not (result.links or result.pixel):
        return
    assert isinstance(home, Rewritten), home
    found = [restored.target for restored in home.restored if restored.target is not None]
    assert found == [link.target for link in result.links]
    put_in = (result.pixel is not None) + bool(tracking.footer)
    assert len(home.restored) - len(found) == put_in
    assert TAIL.encode() not in b"".join(decode(home.message, part) for part in home.parts)


def changed(result: Rewritten) -> set[str]:
    """The numbers of the parts with edits."""
    told = {each.part for each in (*result.links, *result.restored)}
    return told | ({result.pixel} if result.pixel else set())


def parts_of(message: bytes) -> tuple[Part, ...]:
    return read_structure(message).parts


def gaps(message: bytes, parts: Iterable[Part], edited: set[str]) -> Iterator[bytes]:
    """What lies outside the bodies of the edited parts."""
    at = 0
    for part in parts:
        if part.number in edited:
            yield message[at : part.body.start]
            at = part.body.end
    yield message[at:]


def decode(message: bytes, part: Part) -> bytes:
    """A part's text by the standard library; of an encoding it does not know, as it is."""
    encoded = message[part.body.start : part.body.end]
    if part.encoding == "base64":
        with suppress(binascii.Error):
            return binascii.a2b_base64(encoded)
    if part.encoding == "quoted-printable":
        # White space at a line's end is not part of the text, RFC 2045 §6.7 (3).
        return binascii.a2b_qp(TRAILING.sub(b"", encoded))
    return encoded


def elements(html: bytes) -> Iterator[etree._Element]:
    """All elements and comments, but those that a parser adds by itself."""
    parser = etree.HTMLParser(encoding="iso-8859-1", huge_tree=True)
    root = etree.fromstring(b"<html>" + html.translate(VIEW), parser)
    for top in (*root.itersiblings(preceding=True), root, *root.itersiblings()):
        for element in top.iter():
            if element.tag not in FRAME and (element.tag != "p" or element.attrib):
                yield element


def shape(element: etree._Element) -> tuple[object, ...]:
    """What may not change: the tag, and all attributes but href."""
    if not isinstance(element.tag, str):
        return (element.tag,)
    return element.tag, [pair for pair in element.items() if pair[0] != "href"]
