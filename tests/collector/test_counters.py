"""Counters follow what becomes of hits, and remember those that have aged out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hits import add_hits, make_hit
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from collector.counters import Count, recounting
from collector.schema import hit, message
from collector.store import Sent, Store


@dataclass(frozen=True)
class Seen:
    """A hit as far as it is counted."""

    at_ms: int
    believed: bool


def counted(hits: list[Seen]) -> Count:
    times = [each.at_ms for each in hits if each.believed]
    return Count(len(times), len(hits), min(times, default=None), max(times, default=None))


HITS = st.lists(st.booleans(), max_size=6).map(
    lambda believed: [Seen(n, each) for n, each in enumerate(believed)]
)


@given(HITS, st.integers(0, 6), st.data())
def test_it_is_as_if_none_had_aged_out(hits: list[Seen], young: int, data: st.DataObject) -> None:
    aged, kept = hits[:young], hits[young:]
    changed = [replace(each, believed=data.draw(st.booleans())) for each in kept]
    changed = [each for each in changed if data.draw(st.booleans())]
    expected = counted([*aged, *changed])
    found = counted(hits).moved(counted(kept), counted(changed))
    if not any(each.believed for each in changed) and found.last_ms != expected.last_ms:
        # When the last one came that is not kept any more, nobody has noted.
        expected = replace(expected, last_ms=expected.first_ms)
    assert found == expected


async def test_counters_move_with_the_hits_of_their_message_alone(
    store: Store, make_sent: Callable[..., Sent]
) -> None:
    ours, other = make_sent(), make_sent()
    for sent in (ours, other):
        await store.record_sent(sent)
        times = (("open", 1), ("open", 2), ("open", 3), ("click", 4))
        await add_hits(store, *(make_hit(sent.message_id, at, kind=kind) for kind, at in times))
    await store.change(delete(hit).where(hit.c.at_ms == 1), {})  # they have aged out

    def change(connection: object) -> None:
        own = hit.c.message_id == ours.message_id
        with recounting(connection, [ours.message_id]):  # type: ignore[arg-type]
            for at_ms, values in (
                (2, {"verdict": "scanner", "rule": "burst"}),
                (3, {"verdict": "tool", "rule": "head"}),
            ):
                changed = update(hit).where(own, hit.c.at_ms == at_ms).values(values)
                connection.execute(changed)  # type: ignore[attr-defined]

    await store.write(change)
    columns = [
        message.c[f"{name.format(kind)}"]
        for kind in ("open", "click")
        for name in ("{}_count", "raw_{}_count", "first_{}_ms", "last_{}_ms")
    ]
    rows = await store.read(select(*columns).order_by(message.c.id))
    assert [tuple(row) for row in rows] == [(1, 2, 1, 1, 1, 1, 4, 4), (3, 3, 1, 3, 1, 1, 4, 4)]
