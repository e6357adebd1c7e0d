"""A second, independent reading of what the relay did to a mail.

The standard library's parser reads the MIME, lxml reads the HTML; nothing here knows the rewriter.
`compare` proves that what arrived is what was sent but for our Received header, href values and
the pixel, and says where each wrapped link has to lead.
"""

import re
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from itertools import product
from urllib.parse import quote, urlsplit, urlunsplit

import idna
from lxml import html

RECEIVED = re.compile(rb"\AReceived:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
C0_AND_SPACE = "".join(map(chr, range(0x21)))


@dataclass
class Findings:
    """The wrapped links (URL -> the target it must lead to) and the pixels of one mail."""

    targets: dict[str, str] = field(default_factory=dict)
    pixels: list[str] = field(default_factory=list)


def compare(sent: bytes, arrived: bytes, base: str) -> Findings:
    """Reads both. Raises AssertionError where they differ in anything but what we do."""
    _, arrived = our_received(arrived)
    findings = Findings()
    if arrived == sent:
        return findings
    assert arrived.partition(b"\r\n\r\n")[0] == sent.partition(b"\r\n\r\n")[0], "header"
    parser = BytesParser(policy=compat32)
    befores, afters = (list(parser.parsebytes(raw).walk()) for raw in (sent, arrived))
    assert len(befores) == len(afters), "MIME structure"
    for before, after in zip(befores, afters, strict=True):
        assert before.raw_items is not None
        assert list(before.raw_items()) == list(after.raw_items()), "a part's header"
        if not before.is_multipart():
            _compare_leaf(before, after, base, findings)
    _compare_skeleton(sent, arrived, befores, afters)
    assert len(findings.pixels) <= 1, "one pixel at most"
    return findings


def our_received(arrived: bytes) -> tuple[bytes, bytes]:
    """Our Received header, and all below it."""
    ours = RECEIVED.match(arrived)
    assert ours, "the relay puts its Received header on top"
    return ours[0], arrived[ours.end() :]


def _compare_skeleton(
    sent: bytes, arrived: bytes, befores: list[Message], afters: list[Message]
) -> None:
    """All that is not a changed leaf's body is the same, byte for byte."""
    for before, after in zip(befores, afters, strict=True):
        if before.is_multipart() or _raw_body(before) == _raw_body(after):
            continue
        was, now = _raw_body(before), _raw_body(after)
        pairs = enumerate(zip(sent, arrived, strict=False))
        start = next((at for at, (old, new) in pairs if old != new), min(len(sent), len(arrived)))
        while not (sent.startswith(was, start) and arrived.startswith(now, start)):
            start -= 1
            assert start >= 0, "bytes outside the changed bodies"
        sent, arrived = sent[start + len(was) :], arrived[start + len(now) :]
    assert sent == arrived, "bytes outside the changed bodies"


def _raw_body(leaf: Message) -> bytes:
    # get_payload() would decode the charset.
    return str(leaf._payload).encode("ascii", "surrogateescape")


def _compare_leaf(before: Message, after: Message, base: str, findings: Findings) -> None:
    if _raw_body(before) == _raw_body(after):
        return
    assert before.get_content_type() == "text/html", "only HTML changes"
    was, now = (leaf.get_payload(decode=True) for leaf in (before, after))
    assert isinstance(was, bytes)
    assert isinstance(now, bytes)
    compare_html(was, now, before.get_content_charset() or "utf-8", base, findings)


def compare_html(was: bytes, now: bytes, encoding: str, base: str, findings: Findings) -> None:
    """Adds what one HTML text, sent and arrived, has. Raises AssertionError as `compare` does."""
    gaps = _align(was, now, base, findings)
    read = _read_tree_links(_text(was, encoding), _text(now, encoding), base)
    for url, written in gaps.items():
        if written == url.encode():  # it stood there before, and was left as it was
            continue
        # A link inside a conditional comment is in no tree: its own value is read alone.
        href = read.get(url) or _read_alone(_text(written, encoding))
        findings.targets[url] = normalise(href)
    assert read.keys() <= gaps.keys()


def _align(was: bytes, now: bytes, base: str, findings: Findings) -> dict[str, bytes]:
    """Each wrapped URL with the bytes that stood in its place; everything else is the same."""
    origin = re.escape(base.encode())
    pixel = (
        rb'<img src="(' + origin + rb'/o/[A-Za-z0-9_-]+)" width="1" height="1" '
        rb'alt="" style="display:block;border:0">'
    )
    findings.pixels += [each.decode() for each in re.findall(pixel, now)]
    failure = AssertionError()
    # Where lines are long, the pixel has one of its own.
    for before, after in product((b"", b"\r\n"), repeat=2):
        pieces = re.split(
            rb"(" + origin + rb"/c/[A-Za-z0-9_-]+)", re.sub(before + pixel + after, b"", now)
        )
        try:
            return _gaps(pieces, was)
        except AssertionError as error:
            failure = error
    raise failure


def _gaps(pieces: list[bytes], was: bytes) -> dict[str, bytes]:
    """From literal pieces and URLs in turn: the value that each URL replaced."""
    at = _match(pieces[0], was, 0, first=True)
    gaps: dict[str, bytes] = {}
    for number in range(1, len(pieces), 2):
        before, url, after = pieces[number - 1 : number + 2]
        start = _find(after, was, at, last=number == len(pieces) - 2)
        value = was[at:start]
        ends = before[-1:] if before[-1:] in (b'"', b"'") else rb"\s>"
        assert not re.search(rb"[" + ends + rb"]", value), f"more than a value: {value!r}"
        assert url.decode() not in gaps, "every link has a URL of its own"
        gaps[url.decode()] = value
        at = _match(after, was, start)
    assert at == len(was), "something is lost at the end"
    return gaps


def _pattern(piece: bytes, first: bool) -> re.Pattern[bytes]:
    """The piece as it may have been before: a long line may be broken in the tag, round href."""
    opening, rest = (b"", piece) if first else _opening(piece)
    head, gap, tail = rest, b"", b""
    if found := re.search(rb"(\s+)(href\s*=\s*[\"']?)\Z", rest, re.IGNORECASE):
        head, gap, tail = rest[: found.start()], rb"\s+", found[2]
    return re.compile(opening + re.escape(head) + gap + re.escape(tail))


def _opening(piece: bytes) -> tuple[bytes, bytes]:
    """The value's closing quote and the space behind it, as a pattern; the rest."""
    found = re.match(rb"([\"']?)\s*", piece)
    assert found
    return re.escape(found[1]) + rb"\s*", piece[found.end() :]


def _match(piece: bytes, was: bytes, at: int, first: bool = False) -> int:
    found = _pattern(piece, first).match(was, at)
    assert found, f"changed outside values, near {was[at : at + 60]!r}"
    return found.end()


def _find(piece: bytes, was: bytes, at: int, last: bool) -> int:
    """Where the piece goes on after the value that began at `at`."""
    found = list(_pattern(piece, first=False).finditer(was, at))
    assert found, f"changed outside values, near {was[at : at + 60]!r}"
    return found[-1 if last else 0].start()


def _text(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, "replace")
    except LookupError:
        return raw.decode("latin-1")


def _read_tree_links(was: str, now: str, base: str) -> dict[str, str]:
    """The wrapped links of the tree -> the href that stood there."""
    before, after = (_elements(each) for each in (was, now))
    after = [each for each in after if not _is_pixel(each, base)]
    assert [_shape(each) for each in before] == [_shape(each) for each in after], "tree"
    found = {}
    for old, new in zip(before, after, strict=True):
        if old.get("href") != new.get("href"):
            assert old.tag in ("a", "area")
            assert new.get("href").startswith(f"{base}/c/")
            found[new.get("href")] = old.get("href")
    return found


def _elements(text: str) -> list[html.HtmlElement]:
    """All elements and comments but those that a parser adds by itself."""
    if not text.strip():
        return []
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    tree = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    implied = ("html", "head", "body", "p")
    return [each for each in tree.iter() if each.tag not in implied or each.attrib]


def _is_pixel(element: html.HtmlElement, base: str) -> bool:
    return element.tag == "img" and element.get("src", "").startswith(f"{base}/o/")


def _shape(element: html.HtmlElement) -> tuple[object, ...]:
    """What may not change: the tag, and all attributes but href."""
    if not isinstance(element.tag, str):
        return (element.tag,)
    return element.tag, [(k, v) for k, v in element.items() if k != "href"]


def _read_alone(written: str) -> str:
    return str(html.fragment_fromstring(f'<a href="{written}">x</a>').get("href"))


def normalise(href: str) -> str:
    """Where a browser goes: the URL standard's trimming, spaces as %20, other scripts as ASCII."""
    trimmed = re.sub(r"[\t\r\n]", "", href.strip(C0_AND_SPACE)).replace(" ", "%20")
    if trimmed.isascii():
        return trimmed
    parts = urlsplit(trimmed)
    host = parts.netloc
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    rest = (quote(each, safe="".join(map(chr, range(0x21, 0x7F)))) for each in parts[2:])
    return urlunsplit((parts.scheme, host, *rest))
