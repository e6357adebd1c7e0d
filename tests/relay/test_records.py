"""What the store is told of mail in our custody."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from custodies import House, outgoing

from collector.feed import Feed
from collector.schema import STATES
from collector.store import Sent, Store
from relay.records import FORGOTTEN, Records


def sent(message_id: int) -> Sent:
    return Sent(
        message_id=message_id,
        sender_id=1,
        sent_at_ms=1,
        mail_from="ana@example.com",
        recipients=("bob@example.org",),
        subject="",
        message_id_header="",
        opens=True,
        clicks=False,
    )


def rows(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT id, state, reply FROM message ORDER BY id").fetchall()
    return [(number, STATES[state], reply) for number, state, reply in found]


async def test_what_an_earlier_process_left(tmp_path: Path) -> None:
    """Queued is what the spool has; of all else it is told that nobody knows."""
    path = tmp_path / "letterbell.db"
    store = await Store.open(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO sender (id, login, login_key, opens, clicks, sticky, per_recipient,"
            " enabled, created_at_ms) VALUES (1, 'ana', 'ana', 1, 1, 1, 0, 1, 1)"
        )
    house = House(tmp_path)
    records = Records(store, Feed(), lambda: 9)
    for number in (1, 2, 3):
        await store.record_sent(sent(number), timeout=5)
    first = await house.spool.put(outgoing(1), next_ms=0)
    third = await house.spool.put(outgoing(3), next_ms=0)
    await records.note(first)
    await records.note(third)
    await house.spool.done(3)
    await records.take_up(house.spool.entries)
    await house.close()
    await store.close()
    assert rows(path) == [
        (1, "queued", "It is queued, and will be tried again"),
        (2, "deferred", FORGOTTEN["sending"]),
        (3, "deferred", FORGOTTEN["queued"]),
    ]
