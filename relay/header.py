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
_FIELD = re.compile(rb"^([^\t\r\n :]+)[ \t]*:([^\r]*(?:\r\n[ \t][^\r]*)*)(?:\r\n|\Z)", re.MULTILINE)
_LOWER = bytes(range(256)).lower()
_NO_LETTERS = bytes(octet for octet in range(256) if not 33 <= octet <= 126)
MAX_TEXT = 2_000  # octets of a value that are decoded for a person to read


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: its name in lower case, its raw value, its span with the final CRLF.

    Octets that no name may have are left out of it: a reader who passes over them sees this name.
    """

    name: bytes
    value: bytes
    start: int
    end: int


def read_fields(content: bytes) -> tuple[Field, ...]:
    """All fields of the message's header block, in order."""
    return tuple(
        Field(match[1].translate(_LOWER, _NO_LETTERS), match[2], match.start(), match.end())
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


def text_of(value: bytes, limit: int) -> str:
    """A value for a person to read: unfolded, RFC 2047 decoded, printable, `limit` long."""
    raw = value[:MAX_TEXT]
    text = raw.decode("utf-8", "replace")
    if b"=?" in raw:
        # what cannot be decoded is shown as it came
        with contextlib.suppress(MessageError, LookupError, ValueError):
            text = str(make_header(decode_header(text)))
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:limit]
