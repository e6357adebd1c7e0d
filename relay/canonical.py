"""DKIM's relaxed form of a message (RFC 6376 §3.4.2 and §3.4.4). Pure.

What is given is CRLF-clean (see transparency.py); bodies come in pieces, cut anywhere.
"""

from collections.abc import Iterable
from hashlib import sha256

_BLANKS = b" \t\r\n"
_TAB_IS_SPACE = bytes.maketrans(b"\t", b" ")


def relaxed_field(field: bytes) -> bytes:
    """A header field with its final CRLF, on one line, without blanks that mean nothing."""
    name, _, value = field.partition(b":")
    unfolded = _squeezed(value.replace(b"\r\n", b""))
    return name.rstrip(b" \t").lower() + b":" + unfolded.strip(b" ") + b"\r\n"


def body_hash(chunks: Iterable[bytes]) -> bytes:
    """SHA-256 of a body's relaxed form.

    Blanks at the end of a piece wait for the next one, so no run of them is ever cut. Those at the
    very end are spaces and empty lines, which become the last line's end; without any text before
    them they are nothing.
    """
    digest = sha256()
    waiting: list[bytes] = []
    has_text = False
    for chunk in chunks:
        text = chunk.rstrip(_BLANKS)
        if text:
            digest.update(_squeezed(b"".join((*waiting, text))).replace(b" \r\n", b"\r\n"))
            waiting.clear()
            has_text = True
        waiting.append(chunk[len(text) :])
    if has_text:
        digest.update(b"\r\n")
    return digest.digest()


def _squeezed(text: bytes) -> bytes:
    """With one space for each run of spaces and tabs: a few passes, each in C."""
    text = text.translate(_TAB_IS_SPACE)
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text
