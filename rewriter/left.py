"""What was left alone in one message, in short: for its record, where it is told much later.

By rule and by where a link leads, of which no more is kept than its host or its scheme: a path, a
login or an address may be a secret between the reader and the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from rewriter.contract import Part, Rewritten, Skipped, Untouched

ROWS = 20  # that tell where links lead; what is more is told by rule alone
EXAMPLE = 60  # characters of an example

# Rules by which HTML is no text of the mail's own.
_NOT_READ = frozenset({"attachment", "embedded"})
_HOST = re.compile(r"(?:https?:)?//(?:[^/?#\\]*@)?([^/?#\\:@]+)", re.IGNORECASE)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:(?!\d)")


class Left(NamedTuple):
    """So many links, or one part or pixel, were left by this rule; `example` is a host, a scheme
    such as "mailto:", a placeholder, or "" where there is nothing to name."""

    rule: str
    number: int
    example: str


def find_left(result: Rewritten | Untouched, *, opens: bool) -> tuple[Left, ...]:
    """What stayed as it was, and why there is no pixel where one was wished for (`opens`)."""
    found = _count(result.skipped)
    found += [Left(part.rule, 1, "") for part in result.parts if part.rule and _is_text(part)]
    rule = no_pixel(result, opens=opens) if opens else None
    told = {each.rule for each in found}
    if isinstance(result, Untouched):
        told.add(result.reason)
    if rule and rule not in told:
        found.append(Left(rule, 1, ""))
    return tuple(found)


def no_pixel(result: Rewritten | Untouched, *, opens: bool) -> str | None:
    """The rule by which no pixel is put in; None where one is."""
    if isinstance(result, Rewritten) and result.pixel is not None:
        return None
    if not opens:
        return "opens are off"
    if isinstance(result, Untouched) and result.reason != "nothing to track":
        return result.reason
    if any(skipped.rule == "own pixel" for skipped in result.skipped):
        return "own pixel"
    has_html = any(part.media_type == "text/html" and part.rule is None for part in result.parts)
    return "no sure place" if has_html else "no HTML part"


def show_example(value: str) -> str:
    """What is kept of a link as it was written."""
    value = value.strip()
    if host := _HOST.match(value):
        value = host[1].lower()
    elif scheme := _SCHEME.match(value):
        value = scheme[0].lower()
    else:
        value = re.split(r"[/?#\\]", value, maxsplit=1)[0]
    value = value[:EXAMPLE]
    return value if value.isprintable() and "@" not in value else ""


def _count(skipped: Iterable[Skipped]) -> list[Left]:
    counts: dict[tuple[str, str], int] = {}
    for each in skipped:
        key = (each.rule, show_example(each.value))
        if len(counts) >= ROWS and key not in counts:
            key = (each.rule, "")
        counts[key] = counts.get(key, 0) + 1
    return [Left(rule, number, example) for (rule, example), number in counts.items()]


def _is_text(part: Part) -> bool:
    return part.media_type == "text/html" and part.rule not in _NOT_READ
