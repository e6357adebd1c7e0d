"""What a sender sees of the own messages, and of nobody else's."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from collector.hits import Hit, store_hits
from collector.stats import MAX_HITS, HitRow, LinkRow, MessageRow, Stats
from collector.store import Sent, SentLink, Store
from collector.verdict import Verdict

PERSON = Verdict("person", "browser", 0.7)
SCANNER = Verdict("scanner", "safe-links", 0.9)


@pytest.fixture
def stats(store: Store) -> Stats:
    return Stats(store)


@pytest.fixture
def keep(store: Store) -> Callable[..., object]:
    """`await keep(message_id, "click", 1, at_ms, PERSON)` stores such a hit."""

    async def run(
        message_id: int, kind: str, link: int | None, at_ms: int, verdict: Verdict
    ) -> None:
        hit = Hit(
            kind=kind,
            message_id=message_id,
            recipient=0,
            link=link,
            at_ms=at_ms,
            method="GET",
            agent="Firefox",
            purpose="",
            address=None,
        )
        await store.write(partial(store_hits, hits=[hit], judge=lambda hit, message: verdict))

    return run


async def test_a_fresh_message(store: Store, stats: Stats, make_sent: Callable[..., Sent]) -> None:
    sent = make_sent(recipients=("b@x.org", "c@x.org"), untracked_reason="signed", opens=False)
    await store.record_sent(sent)
    assert await stats.recent(sent.sender_id) == [
        MessageRow(
            message_id=sent.message_id,
            sent_at_ms=sent.sent_at_ms,
            delivered_at_ms=None,
            recipients=("b@x.org", "c@x.org"),
            subject=sent.subject,
            opens=False,
            clicks=True,
            state="sending",
            untracked_reason="signed",
            open_count=0,
            first_open_ms=None,
            last_open_ms=None,
            click_count=0,
            first_click_ms=None,
            last_click_ms=None,
            raw_open_count=0,
            raw_click_count=0,
        )
    ]


async def test_the_newest_come_first_a_page_at_a_time(
    store: Store, stats: Stats, make_sent: Callable[..., Sent], sender_id: int
) -> None:
    ids = []
    for _ in range(5):
        sent = make_sent()
        await store.record_sent(sent)
        ids.insert(0, sent.message_id)
    first = await stats.recent(sender_id, limit=2)
    second = await stats.recent(sender_id, before=first[-1].message_id, limit=2)
    third = await stats.recent(sender_id, before=second[-1].message_id, limit=2)
    assert [row.message_id for row in [*first, *second, *third]] == ids
    assert await stats.recent(sender_id, before=ids[-1]) == []


async def test_one_message_in_full(
    store: Store, stats: Stats, make_sent: Callable[..., Sent], keep: Callable
) -> None:
    links = (SentLink(0, "https://a.example/", "<b>A</b>"), SentLink(1, "https://b.example/", "B"))
    sent = make_sent(links=links)
    await store.record_sent(sent)
    await keep(sent.message_id, "open", None, 10, PERSON)
    await keep(sent.message_id, "click", 1, 20, SCANNER)
    await keep(sent.message_id, "click", 1, 30, PERSON)
    await keep(sent.message_id, "click", 1, 40, PERSON)
    detail = await stats.message(sent.sender_id, sent.message_id)
    assert detail is not None
    assert [detail.row] == await stats.recent(sent.sender_id)
    assert (detail.row.open_count, detail.row.click_count, detail.row.raw_click_count) == (1, 2, 3)
    assert detail.links == (
        LinkRow(0, "https://a.example/", "<b>A</b>", 0),
        LinkRow(1, "https://b.example/", "B", 2),
    )
    assert detail.hits == (
        HitRow(10, "open", None, "person", "browser", "Firefox"),
        HitRow(20, "click", 1, "scanner", "safe-links", "Firefox"),
        HitRow(30, "click", 1, "person", "browser", "Firefox"),
        HitRow(40, "click", 1, "person", "browser", "Firefox"),
    )
    assert detail.reply == ""


async def test_another_senders_mail_is_not_there(
    store: Store,
    stats: Stats,
    make_sent: Callable[..., Sent],
    add_sender: Callable,
) -> None:
    stranger = await add_sender("ben")
    sent = make_sent()
    await store.record_sent(sent)
    assert await stats.message(stranger, sent.message_id) is None
    assert await stats.recent(stranger) == []
    assert await stats.message(sent.sender_id, sent.message_id + 1) is None


async def test_of_many_hits_the_newest_are_shown(
    store: Store, stats: Stats, make_sent: Callable[..., Sent], database: Path
) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    with sqlite3.connect(database) as other:
        other.executemany(
            "INSERT INTO hit (message_id, at_ms, kind, recipient, verdict, rule)"
            " VALUES (?, ?, 0, 0, 0, '')",
            [(sent.message_id, at_ms) for at_ms in range(MAX_HITS + 5)],
        )
    other.close()
    detail = await stats.message(sent.sender_id, sent.message_id)
    assert detail is not None
    assert [hit.at_ms for hit in detail.hits] == list(range(5, MAX_HITS + 5))
    assert {hit.agent for hit in detail.hits} == {""}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT subject FROM message WHERE sender_id = 1 AND id < 9 ORDER BY id DESC LIMIT 50",
        "SELECT at_ms FROM hit WHERE message_id = 1 ORDER BY id DESC LIMIT 1000",
        "SELECT link, count(*) FROM hit WHERE message_id = 1 AND kind = 1 GROUP BY link",
    ],
)
async def test_lists_are_read_by_an_index_without_sorting(store: Store, query: str) -> None:
    plan = await store.write(
        lambda connection: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
    )
    steps = [row[-1] for row in plan]
    assert steps[0].startswith("SEARCH"), steps
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps
