"""Character references in attribute values, by the WHATWG rules for attributes.

Source: HTML Living Standard, 13.2.5.72 to 13.2.5.80. `html.unescape` follows the rules for text,
where `&region=` becomes `®ion=`: in an attribute a named reference without its semicolon stays
literal before `=` or an alphanumeric.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5

_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|([a-zA-Z][a-zA-Z0-9]*)(;?)(=?))")


def decode_attribute(value: str) -> str:
    """The value a browser sees for an attribute written as `value`.

    References to code points that HTML forbids come back as U+0001, so that nobody mistakes the
    value for a clean one.
    """
    if "&" not in value:
        return value
    return _REFERENCE.sub(_replace, value)


def encode_attribute(value: bytes) -> bytes:
    """A printable ASCII value as it can stand in any attribute, whatever its quotes."""
    for character, reference in _REFERENCES:
        value = value.replace(character, reference)
    return value


_REFERENCES = (
    (b"&", b"&amp;"),
    (b'"', b"&quot;"),
    (b"'", b"&#39;"),
    (b"<", b"&lt;"),
    (b">", b"&gt;"),
)


def _number(written: str) -> str:
    """The character with this number, in decimal or behind an "x"."""
    base, digits = ("x", written[1:]) if written[0] in "xX" else ("", written)
    digits = digits.lstrip("0") or "0"
    # No character has a number of so many digits, and Python reads none of 4,300.
    return "\ufffd" if len(digits) > 7 else unescape(f"&#{base}{digits};") or "\x01"


def _replace(match: re.Match[str]) -> str:
    name, semicolon, equals = match[1], match[2], match[3]
    if name is None:
        return _number(match[0][2:].rstrip(";"))
    if semicolon and name + ";" in html5:
        return html5[name + ";"] + equals
    if not equals and name in html5:
        return html5[name] + semicolon
    return match[0]
