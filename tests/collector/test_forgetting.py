"""Of one who is forgotten nothing is left, and what is others' stays as it was."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hits import add_hits, make_hit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from collector import engine, schema
from collector.consents import Consents
from collector.errors import StoreUnavailable
from collector.forgetting import forget
from collector.keeping import Keeping
from collector.person import FORGOTTEN, Person
from collector.schema import agent, consent, hit, message, notification
from collector.store import Outcome, Sent, SentLink, Store

BOB, EVE = "Bob@Example.org", "eve@example.org"
PERSON = Person("bob@example.org")
MakeSent = Callable[..., Sent]


async def add_hit(store: Store, message_id: int, recipient: int, agent: str = "") -> None:
    made = make_hit(message_id, 5 + recipient, recipient=recipient, agent=agent)
    await add_hits(store, made, keeping=Keeping(agents="full"))


async def rows(store: Store, table: Any) -> list[dict[str, Any]]:
    key = next(iter(table.primary_key.columns))
    return [row._asdict() for row in await store.read(select(table).order_by(key))]


async def test_what_is_to_them_alone_goes(store: Store, make_sent: MakeSent) -> None:
    for recipients in ((BOB,), ("bob@example.org", BOB)):
        sent = make_sent(recipients=recipients)
        await store.record_sent(sent)
        await add_hit(store, sent.message_id, 1)
    assert await forget(store, PERSON) == {"erased": 2}
    assert await rows(store, message) == []
    assert await rows(store, hit) == []


async def test_among_several_the_address_goes_and_their_own_hits(
    store: Store, make_sent: MakeSent
) -> None:
    sent = make_sent(
        recipients=(EVE, BOB, "jimbob@example.org", "bob@example.org"),
        per_recipient=True,
        subject="For bob@example.org",
        links=(SentLink(0, "https://x.org/?to=BOB%40example.org&a=1", "<b>bob@example.org</b>"),),
        shared_reason="BOB@example.org wished it",
    )
    await store.record_sent(sent)
    outcome = Outcome(
        at_ms=7,
        state="delivered",
        reply="250 <Bob@example.org> ok",
        outcomes=((1, "delivered", "250 ok"), (2, "refused", "550 <bob@example.org> is gone")),
    )
    store.record_outcome(sent.message_id, outcome)
    for recipient in (0, 1, 2, 3, 4):
        await add_hit(store, sent.message_id, recipient)
    [before] = await rows(store, message)
    assert await forget(store, PERSON) == {"blanked": 1}
    [after] = await rows(store, message)
    changed = {name: value for name, value in after.items() if value != before[name]}
    assert changed.pop("stopped_at_ms") > 0  # nobody could tell any more whether Bob had refused it
    assert changed == {
        "recipients": [EVE, FORGOTTEN, "jimbob@example.org", FORGOTTEN],
        "subject": f"For {FORGOTTEN}",
        "links": [[0, f"https://x.org/?to={FORGOTTEN}&a=1", f"<b>{FORGOTTEN}</b>"]],
        "shared_reason": f"{FORGOTTEN} wished it",
        "reply": f"250 <{FORGOTTEN}> ok",
        "outcomes": [[1, "delivered", "250 ok"], [2, "refused", f"550 <{FORGOTTEN}> is gone"]],
        "open_count": 3,
        "raw_open_count": 3,
        "last_open_ms": 8,
    }
    assert [row["recipient"] for row in await rows(store, hit)] == [0, 1, 3]
    assert [row["recipient"] for row in await rows(store, notification)] == [0, 1, 3]
    assert await forget(store, PERSON) == {}


async def test_who_was_forgotten_before_is_another(store: Store, make_sent: MakeSent) -> None:
    await store.record_sent(make_sent(recipients=(BOB, EVE, "ann@example.org")))
    await forget(store, Person(EVE))
    await forget(store, PERSON)
    [row] = await rows(store, message)
    assert row["recipients"] == [f"{FORGOTTEN} 2", FORGOTTEN, "ann@example.org"]


async def test_a_program_that_names_them(store: Store, make_sent: MakeSent) -> None:
    sent = make_sent(recipients=(EVE,))
    await store.record_sent(sent)
    for name in ("reader/1 (bob@example.org)", "reader/1 (BOB@example.org)", "bob/example.org"):
        await add_hit(store, sent.message_id, 0, name)
    assert await forget(store, PERSON) == {"blanked": 2}
    assert [row["text"] for row in await rows(store, agent)] == [
        f"{FORGOTTEN} 1",
        f"{FORGOTTEN} 2",
        "bob/example.org",
    ]


PEOPLE = [
    BOB,
    "bob@example.org",
    EVE,
    "jimbob@example.org",
    "bob@example.org.uk",
    "x=bob@example.org",
]
MAILS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4),
        st.lists(st.integers(0, 4), max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MAILS)
async def test_mails_to_others_are_never_touched(
    store: Store, make_sent: MakeSent, mails: list[tuple[list[str], list[int]]]
) -> None:
    theirs = {}
    for recipients, hits in mails:
        sent = make_sent(recipients=tuple(recipients))
        await store.record_sent(sent)
        theirs[sent.message_id] = any(map(PERSON.is_at, recipients))
        for recipient in hits:
            await add_hit(store, sent.message_id, min(recipient, len(recipients)))
    before = {table: await rows(store, table) for table in (message, hit)}
    await forget(store, PERSON)
    after = {table: await rows(store, table) for table in (message, hit)}
    for table, key in ((message, "id"), (hit, "message_id")):
        # A row of an earlier example is nobody's here.
        untouched = [row for row in before[table] if not theirs.get(row[key], False)]
        assert [row for row in after[table] if not theirs.get(row[key], False)] == untouched
    for row in after[message]:
        assert not any(map(PERSON.is_at, row["recipients"]))


@contextmanager
def reading(database: Path) -> Iterator[None]:
    """Somebody reads what was there before, and goes on reading."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM message").fetchone()
        yield


def octets(database: Path) -> bytes:
    files = [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")]
    return b"".join(file.read_bytes() for file in files if file.exists()).lower()


async def fill(store: Store, make_sent: MakeSent) -> None:
    """Rows that move about as they grow, so that pages are split and keep what was on them."""
    for number in range(600):
        recipients = (BOB,) if number % 7 == 0 else (f"p{number}@example.net",)
        sent = make_sent(
            recipients=recipients, links=(SentLink(0, f"https://x.org/{'y' * number * 9}", ""),)
        )
        await store.record_sent(sent)
        store.record_outcome(
            sent.message_id, Outcome(at_ms=7, state="delivered", reply="ok" * number)
        )
    await store.check()


async def test_no_octet_is_left_in_the_files(
    store: Store, make_sent: MakeSent, database: Path
) -> None:
    await fill(store, make_sent)
    assert b"bob@example.org" in octets(database)
    assert await forget(store, PERSON) == {"erased": 86}
    assert engine.purge(database, lambda: b"bob@example.org" in octets(database))
    assert b"bob@example.org" not in octets(database)
    assert b"p1@example.net" in octets(database)
    assert len(await rows(store, message)) == 514


async def test_what_was_deleted_before_it_was_overwritten_goes_as_well(
    store: Store, make_sent: MakeSent, database: Path
) -> None:
    """By a version that did not ask for that."""
    await fill(store, make_sent)
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA secure_delete = OFF")
        other.execute("DELETE FROM message WHERE recipients LIKE '%bob@%'")
        other.commit()
    assert await forget(store, PERSON) == {}
    assert engine.purge(database, lambda: b"bob@example.org" in octets(database))
    assert b"bob@example.org" not in octets(database)


async def test_a_longer_address_is_told_and_stays(
    store: Store, make_sent: MakeSent, database: Path
) -> None:
    await store.record_sent(make_sent(recipients=("jimbob@example.org",)))
    await forget(store, PERSON)
    assert not engine.purge(database, lambda: b"bob@example.org" in octets(database))


async def test_what_was_decided_holds_without_the_address(
    store: Store, make_sent: MakeSent, database: Path
) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    consents = Consents(store)
    for address, wishes in ((BOB, {"open": False}), (EVE, {"open": False, "click": True})):
        await consents.decide(sent.sender_id, address, wishes, how="notice")
    assert await forget(store, PERSON) == {"blanked": 1}
    assert [(each["address"], each["granted"]) for each in await rows(store, consent)] == [
        (None, False),
        (EVE, False),
        (EVE, True),
    ]
    assert await consents.held(sent.sender_id, [BOB]) == {("bob@example.org", "open"): False}
    assert engine.purge(database, lambda: b"bob@example.org" in octets(database))


async def test_who_reads_all_the_time_keeps_it(
    store: Store, make_sent: MakeSent, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PURGE_SECONDS", 0.05)
    with reading(database):
        await store.record_sent(make_sent(recipients=(BOB,)))
        await forget(store, PERSON)
        with pytest.raises(StoreUnavailable, match=r"all the time|locked"):
            engine.purge(database, lambda: False)
    assert engine.purge(database, lambda: b"bob@example.org" in octets(database))


def test_every_table_that_knows_of_people_is_thought_of() -> None:
    """A new one needs a part in forgetting.py and in export.py, or a place here."""
    of_accounts = {"sender", "sender_address", "device", "api_key", "session"}  # `sender remove`
    of_accounts |= {"target", "digest", "atom"}
    of_notifications = {"outbox"}  # without a text
    assert set(schema.metadata.tables) == {
        "message",
        "agent",
        "hit",
        "consent",
        "notification",
        *of_accounts,
        *of_notifications,
        "secret",
    }
