"""What is written is on the disk, or it is not there and the caller knows."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from places import Place
from sqlalchemy import event, select, text
from sqlalchemy.util import await_only

from collector import writer
from collector.consent import Objected
from collector.errors import StoreConflict, StoreUnavailable
from collector.schema import message
from collector.store import Outcome, Sent, SentLink, Store, Wished
from collector.writer import MAX_WAITING

Lock = Callable[[], AbstractContextManager[None]]
MakeSent = Callable[..., Sent]


async def stored_ids(store: Store) -> set[int]:
    return {row.id for row in await store.read(select(message.c.id))}


@pytest.fixture
def commits(store: Store) -> list[str]:
    """Grows by one with each commit."""
    seen: list[str] = []
    event.listen(write_engine(store), "commit", lambda connection: seen.append("commit"))
    return seen


def write_engine(store: Store) -> object:
    return store._writer._connection.engine


async def noted(store: Store, message_id: int, outcome: Outcome) -> None:
    """Records the outcome and waits until it is committed."""
    done = asyncio.Event()
    store.record_outcome(message_id, outcome, done.set)
    await done.wait()


async def test_a_message_is_stored_whole(store: Store, make_sent: MakeSent) -> None:
    links = (SentLink(0, "https://a.example/", "<b>Ä</b>"), SentLink(1, "http://b.example/", ""))
    sent = make_sent(recipients=("b@x.org", "c@x.org"), subject="Grüße", links=links, clicks=False)
    objected = (Objected(2, "open", "refused"),)
    sent = replace(sent, per_recipient=True, shared_reason="none", objected=objected)
    sent = replace(sent, snippet="Dear\0 all")
    wished = Wished(True, False, "address", "setting")
    sent = replace(sent, skipped=(("opt-out", 2, "x.org\0"),), wished=wished)
    await store.record_sent(sent)
    [row] = await store.read(select(message))
    assert row._asdict() == {
        "id": sent.message_id,
        "sender_id": sent.sender_id,
        "sent_at_ms": sent.sent_at_ms,
        "delivered_at_ms": None,
        "state": "sending",
        "opens": True,
        "clicks": False,
        "open_count": 0,
        "raw_open_count": 0,
        "first_open_ms": None,
        "last_open_ms": None,
        "click_count": 0,
        "raw_click_count": 0,
        "first_click_ms": None,
        "last_click_ms": None,
        "subject": "Grüße",
        "recipients": ["b@x.org", "c@x.org"],
        "mail_from": "ana@example.com",
        "message_id_header": sent.message_id_header,
        "untracked_reason": None,
        "reply": "",
        "links": [[0, "https://a.example/", "<b>Ä</b>"], [1, "http://b.example/", ""]],
        "per_recipient": True,
        "shared_reason": "none",
        "outcomes": None,
        "stopped_at_ms": None,
        "objected": [[2, "open", "refused"]],
        "snippet": "Dear all",
        "skipped": [["opt-out", 2, "x.org"]],
        "opens_wished": True,
        "clicks_wished": False,
        "opens_from": "address",
        "clicks_from": "setting",
    }


async def test_it_is_committed_when_the_call_returns(
    store: Store, make_sent: MakeSent, place: Place
) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    assert place.execute("SELECT id FROM message") == [(sent.message_id,)]


async def test_text_that_no_database_takes_is_mended(store: Store, make_sent: MakeSent) -> None:
    await store.record_sent(make_sent(subject="a\0b\udcffc", recipients=("\ud800@x.org",)))
    [row] = await store.read(select(message.c.subject, message.c.recipients))
    assert tuple(row) == ("ab?c", ["?@x.org"])


@pytest.mark.parametrize("state", ["delivered", "deferred", "refused", "queued"])
async def test_an_outcome(store: Store, make_sent: MakeSent, state: str) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    await noted(store, sent.message_id, Outcome(at_ms=5, state=state, reply="250 Grüße\udcff"))  # type: ignore[arg-type]
    [row] = await store.read(select(message.c.state, message.c.delivered_at_ms, message.c.reply))
    assert tuple(row) == (state, 5 if state == "delivered" else None, "250 Grüße?")


async def test_a_delivery_is_not_unmade(store: Store, make_sent: MakeSent) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    await noted(store, sent.message_id, Outcome(at_ms=5, state="delivered", reply="250 ok"))
    await noted(store, sent.message_id, Outcome(at_ms=9, state="deferred", reply="451 later"))
    [row] = await store.read(select(message.c.delivered_at_ms))
    assert row.delivered_at_ms == 5


async def test_who_waits_together_shares_one_commit(
    store: Store, make_sent: MakeSent, commits: list[str]
) -> None:
    sent = [make_sent() for _ in range(100)]
    await asyncio.gather(*map(store.record_sent, sent))
    assert await stored_ids(store) == {each.message_id for each in sent}
    assert len(commits) == 1


async def test_an_outcome_rides_with_who_comes_next(
    store: Store, make_sent: MakeSent, commits: list[str]
) -> None:
    first, second = make_sent(), make_sent()
    await store.record_sent(first)
    store.record_outcome(first.message_id, Outcome(at_ms=5, state="delivered", reply="ok"))
    await store.record_sent(second)
    rows = await store.read(select(message.c.state).order_by(message.c.id))
    assert [row.state for row in rows] == ["delivered", "sending"]
    assert len(commits) == 2


async def test_a_bad_one_does_not_fail_the_others(store: Store, make_sent: MakeSent) -> None:
    taken = make_sent()
    await store.record_sent(taken)
    good = [make_sent() for _ in range(3)]
    bad = [
        make_sent(message_id=taken.message_id),  # a taken id
        make_sent(sender_id=999),  # no such sender
        make_sent(message_id=2**63),  # a number too large
    ]
    outcomes = await asyncio.gather(
        *(store.record_sent(each) for each in [good[0], *bad, *good[1:]]), return_exceptions=True
    )
    assert [type(each) for each in outcomes[:1] + outcomes[4:]] == [type(None)] * 3
    assert [type(each) for each in outcomes[1:4]] == [StoreUnavailable] * 3
    assert await stored_ids(store) == {each.message_id for each in [taken, *good]}


async def test_a_call_that_raises_stores_nothing_and_fails_nobody(
    store: Store, make_sent: MakeSent
) -> None:
    def fail(connection: object) -> None:
        connection.execute(text("UPDATE sender SET login = 'changed'"))  # type: ignore[attr-defined]
        raise KeyError("mine")

    sent = make_sent()
    failed, fine, _ = await asyncio.gather(
        store.write(fail),
        store.write(lambda connection: 42),
        store.record_sent(sent),
        return_exceptions=True,
    )
    assert isinstance(failed, KeyError)
    assert fine == 42
    assert await stored_ids(store) == {sent.message_id}
    assert [row.login for row in await store.read(text("SELECT login FROM sender"))] == ["ana"]


async def test_a_conflict_is_named_as_one(store: Store, sender_id: int) -> None:
    columns = "token_hash, sender_id, expires_at_ms"
    unknown = text(f"INSERT INTO session ({columns}) VALUES ('', 999, 0)")
    with pytest.raises(StoreConflict):
        await store.write(lambda connection: connection.execute(unknown))


async def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match=r"read-?only"):
        await store.read(text("DELETE FROM sender RETURNING id"))


# Every way to write; each is tried against a locked and a full database.
WRITES: dict[str, Callable[[Store, Sent], Awaitable[object]]] = {
    "record_sent": lambda store, sent: store.record_sent(sent),
    "write": lambda store, sent: store.write(
        lambda connection: connection.execute(
            text("INSERT INTO agent (text) VALUES (:text)"), {"text": "x" * 50_000}
        )
    ),
    "check": lambda store, sent: store.check(),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", WRITES)
async def test_a_locked_database_is_said_and_passes(
    name: str, store: Store, make_sent: MakeSent, place: Place
) -> None:
    sent = make_sent()
    with place.locked():
        with pytest.raises(StoreUnavailable, match=place.lock_error):
            await WRITES[name](store, sent)
        assert await store.read(select(message.c.id)) == []  # readers go on
    await WRITES[name](store, sent)


@pytest.mark.usefixtures("impatient")
async def test_an_outcome_waits_for_the_lock_to_pass(
    store: Store, make_sent: MakeSent, locked: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    sent = make_sent()
    await store.record_sent(sent)
    done = asyncio.Event()
    with locked():
        store.record_outcome(
            sent.message_id, Outcome(at_ms=5, state="delivered", reply="ok"), done.set
        )
        with pytest.raises(StoreUnavailable):
            await store.check()  # takes the outcome along, in vain
        assert not done.is_set()
    await done.wait()
    [row] = await store.read(select(message.c.state))
    assert row.state == "delivered"


@pytest.mark.usefixtures("impatient")
async def test_patience_with_an_outcome_ends(
    store: Store, make_sent: MakeSent, locked: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.0)
    sent = make_sent()
    await store.record_sent(sent)
    with locked():
        store.record_outcome(sent.message_id, Outcome(at_ms=5, state="refused", reply=""))
        with pytest.raises(StoreUnavailable):
            await store.check()
    await store.check()
    [row] = await store.read(select(message.c.state))
    assert row.state == "sending"


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["record_sent", "write"])
async def test_a_full_disk_is_said_and_passes(name: str, store: Store, make_sent: MakeSent) -> None:
    """SQLite's own limit stands in for the disk's; it goes with the connection."""
    sent = make_sent(subject="x" * 50_000)
    await store.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreUnavailable, match="full"):
        await WRITES[name](store, sent)
    await WRITES[name](store, sent)


async def let_go(store: Store) -> None:
    """Closes every connection; the last one writes the log into the file."""
    await store._writer._connection.drop()
    await store._readers.dispose()


@contextmanager
def overwritten(database: Path) -> Iterator[None]:
    """The file is rubbish meanwhile, but for its first page."""
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    yield
    database.write_bytes(content)


@contextmanager
def moved_away(database: Path) -> Iterator[None]:
    away = database.rename(database.with_suffix(".away"))
    yield
    assert not database.exists()
    away.rename(database)


@pytest.mark.sqlite
async def test_a_corrupt_file_is_said_and_can_be_restored(
    store: Store, make_sent: MakeSent, database: Path
) -> None:
    before = make_sent()
    await store.record_sent(before)
    await let_go(store)
    with overwritten(database):
        with pytest.raises(StoreUnavailable, match="malformed"):
            await store.record_sent(make_sent())
        with pytest.raises(StoreUnavailable, match="malformed"):
            await store.read(select(message.c.id))
    after = make_sent()
    await store.record_sent(after)
    assert await stored_ids(store) == {before.message_id, after.message_id}


@pytest.mark.sqlite
async def test_a_file_that_vanished_does_not_come_back_empty(
    store: Store, make_sent: MakeSent, database: Path
) -> None:
    await let_go(store)
    with moved_away(database), pytest.raises(StoreUnavailable, match="unable to open"):
        await store.record_sent(make_sent())
    await store.record_sent(make_sent())


async def test_who_gave_up_waiting_finds_nothing_stored(
    store: Store, make_sent: MakeSent, locked: Lock
) -> None:
    late, patient = make_sent(), make_sent()
    with locked():
        waiting = asyncio.create_task(store.record_sent(patient))
        with pytest.raises(StoreUnavailable, match=r"no commit within 0\.05 s"):
            await store.record_sent(late, timeout=0.05)
    await waiting
    assert await stored_ids(store) == {patient.message_id}


def leaves(task: asyncio.Task[None], place: Place) -> Callable[..., None]:
    """Where the writer runs: has the loop cancel the task, and waits until that is done."""
    loop = asyncio.get_running_loop()

    async def cancel() -> None:
        task.cancel()
        if place.engine == "postgresql":  # in the loop itself, which goes on meanwhile
            await asyncio.wait([task])

    if place.engine == "postgresql":
        return lambda *args: await_only(cancel())
    return lambda *args: asyncio.run_coroutine_threadsafe(cancel(), loop).result(10)


async def test_who_gives_up_within_the_transaction_is_left_out_of_it(
    store: Store, make_sent: MakeSent, place: Place
) -> None:
    late, patient = make_sent(), make_sent()
    leaving = asyncio.create_task(store.record_sent(late))
    waiting = asyncio.create_task(store.record_sent(patient))
    event.listen(write_engine(store), "after_cursor_execute", leaves(leaving, place), once=True)
    await waiting
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await stored_ids(store) == {patient.message_id}


async def test_who_gives_up_during_the_commit_is_taken_out_again(
    store: Store, make_sent: MakeSent, commits: list[str], place: Place
) -> None:
    late, patient = make_sent(), make_sent()
    leaving = asyncio.create_task(store.record_sent(late))
    waiting = asyncio.create_task(store.record_sent(patient))
    event.listen(write_engine(store), "commit", leaves(leaving, place), once=True)
    await waiting
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert commits == ["commit"]
    await store.check()
    assert await stored_ids(store) == {patient.message_id}


async def test_too_many_writes_at_once_are_refused(store: Store, make_sent: MakeSent) -> None:
    waiting = [
        asyncio.create_task(store.write(lambda connection: None)) for _ in range(MAX_WAITING + 1)
    ]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert outcomes[:-1] == [None] * MAX_WAITING
    assert isinstance(outcomes[-1], StoreUnavailable)


async def test_closing_stores_what_waits_and_takes_no_more(
    place: Place, make_sent: MakeSent
) -> None:
    store = await Store.open(place.url)
    sent, last = make_sent(), make_sent()
    await store.record_sent(sent)
    store.record_outcome(sent.message_id, Outcome(at_ms=5, state="delivered", reply="ok"))
    waiting = asyncio.create_task(store.record_sent(last))
    await asyncio.sleep(0)
    await store.close()
    await waiting
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.record_sent(make_sent())
    states = place.execute("SELECT id, state FROM message ORDER BY id")
    assert states == [(sent.message_id, 1), (last.message_id, 0)]


KILLED = """
import asyncio, sys
from collector.store import Sent, Store

async def main():
    store = await Store.open(sys.argv[1])
    async def send(message_id):
        await store.record_sent(Sent(
            message_id=message_id, sender_id=int(sys.argv[2]), sent_at_ms=0, mail_from="",
            recipients=(), subject="", message_id_header="", opens=True, clicks=True))
        print(message_id, flush=True)
    for first in range(1, 10**9, 20):
        await asyncio.gather(*map(send, range(first, first + 20)))

asyncio.run(main())
"""


async def test_what_was_answered_survives_kill_9(
    store: Store, sender_id: int, place: Place
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        KILLED,
        place.url,
        str(sender_id),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    answered = {int(await child.stdout.readline()) for _ in range(200)}
    os.kill(child.pid, signal.SIGKILL)
    answered |= {int(line) for line in (await child.stdout.read()).split()}
    await child.wait()
    assert answered <= await stored_ids(store)


async def test_a_read_that_is_cancelled_leaves_nothing_open(place: Place) -> None:
    """Not even in the midst of opening a connection; closing waits for what still runs."""
    store = await Store.open(place.url)
    for turns in range(12, -1, -1):
        reading = asyncio.create_task(store.read(select(message)))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
    assert reading.cancelled()
    await store.close()
    gc.collect()  # what was left open says so as it goes
