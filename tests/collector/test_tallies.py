"""What passes through the site: every sender's, by day and week, as far as it may be counted."""

from collections.abc import Callable

import pytest
from hits import add_hits, make_hit
from sqlalchemy import delete

from collector import tallies
from collector.schema import hit
from collector.store import Sent, Store
from collector.tallies import Tallies, Tally, read_tallies
from collector.tokens import mint_message_id
from collector.verdict import Verdict

DAY_MS = 86_400_000
TODAY_MS = 20_000 * DAY_MS
NOW_MS = TODAY_MS + 15 * 3_600_000
# Two of today, three more of the six days before, one just before these.
TIMES = (
    TODAY_MS - 6 * DAY_MS - 1,
    TODAY_MS - 6 * DAY_MS,
    TODAY_MS - DAY_MS,
    TODAY_MS - 1,
    TODAY_MS,
    NOW_MS,
)
SCANNER = Verdict("scanner", "safe-links", 1.0)


async def test_nothing_yet(store: Store) -> None:
    assert await read_tallies(store, NOW_MS) == Tallies(Tally(0, 0), Tally(0, 0))


@pytest.fixture
async def filled(store: Store, make_sent: Callable[..., Sent], add_sender) -> Store:
    other = await add_sender("eve")
    for number, at_ms in enumerate(TIMES):
        sent = make_sent(
            message_id=mint_message_id(at_ms, number),
            sent_at_ms=at_ms,
            **({"sender_id": other} if number % 2 else {}),
        )
        await store.record_sent(sent)
        made = make_hit(sent.message_id, at_ms, kind="open", recipient=0)
        await add_hits(store, made, verdict=SCANNER)
    return store


async def test_of_all_senders_by_day_and_week(filled: Store) -> None:
    assert await read_tallies(filled, NOW_MS) == Tallies(Tally(2, 5), Tally(2, 5))


@pytest.mark.parametrize("stride", [1, 2, 5])
async def test_in_short_reads(filled: Store, monkeypatch, stride: int) -> None:
    monkeypatch.setattr(tallies, "STRIDE", stride)
    assert (await read_tallies(filled, NOW_MS)).hits == Tally(2, 5)


async def test_where_hits_are_gone(filled: Store, monkeypatch) -> None:
    """Their ids leave holes, wider than what is read at once."""
    monkeypatch.setattr(tallies, "STRIDE", 1)
    await filled.write(
        lambda connection: connection.execute(delete(hit).where(hit.c.id.in_([3, 4])))
    )
    assert (await read_tallies(filled, NOW_MS)).hits == Tally(2, 3)


async def test_no_more_than_may_be_looked_at(filled: Store, monkeypatch) -> None:
    monkeypatch.setattr(tallies, "STRIDE", 1)
    monkeypatch.setattr(tallies, "MAX", 3)
    found = await read_tallies(filled, NOW_MS)
    assert found == Tallies(Tally(2, 3, is_all=False), Tally(2, 3, is_all=False))
