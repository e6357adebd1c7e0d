"""What a sender sees of the own messages, and of nobody else's."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import insert, update

from collector.counts import ReaderRow, Seen
from collector.filters import MessageFilter
from collector.hits import Hit, store_hits
from collector.schema import hit, message
from collector.stats import (
    MAX_HITS,
    HitRow,
    LinkRow,
    MessageRow,
    OutcomeRow,
    SkippedRow,
    Stats,
)
from collector.store import Sent, SentLink, Store, Wished
from collector.verdict import UNCOUNTED, Verdict

PERSON = Verdict("person", "browser", 0.7)
SCANNER = Verdict("scanner", "safe-links", 0.9)


@pytest.fixture
def stats(store: Store) -> Stats:
    return Stats(store)


@pytest.fixture
def keep(store: Store) -> Callable[..., object]:
    """`await keep(message_id, "click", 1, at_ms, PERSON)` stores such a hit."""

    async def run(
        message_id: int,
        kind: str,
        link: int | None,
        at_ms: int,
        verdict: Verdict,
        recipient: int = 0,
    ) -> None:
        hit = Hit(
            kind=kind,
            message_id=message_id,
            recipient=recipient,
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


async def test_back_to_the_newer_ones_a_page_at_a_time(
    store: Store, stats: Stats, make_sent: Callable[..., Sent], sender_id: int
) -> None:
    ids = []
    for _ in range(5):
        sent = make_sent()
        await store.record_sent(sent)
        ids.insert(0, sent.message_id)
    rows = await stats.recent(sender_id, after=ids[4], limit=2)
    assert [row.message_id for row in rows] == [ids[2], ids[3]]
    rows = await stats.recent(sender_id, after=ids[2], limit=9)
    assert [row.message_id for row in rows] == [ids[0], ids[1]]
    assert await stats.recent(sender_id, after=ids[0]) == []


async def test_which_of_some_messages_are_theirs_and_match(
    store: Store, stats: Stats, make_sent: Callable[..., Sent], add_sender: Callable
) -> None:
    stranger = await add_sender("ben")
    first, second, third = (make_sent(subject=each) for each in ("one", "two", "one more"))
    for sent in (first, second, third):
        await store.record_sent(sent)
    ids = [first.message_id, third.message_id, second.message_id, 7]
    rows = await stats.among(first.sender_id, ids)
    assert [row.subject for row in rows] == ["one more", "two", "one"]
    assert rows == await stats.recent(first.sender_id)
    rows = await stats.among(first.sender_id, ids, matching=MessageFilter(words=("one",)))
    assert [row.subject for row in rows] == ["one more", "one"]
    assert await stats.among(stranger, ids) == []
    assert await stats.among(first.sender_id, []) == []


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
        LinkRow(0, "https://a.example/", "<b>A</b>"),
        LinkRow(1, "https://b.example/", "B", Seen(2, 3, 30, 40)),
    )
    assert detail.hits == (
        HitRow(10, "open", None, "person", "browser", "Firefox"),
        HitRow(20, "click", 1, "scanner", "safe-links", "Firefox"),
        HitRow(30, "click", 1, "person", "browser", "Firefox"),
        HitRow(40, "click", 1, "person", "browser", "Firefox"),
    )
    assert detail.reply == ""


async def test_what_was_left_alone_and_who_wished_it(
    store: Store, stats: Stats, make_sent: Callable[..., Sent]
) -> None:
    wished = Wished(True, False, "header", "setting")
    skipped = (("opt-out", 2, "x.org"), ("no sure place", 1, ""))
    told = make_sent(skipped=skipped, wished=wished)
    silent = make_sent()
    for sent in (told, silent):
        await store.record_sent(sent)
    detail = await stats.message(told.sender_id, told.message_id)
    assert detail
    assert detail.skipped == tuple(SkippedRow(*each) for each in skipped)
    assert detail.wished == wished
    assert detail.mail_from == told.mail_from
    other = await stats.message(silent.sender_id, silent.message_id)
    assert other
    assert (other.skipped, other.wished) == ((), None)


async def test_it_is_told_whose_copies_were_opened(
    store: Store, stats: Stats, make_sent: Callable[..., Sent], keep: Callable
) -> None:
    people = ("b@x.org", "c@x.org", "d@x.org")
    each = make_sent(recipients=people, per_recipient=True)
    shared = make_sent(recipients=people, shared_reason="more than 100 recipients")
    waiting = make_sent(recipients=people, per_recipient=True)
    for sent in (each, shared, waiting):
        await store.record_sent(sent)
    for recipient in (3, 1, 3):
        await keep(each.message_id, "open", None, 10, PERSON, recipient)
    await keep(each.message_id, "click", 0, 20, PERSON, 3)
    await keep(each.message_id, "open", None, 30, SCANNER, 2)
    await keep(shared.message_id, "open", None, 10, PERSON)
    rows = {row.message_id: row for row in await stats.recent(each.sender_id)}
    assert {
        key: (row.per_recipient, row.opened_by, row.clicked_by) for key, row in rows.items()
    } == {
        each.message_id: (True, (1, 3), (3,)),
        shared.message_id: (False, (), ()),
        waiting.message_id: (True, (), ()),
    }
    detail = await stats.message(each.sender_id, each.message_id)
    assert detail
    assert detail.row == rows[each.message_id]
    assert [hit.recipient for hit in detail.hits] == [3, 1, 3, 3, 2]
    assert detail.readers == (
        ReaderRow(1, opens=Seen(1, 1, 10, 10)),
        ReaderRow(2, opens=Seen(0, 1)),
        ReaderRow(3, opens=Seen(2, 2, 10, 10), clicks=Seen(1, 1, 20, 20)),
    )
    told = await stats.message(each.sender_id, shared.message_id)
    assert told
    assert (told.shared_reason, told.outcomes) == ("more than 100 recipients", ())
    assert told.readers == ()


async def test_what_is_no_visit_is_in_no_count(
    store: Store, stats: Stats, make_sent: Callable[..., Sent], keep: Callable
) -> None:
    """A HEAD and a prefetch: the sums on the row and those of each link leave them out alike."""
    sent = make_sent()
    await store.record_sent(sent)
    for rule in sorted(UNCOUNTED):
        await keep(sent.message_id, "click", 0, 10, Verdict("tool", rule, 0.9))
    detail = await stats.message(sent.sender_id, sent.message_id)
    assert detail
    assert (detail.row.raw_click_count, detail.links[0].clicks) == (0, Seen())
    assert len(detail.hits) == len(UNCOUNTED)


async def test_what_became_of_each_recipient(
    store: Store, stats: Stats, make_sent: Callable[..., Sent]
) -> None:
    sent = make_sent(recipients=("b@x.org", "c@x.org"))
    await store.record_sent(sent)
    outcomes = [[1, "delivered", "250 ok"], [2, "refused", "550 no"]]
    await store.write(
        lambda connection: connection.execute(update(message).values(outcomes=outcomes))
    )
    detail = await stats.message(sent.sender_id, sent.message_id)
    assert detail
    assert detail.outcomes == (
        OutcomeRow(1, "delivered", "250 ok"),
        OutcomeRow(2, "refused", "550 no"),
    )


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
    assert not await stats.has(stranger, sent.message_id)
    assert await stats.has(sent.sender_id, sent.message_id)
    assert await stats.message(sent.sender_id, sent.message_id + 1) is None


async def test_of_many_hits_the_first_and_the_newest_are_shown(
    store: Store, stats: Stats, make_sent: Callable[..., Sent]
) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    same = {"message_id": sent.message_id, "kind": "open", "recipient": 0, "verdict": "person"}
    rows = [{**same, "rule": "", "at_ms": at_ms} for at_ms in range(MAX_HITS + 5)]
    await store.write(lambda connection: connection.execute(insert(hit), rows))
    detail = await stats.message(sent.sender_id, sent.message_id)
    assert detail is not None
    half = MAX_HITS // 2
    shown = [*range(half), *range(half + 5, MAX_HITS + 5)]
    assert [hit.at_ms for hit in detail.hits] == shown
    assert detail.missing == 5
    assert not detail.has_aged
    assert {hit.agent for hit in detail.hits} == {""}
