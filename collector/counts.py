"""A message's hits, counted by who and by link: one query over the index of its hits.

The sums on the message's own row are for lists; what is told of each recipient and each link is
counted when somebody looks. Raw counts leave out what verdict.py calls no visit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select

from collector.schema import hit
from collector.verdict import BELIEVED, UNCOUNTED


@dataclass(frozen=True, slots=True)
class Seen:
    """Hits of one kind: how many we believe in, and how many came at all; the times are of
    believed ones."""

    count: int = 0
    raw_count: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            self.count + other.count,
            self.raw_count + other.raw_count,
            _one_of(min, self.first_ms, other.first_ms),
            _one_of(max, self.last_ms, other.last_ms),
        )


NOTHING = Seen()


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """What is known of one recipient's own copy, by the ordinal."""

    recipient: int
    opens: Seen = NOTHING
    clicks: Seen = NOTHING


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of one kind on one copy, and of clicks on one link."""

    kind: str  # "open" or "click"
    recipient: int  # 0: the copy that is shared
    link: int | None
    seen: Seen


def count_hits(message_id: int) -> Select[Any]:
    """The query whose rows `read_groups` reads."""
    believed = hit.c.verdict.in_(BELIEVED)
    by = (hit.c.kind, hit.c.recipient, hit.c.link)
    return (
        select(
            *by,
            func.count().filter(believed),
            func.count().filter(hit.c.rule.not_in(UNCOUNTED)),
            func.min(hit.c.at_ms).filter(believed),
            func.max(hit.c.at_ms).filter(believed),
        )
        .where(hit.c.message_id == message_id)
        .group_by(*by)
    )


def read_groups(rows: Sequence[Row[Any]]) -> tuple[Group, ...]:
    return tuple(Group(row.kind, row.recipient, row.link, Seen(*row[3:])) for row in rows)


def clicks_by_link(groups: Iterable[Group]) -> dict[int, Seen]:
    """Clicks by the link's ordinal; a link that nothing followed is not in it."""
    clicks: dict[int, Seen] = {}
    for each in groups:
        if each.kind == "click" and each.link is not None:
            clicks[each.link] = clicks.get(each.link, NOTHING) + each.seen
    return clicks


def read_readers(groups: Sequence[Group]) -> tuple[ReaderRow, ...]:
    """Whose own copy anything came of, by ordinal."""
    ordinals = sorted({each.recipient for each in groups if each.recipient})
    return tuple(
        ReaderRow(ordinal, _sum(groups, ordinal, "open"), _sum(groups, ordinal, "click"))
        for ordinal in ordinals
    )


def _sum(groups: Iterable[Group], recipient: int, kind: str) -> Seen:
    found = (each.seen for each in groups if (each.recipient, each.kind) == (recipient, kind))
    return sum(found, NOTHING)


def _one_of(choose: Callable[..., int], *times: int | None) -> int | None:
    return choose((each for each in times if each is not None), default=None)
