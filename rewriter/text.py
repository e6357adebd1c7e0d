"""URLs in plain text: wrapped where the sender asks for it; our own old ones lead home again.

Only the URL changes. Where it ends is a guess in plain text (RFC 3986, appendix C), so a URL whose
end is not clear stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from rewriter.charset import mask_shifted
from rewriter.contract import Own, Part, Skipped
from rewriter.plan import SHOWN, Slot
from rewriter.targets import Exempt, read_target

_URL = re.compile(rb"(?<![\w+.\-])https?://[!-;=?-~]+", re.IGNORECASE)
_TRAILING = b".,;:!?'\"*_~|"
_BROKEN = re.compile(rb" \r?\n")
_BRACKETS = {b")": b"(", b"]": b"[", b"}": b"{"}


def find_links(
    decoded: bytes,
    part: Part,
    exempt: Exempt,
    own: Own | None,
    skipped: list[Skipped],
    *,
    clicks: bool,
) -> Iterator[Slot]:
    """The URLs that change, in order; with `clicks`, those left alone go to `skipped`."""
    if not clicks and own is None:
        return
    view = mask_shifted(decoded)
    for match in _URL.finditer(view):
        start, end = match.start(), match.start() + len(_trim(match[0]))
        url = view[start:end].decode("ascii")
        if own and (target := own.target(url)):
            yield Slot(start, end, new=target)
        elif clicks:
            read = _read(view, url, start, match.end(), part, exempt)
            if isinstance(read, str):
                skipped.append(Skipped(part.number, url[:SHOWN], read))
            else:
                yield Slot(start, end, target=read, html=escape(url))


def _read(view: bytes, url: str, start: int, end: int, part: Part, exempt: Exempt) -> bytes | str:
    """The target of a URL as it is written (nothing is decoded in plain text), or a rule."""
    after = view[end : end + 1]
    opened = view[start - 1 : start] == b"<" and after != b">"
    broken = part.joined and _BROKEN.match(view, end)
    if opened or broken or (after and after[0] > 0x7E):
        return "end unclear"
    return read_target(escape(url), exempt)


def _trim(url: bytes) -> bytes:
    """The URL without the punctuation of the sentence that holds it."""
    unopened = {close: url.count(close) - url.count(begin) for close, begin in _BRACKETS.items()}
    end = len(url)
    while True:
        last = url[end - 1 : end]
        if unopened.get(last, 0) > 0:
            unopened[last] -= 1
        elif last not in _TRAILING:
            return url[:end]
        end -= 1
