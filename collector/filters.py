"""Which of a sender's messages are asked for, as conditions of a query.

A filter is applied along the index of the sender's messages, newest first; `since` and `until`
bound the stretch of it that is read, since ids go by time. What few messages match is looked for in
all of them (bench/README.md says how long that takes).
"""

import json
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Text, cast, func, or_

from collector.schema import message
from collector.store import storable
from collector.tokens import TAIL_BITS

LARGEST_ID = 2**63 - 1
# An id is made when a message comes in, `sent_at_ms` when its copies are: an hour later at most.
SLACK_MS = 3_600_000
MAX_WORDS = 8  # that are looked for at once


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """What must be true of a message; None: either way. Times in ms, `until_ms` is not within."""

    tracked: bool | None = None  # opens or clicks
    opens_tracked: bool | None = None
    opened: bool | None = None
    clicked: bool | None = None
    state: str | None = None
    recipient: str | None = None  # a whole address, in any case
    words: tuple[str, ...] = ()  # each a part of subject, recipients or first words, in any case
    since_ms: int | None = None
    until_ms: int | None = None


EVERY_MESSAGE = MessageFilter()


def conditions(matching: MessageFilter) -> list[ColumnElement[bool]]:
    """All of which a message must meet."""
    row, wanted = message.c, [*within(matching.since_ms, matching.until_ms)]
    for asked, holds in (
        (matching.tracked, or_(row.opens, row.clicks)),
        (matching.opens_tracked, row.opens),
        (matching.opened, row.open_count > 0),
        (matching.clicked, row.click_count > 0),
    ):
        if asked is not None:
            wanted.append(holds if asked else ~holds)
    if matching.state is not None:
        wanted.append(row.state == matching.state)
    if matching.recipient is not None:
        # As the engines write it into the JSON, with its quotes: no part of an address matches.
        spelled = json.dumps(matching.recipient, ensure_ascii=False)
        wanted.append(_holds(cast(row.recipients, Text), spelled))
    texts = (row.subject, cast(row.recipients, Text), row.snippet)
    if matching.words:
        # "No word is missing": one condition. Of many SQLite expects so few rows that it would
        # sort them all, where it could stop after a page.
        missing = (~or_(*(_holds(text, word) for text in texts)) for word in matching.words)
        wanted.append(~or_(*missing))
    return wanted


def read_words(text: str) -> tuple[str, ...]:
    """The words that are looked for; those beyond MAX_WORDS are not."""
    return tuple(text.split()[:MAX_WORDS])


def within(since_ms: int | None, until_ms: int | None) -> list[ColumnElement[bool]]:
    """Sent in this stretch of time."""
    wanted: list[ColumnElement[bool]] = []
    if since_ms is not None:
        wanted += [message.c.sent_at_ms >= since_ms, message.c.id >= _first_id(since_ms - SLACK_MS)]
    if until_ms is not None:
        wanted += [message.c.sent_at_ms < until_ms, message.c.id <= _first_id(until_ms + SLACK_MS)]
    return wanted


def _first_id(at_ms: int) -> int:
    return min(max(at_ms, 0) << TAIL_BITS, LARGEST_ID)


def _holds(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    lowered = func.lower(text)
    return or_(
        *(lowered.contains(each, autoescape=True) for each in _spellings(storable(part).lower()))
    )


def _spellings(part: str) -> list[str]:
    """As it may stand in a text of which ASCII alone is in lower case: SQLite knows no more."""
    if part.isascii():
        return [part]
    loud = "".join(each if each.isascii() else each.upper() for each in part)
    return list(dict.fromkeys((part, loud, loud[:1] + part[1:])))
