"""The header block, read as byte spans: nothing here writes.

The content is CRLF-clean (see transparency.py). Fields are taken wherever a line looks like one,
also behind a malformed line: readers differ there, and a check must see what any of them may see.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header

# A name, perhaps blanks (RFC 5322 §4.5.3 obs-fields), the value with its folded lines.
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\r]*(?:\r\n[ \t][^\r]*)*)(?:\r\n|\Z)", re.MULTILINE)
_ENCODED_WORD = re.compile(rb"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=")
_SEPARATORS = re.compile(rb"[\s,;:<>]+")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PIECE = re.compile(rb'[^\\"()]+|\\.|[\\"()]', re.DOTALL)  # plain text, an escape, one special
_MAX_TEXT = 2_000  # octets of a value that are decoded for a person to read


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: its name in lower case, its raw value, its span with the final CRLF."""

    name: bytes
    value: bytes
    start: int
    end: int


def read_fields(content: bytes) -> tuple[Field, ...]:
    """All fields of the message's header block, in order."""
    return tuple(
        Field(match[1].lower(), match[2], match.start(), match.end())
        for match in _FIELD.finditer(content, 0, header_size(content))
    )


def header_size(content: bytes) -> int:
    """The octets of the header block, without the blank line that ends it."""
    if content.startswith(b"\r\n"):
        return 0
    end = content.find(b"\r\n\r\n")
    return len(content) if end < 0 else end + 2


def values(fields: Sequence[Field], name: bytes) -> Iterator[bytes]:
    """The raw values of every field of this name (lower case)."""
    return (field.value for field in fields if field.name == name)


def addresses_of(value: bytes) -> tuple[bytes, ...]:
    """Every word of an address header that some reader may take for an address.

    That is each one with an "@" outside quoted names, comments and encoded words; an unclosed
    quote or comment hides nothing. Stricter than RFC 5322 §3.4 where a bare display name has an
    "@", since mail programs disagree on which address that shows.
    """
    words = _SEPARATORS.split(_ENCODED_WORD.sub(b" ", _without_comments(value)))
    return tuple(word for word in words if b"@" in word)


def text_of(value: bytes, limit: int) -> str:
    """A value for a person to read: unfolded, RFC 2047 decoded, printable, `limit` long."""
    raw = value[:_MAX_TEXT]
    text = raw.decode("utf-8", "replace")
    if b"=?" in raw:
        # what cannot be decoded is shown as it came
        with contextlib.suppress(MessageError, LookupError, ValueError):
            text = str(make_header(decode_header(text)))
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:limit]


def _without_comments(value: bytes) -> bytes:
    """The value without its comments and its quoted strings, but for a quoted local part."""
    kept: list[bytes] = []
    depth = at = 0
    while piece := _PIECE.match(value, at):
        quoted = None if depth else _QUOTED.match(value, at)
        if quoted:
            is_local_part = value[quoted.end() : quoted.end() + 1] == b"@"
            kept.append(quoted[0] if is_local_part else b" ")
        elif piece[0] == b"(":
            depth += 1
        elif piece[0] == b")" and depth:
            depth -= 1
        elif not depth:
            kept.append(piece[0])
        at = (quoted or piece).end()
    return value if depth else b"".join(kept)
