"""Every query of what senders and programs read uses an index, as SQLite plans it.

The statements are those that are executed, not copies of them.
"""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from collector.api.keys import ApiKeys
from collector.feed import Feed
from collector.filters import MessageFilter
from collector.hitlist import HitFilter, hits_of_message, hits_of_sender, newest_hit
from collector.notifications import Notifications
from collector.periods import STEPS, read_periods
from collector.roster import insert_sender
from collector.stats import Stats
from collector.store import Sent, Store

EVERYTHING = MessageFilter(
    tracked=True,
    opened=True,
    clicked=False,
    state="delivered",
    recipient="ben@example.net",
    subject="hello",
    since_ms=0,
    until_ms=1,
)


class Plans:
    """`await plans.of(reading)`: the steps by which each of its statements is read."""

    def __init__(self, store: Store, database: Path) -> None:
        self.store = store
        self._database = database
        self._seen: list[tuple[str, Any]] = []
        event.listen(store._readers.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        self._seen.append((statement, values))

    def execute(self, statement: str) -> None:
        with sqlite3.connect(self._database) as other:
            other.execute(statement)
        other.close()

    async def of(self, reading: Any) -> list[list[str]]:
        self._seen.clear()
        await reading
        other = sqlite3.connect(self._database)
        found = [
            [row[-1] for row in other.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in self._seen
        ]
        other.close()
        return found


@pytest.fixture
async def plans(database: Path) -> AsyncIterator[Plans]:
    store = await Store.open(f"sqlite:///{database}")
    yield Plans(store, database)
    await store.close()


@pytest.fixture
async def sent(plans: Plans) -> Sent:
    """A message that is there: number 7."""
    row = {
        "login": "ana",
        "login_key": "ana",
        "opens": True,
        "clicks": True,
        "sticky": True,
        "enabled": True,
        "created_at_ms": 0,
    }
    sender_id = await plans.store.write(lambda connection: insert_sender(connection, row, []))
    made = Sent(
        message_id=7,
        sender_id=sender_id,
        sent_at_ms=1,
        mail_from="",
        recipients=("ben@example.net",),
        subject="",
        message_id_header="",
        opens=True,
        clicks=True,
    )
    await plans.store.record_sent(made)
    return made


def assert_indexed(plan: list[str]) -> None:
    """Of our tables nothing is read from one end to the other, and no list is sorted."""
    assert plan
    for step in plan:
        assert not step.startswith(("SCAN hit", "SCAN message", "SCAN agent")), plan
        assert "TEMP B-TREE FOR ORDER BY" not in step, plan


@pytest.mark.parametrize("matching", [MessageFilter(), EVERYTHING])
@pytest.mark.parametrize("before", [None, 9])
async def test_the_list(plans: Plans, matching: MessageFilter, before: int | None) -> None:
    reading = Stats(plans.store).recent(1, before=before, matching=matching)
    [plan] = await plans.of(reading)
    assert_indexed(plan)
    assert "USING INDEX ix_message_sender_id (sender_id=?" in plan[0]


async def test_one_message(plans: Plans, sent: Sent) -> None:
    found = await plans.of(Stats(plans.store).message(sent.sender_id, sent.message_id))
    assert len(found) == 3
    for plan in found:
        assert_indexed(plan)
    row, counts, hits = (plan[0] for plan in found)
    assert "SEARCH message USING INTEGER PRIMARY KEY" in row
    assert "SEARCH hit USING INDEX ix_hit_message_id (message_id=?)" in counts
    assert "SEARCH hit USING INDEX ix_hit_message_id (message_id=?)" in hits


async def test_whose_copies_were_opened(plans: Plans, sent: Sent) -> None:
    plans.execute("UPDATE message SET per_recipient = 1, open_count = 1")
    _, readers = await plans.of(Stats(plans.store).recent(sent.sender_id))
    assert "SEARCH hit USING INDEX ix_hit_message_id (message_id=?)" in readers[0]


async def test_one_messages_hits(plans: Plans) -> None:
    matching = HitFilter(kind="open", believed=True)
    [plan] = await plans.of(
        hits_of_message(plans.store, 1, 2, after=3, limit=50, matching=matching)
    )
    assert_indexed(plan)
    assert any("ix_hit_message_id (message_id=? AND rowid>?)" in step for step in plan), plan


async def test_all_hits_of_a_sender(plans: Plans, sent: Sent) -> None:
    plans.execute(
        "INSERT INTO hit (message_id, at_ms, kind, recipient, verdict, rule)"
        " VALUES (7, 0, 0, 0, 0, '')"
    )
    end, found = await plans.of(hits_of_sender(plans.store, sent.sender_id, after=0, limit=50))
    for plan in (end, found):
        assert_indexed(plan)
    assert "SEARCH hit USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in found[0]
    assert any("SEARCH hit USING" in step and "rowid>?" in step for step in end), end
    assert "SEARCH owned USING INTEGER PRIMARY KEY (rowid=?)" in found
    assert "SEARCH message USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN" in found


async def test_the_newest_hit(plans: Plans) -> None:
    [plan] = await plans.of(newest_hit(plans.store))
    assert plan == ["SEARCH hit"]


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
async def test_figures(plans: Plans, step: Any) -> None:
    [plan] = await plans.of(read_periods(plans.store, 1, since_ms=0, until_ms=1, step=step))
    assert_indexed(plan)
    assert "ix_message_sender_id (sender_id=? AND id>? AND id<?)" in plan[0]


async def test_notifications(plans: Plans, sent: Sent) -> None:
    notifications = Notifications(plans.store, Feed())
    for reading in (
        notifications.every(sent.sender_id),
        notifications.unread(sent.sender_id),
        notifications.count_unread(sent.sender_id),
        notifications.page(sent.sender_id, before=9, limit=50, unread=True),
        notifications.page(sent.sender_id, before=None, limit=50, unread=False),
    ):
        [plan] = await plans.of(reading)
        assert "SEARCH notification USING" in plan[0]
    [plan] = await plans.of(notifications.mark_mails(sent.sender_id, [7]))
    assert "SEARCH notification USING" in plan[0]


async def test_a_keys_look_up(plans: Plans) -> None:
    keys = ApiKeys(plans.store)
    [plan] = await plans.of(keys.check(f"letterbell_{'a' * 16}_{'b' * 52}"))
    assert "SEARCH api_key USING INDEX" in plan[0]
    [plan] = await plans.of(keys.list(1))
    assert "SEARCH api_key USING INDEX" in plan[0]
