"""The first words of a message, for the list of its sender.

They are read while mail waits: so a few thousand bytes are looked at, by the parts that the
rewriter has found, and no tree is built.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator, Sequence
from html import unescape

from rewriter import charset
from rewriter.contract import Part

LENGTH = 140
# Bytes that are looked at, before and after it is seen that they hold little text.
_WINDOWS = (1_500, 8_000)
_BASE64 = 32_000  # bytes of base64 that are decoded to find where a body begins
_ENOUGH = 40  # characters
_LOOKED_AT = 600  # characters of text in which entities are read
_READABLE = (None, "plain text")  # the rules of parts that were read

_INLINE = re.compile(
    r"</?(?:a|abbr|b|big|code|em|font|i|mark|s|small|span|strong|sub|sup|u|wbr)(?=[\s/>])[^>]*>",
    re.IGNORECASE,
)
# A comment, what is not shown with all that it holds, any other tag; without an end, all the rest.
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(head|style|script|title)(?=[\s/>]).*?(?:</\1\s*>|\Z)"
    r"|<[a-z/!?][^>]*(?:>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_URL = re.compile(r"<?https?://\S+")
_SPACES = re.compile(r"\s+")
_PRINTABLE = "".join(map(chr, range(33, 127)))


def read_beginning(raw: bytes, parts: Sequence[Part], length: int = LENGTH) -> str:
    """At most `length` characters of the first part with any text, on one line; whole words.

    `parts` are those of a plan, or of `Untouched`. Addresses of pages are left out, and in HTML
    whatever is no text. Returns `""` where there is nothing to read; never fails.
    """
    for part in parts:
        if part.rule in _READABLE:
            text = ""
            for head, is_whole in _heads(raw, part):
                text = _read(head, is_html=part.media_type == "text/html")
                if not is_whole:  # its last word may go on
                    text = text.rpartition(" ")[0] or text.rstrip(_PRINTABLE)
                if len(text) >= _ENOUGH:
                    break
            if text:
                return _cut(text, length)
    return ""


def _heads(raw: bytes, part: Part) -> Iterator[tuple[str, bool]]:
    """The part's text from its begin, or its body's: ever more, and whether that is all."""
    start, end = part.body.start, part.body.end
    if part.encoding == "base64":
        encoded = raw[start : min(end, start + _BASE64)].translate(None, b" \t\r\n")
        raw, start = _decode_base64(encoded), 0
        end = len(raw) + max(0, end - part.body.start - _BASE64)
    if part.media_type == "text/html":
        start = max(start, raw.find(b"<body", start, end), raw.find(b"<BODY", start, end))
    for window in _WINDOWS:
        is_whole = start + window >= end
        octets = raw[start : min(end, start + window)]
        if not is_whole:
            octets = octets[: octets.rfind(b"\n") + 1] or octets
        if part.encoding == "quoted-printable":
            octets = binascii.a2b_qp(octets)
        yield _spell(octets, part.charset, is_whole=is_whole), is_whole
        if is_whole:
            return


def _decode_base64(encoded: bytes) -> bytes:
    """As much as is whole of it, or nothing."""
    try:
        return binascii.a2b_base64(encoded[: len(encoded) // 4 * 4])
    except binascii.Error:
        return b""


def _spell(octets: bytes, declared: str | None, *, is_whole: bool) -> str:
    """Undeclared is UTF-8 or, where it cannot be, what Windows writes in the West."""
    if declared is None:
        try:
            return codecs.getincrementaldecoder("utf-8")().decode(octets, is_whole)
        except UnicodeDecodeError:
            return octets.decode("cp1252", "replace")
    return charset.decode(octets, declared)


def _read(text: str, *, is_html: bool) -> str:
    if is_html:
        text = _MARKUP.sub(" ", _INLINE.sub("", text))
    elif "://" in text:
        text = _URL.sub(" ", text)
    text = _SPACES.sub(" ", text.strip()[:_LOOKED_AT])
    if is_html and "&" in text:
        text = unescape(text)
    if not text.isascii():
        # Mail programs are given invisible characters to fill their own lists with.
        text = "".join(each for each in text if each.isprintable() and each != "\u034f")
    return " ".join(text.split())


def _cut(text: str, length: int) -> str:
    """No word in two, and so no address: what is left of one would not be found again."""
    if len(text) <= length:
        return text
    head = text[:length]
    if text[length] != " ":
        space = head.rfind(" ")
        head = head[:space] if space >= length // 2 else head.rstrip(_PRINTABLE) or head
    return head.rstrip()
