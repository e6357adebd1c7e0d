"""The footer: a sentence that tells the recipient of the tracking, with a link to say no by.

It is written once as HTML in plain ASCII, so that it reads the same in any charset, and is known
again by its exact form: where a message of ours is quoted, its footer goes as its pixel does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

from rewriter.span import Span

MAX_FOOTER = 300  # characters: as references they still fit on a line (RFC 5322 §2.1.1)
_WRITTEN = re.compile(r"([^{}]*)\{([^{}]+)\}([^{}]*)")
_OPEN = (
    '<p style="margin:16px 0 0;font:12px/1.4 sans-serif;color:#767676" data-letterbell="footer">'
)
_LINK = '<a href="{}" style="color:inherit">'
_FOUND = re.compile(
    re.escape(_OPEN).encode()
    + rb"[^<>]*"
    + re.escape(_LINK).encode().replace(rb"\{\}", rb'(?P<url>[^"<>]*)')
    + rb"[^<>]*</a>[^<>]*</p>"
)


@lru_cache(maxsize=16)
def compose(text: str) -> str:
    """The footer as HTML, with "{}" where its link's URL goes.

    `text` is plain, with the link's words in braces: "This mail was tracked. {Stop that}". Raises
    ValueError with what is wrong.
    """
    written = _WRITTEN.fullmatch(text)
    if written is None or not written[2].strip():
        raise ValueError(
            'should have the words of its link in braces: "… {what is kept, and no} …"'
        )
    before, words, after = (_plain(each) for each in written.groups())
    if len(text) > MAX_FOOTER:
        raise ValueError(f"should have at most {MAX_FOOTER} characters")
    return f"{_OPEN}{before}{_LINK}{words}</a>{after}</p>"


def find_footers(view: bytes) -> list[tuple[Span, str]]:
    """Whatever has the form of a footer, each with the URL in it. `view` is ASCII-compatible."""
    return [
        (Span(*found.span()), found["url"].decode("ascii", "replace"))
        for found in _FOUND.finditer(view)
    ]


def _plain(text: str) -> str:
    """Text as HTML in ASCII, white space folded to what a browser shows of it."""
    if any(not each.isprintable() for each in text):
        raise ValueError("should be one line of plain text")
    return escape(text).encode("ascii", "xmlcharrefreplace").decode()
