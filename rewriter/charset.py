"""Charsets, as far as markup needs them: the delimiters of HTML must be the ASCII bytes they seem.

The markup is read on the bytes themselves, so that no charset, wrong, unknown or absent, can fail
or change anything. Two exceptions: charsets that give ASCII bytes another meaning are left alone,
and runs that ISO-2022 escapes away from ASCII are masked.
"""

from __future__ import annotations

import re
from functools import lru_cache

from bs4 import UnicodeDammit

from rewriter.contract import Doubt

_PROBE = "<a href=\"http://e.com/?a='1'&amp;b=+2-\">x</a>#%;:"
_STATEFUL = frozenset({"hz", "hzgb", "hzgb2312", "utf7", "unicode11utf7"})
# ISO-2022-JP and its kin leave ASCII by ESC $ B, ESC $ ( D or ESC ( I, and return by ESC ( B or
# ESC ( J (RFC 1468, RFC 1554); ISO-2022-KR and -CN shift out and in (RFC 1557, RFC 1922).
_SHIFTED = re.compile(
    rb"\x1b(?:\$(?:[@-C]|\([@-~])|\([^BJ])(?:(?!\x1b\([BJ]).)*(?:\x1b\([BJ])?|\x0e[^\x0f]*\x0f?",
    re.DOTALL,
)
_RETURNS = (b"\x1b(B", b"\x1b(J", b"\x0f")


@lru_cache(maxsize=256)
def keeps_ascii(charset: str) -> bool:
    """Whether markup in `charset` can be read as ASCII; an unknown charset is taken to.

    False for UTF-16 and -32, UTF-7, HZ and EBCDIC.
    """
    if re.sub(r"[^a-z0-9]", "", charset.lower()) in _STATEFUL:
        return False
    try:
        return _PROBE.encode("ascii").decode(charset) == _PROBE
    except LookupError:
        return True
    except (UnicodeError, ValueError):
        return False


def mask_shifted(decoded: bytes) -> bytes:
    """The same bytes, those in ISO-2022 multi-byte runs replaced by 0x7F, one for one.

    Raises `Doubt` where the text ends within a run: nothing can be put behind it.
    """
    if b"\x1b" not in decoded and b"\x0e" not in decoded:
        return decoded
    return _SHIFTED.sub(_mask, decoded)


def _mask(run: re.Match[bytes]) -> bytes:
    if not run[0].endswith(_RETURNS):
        raise Doubt("text ends in a shifted charset")
    return b"\x7f" * len(run[0])


def sniff(decoded: bytes) -> str | None:
    """The charset of HTML that declares none in its header; None where it is ASCII anyway."""
    return None if decoded.isascii() else UnicodeDammit(decoded, is_html=True).original_encoding


def decode(data: bytes, charset: str | None) -> str:
    """Text for people: never fails. An undeclared charset is taken for UTF-8."""
    try:
        return data.decode(charset or "utf-8", "replace")
    except (LookupError, UnicodeError, ValueError):
        return data.decode("utf-8", "replace")
