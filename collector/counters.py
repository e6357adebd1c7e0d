"""The counters on a message's row, where hits that are stored already change.

They move by as much as the hits do and are never counted anew: hits that have aged out
(retention.py) stay counted on their message.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, case, func, select, update

from collector.consent import Kind
from collector.schema import HIT_KINDS, hit, message
from collector.verdict import BELIEVED, UNCOUNTED


@dataclass(frozen=True, slots=True)
class Count:
    """Of one message's opens or clicks: how many are believed, how many there are in all, and when
    the first and the last of those that are believed came."""

    believed: int = 0
    raw: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def moved(self, before: "Count", after: "Count") -> "Count":
        """This one, when the hits that are kept have changed from `before` to `after`."""
        believed = self.believed + after.believed - before.believed
        # A time that no kept hit has is that of one that has aged out, and stays.
        aged_first = None if self.first_ms == before.first_ms else self.first_ms
        aged_last = None if self.last_ms == before.last_ms else self.last_ms
        first = min(_known(after.first_ms, aged_first), default=None)
        last = max(_known(after.last_ms, aged_last), default=None)
        if believed and last is None:  # all that are left have aged out, and when is not known
            last = first
        return Count(believed, self.raw + after.raw - before.raw, first, last)


def _known(*times: int | None) -> list[int]:
    return [each for each in times if each is not None]


@contextmanager
def recounting(connection: Connection, message_ids: Iterable[int]) -> Iterator[None]:
    """Whatever becomes of hits on these messages inside, the counters follow. Nothing inside
    changes the counters themselves."""
    ids = sorted(set(message_ids))
    counters = _read_counters(connection, ids)  # and locks them, so before anything is counted
    before = _count_hits(connection, ids)
    yield
    after = _count_hits(connection, ids)
    rows = [
        _row(kind, message_id, count.moved(before[message_id, kind], after[message_id, kind]))
        for (message_id, kind), count in counters.items()
    ]
    for kind in HIT_KINDS:
        if mine := [row for row in rows if row["kind"] == kind]:
            connection.execute(_SET_COUNTERS[kind], mine)


def _count_hits(connection: Connection, ids: list[int]) -> Mapping[tuple[int, Kind], Count]:
    counts = {(message_id, kind): Count() for message_id in ids for kind in HIT_KINDS}
    for message_id, kind, *count in connection.execute(_COUNT_HITS, {"ids": ids}):
        counts[message_id, kind] = Count(*count)
    return counts


def _read_counters(connection: Connection, ids: list[int]) -> Mapping[tuple[int, Kind], Count]:
    return {
        (row.id, kind): Count(*(getattr(row, column.key) for column in _COUNTERS[kind]))
        for row in connection.execute(_READ_COUNTERS, {"ids": ids})
        for kind in HIT_KINDS
    }


def _row(kind: Kind, message_id: int, count: Count) -> dict[str, Any]:
    names = (f"new_{column.key}" for column in _COUNTERS[kind])
    return {
        "kind": kind,
        "of_message": message_id,
        **dict(zip(names, astuple(count), strict=True)),
    }


_COUNTERS = {
    kind: (
        message.c[f"{kind}_count"],
        message.c[f"raw_{kind}_count"],
        message.c[f"first_{kind}_ms"],
        message.c[f"last_{kind}_ms"],
    )
    for kind in HIT_KINDS
}
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_BELIEVED = hit.c.verdict.in_(sorted(BELIEVED))
_COUNT_HITS = (
    select(
        hit.c.message_id,
        hit.c.kind,
        func.sum(case((_BELIEVED, 1), else_=0)),
        func.sum(case((hit.c.rule.in_(sorted(UNCOUNTED)), 0), else_=1)),
        func.min(case((_BELIEVED, hit.c.at_ms))),
        func.max(case((_BELIEVED, hit.c.at_ms))),
    )
    .where(hit.c.message_id.in_(_IDS))
    .group_by(hit.c.message_id, hit.c.kind)
)
_READ_COUNTERS = (
    select(message.c.id, *(column for kind in HIT_KINDS for column in _COUNTERS[kind]))
    .where(message.c.id.in_(_IDS))
    .order_by(message.c.id)
    .with_for_update()
)
_SET_COUNTERS = {
    kind: update(message)
    .where(message.c.id == bindparam("of_message"))
    .values({column.key: bindparam(f"new_{column.key}") for column in columns})
    for kind, columns in _COUNTERS.items()
}
