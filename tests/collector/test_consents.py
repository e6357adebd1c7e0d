"""Decisions in a real store: the newest holds, all are proof, nobody's refusal is overruled."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event, select

from collector.consent import Decisions
from collector.consents import Consents, Decision, RefusalStands
from collector.decisions import hash_address
from collector.errors import StoreConflict
from collector.roster import Sender
from collector.schema import consent, secret
from collector.store import Store

BOB = "bob@example.org"


@pytest.fixture
def consents(store: Store) -> Consents:
    return Consents(store)


@pytest.fixture
def ana(sender_id: int) -> Sender:
    return Sender(sender_id, "ana", (), opens=True, clicks=True, sticky=True, enabled=True)


def noted(sender_id: int, at_ms: int, **changes: object) -> Decision:
    values: dict[str, object] = {
        "sender_id": sender_id,
        "address": BOB,
        "kind": "open",
        "granted": True,
        "at_ms": at_ms,
        "how": "import",
    }
    return Decision(**{**values, **changes})  # type: ignore[arg-type]


async def test_the_newest_holds_and_all_are_kept(consents: Consents, ana: Sender) -> None:
    assert await consents.about(ana, [BOB]) == Decisions("unless-refused", {})
    assert await consents.decide(ana.id, "Bob@Example.org", {"open": False}, how="notice")
    assert await consents.decide(
        ana.id, BOB, {"open": True, "click": False}, how="notice", text_version="v1"
    )
    about = await consents.about(ana, ["BOB@example.org", "eve@example.org"])
    assert about.known == {(BOB, "open"): True, (BOB, "click"): False}
    history = await consents.history(ana.id, BOB)
    assert [(each.address, each.kind, each.granted, each.text_version) for each in history] == [
        ("Bob@Example.org", "open", False, None),
        (BOB, "open", True, "v1"),
        (BOB, "click", False, "v1"),
    ]
    assert [each.at_ms for each in history] == sorted(each.at_ms for each in history)


async def test_what_changes_nothing_is_not_kept_twice(consents: Consents, ana: Sender) -> None:
    assert await consents.decide(ana.id, BOB, {"open": False, "click": False}, how="notice")
    assert not await consents.decide(ana.id, BOB, {"open": False}, how="command")
    assert await consents.decide(ana.id, BOB, {"click": True, "open": False}, how="notice")
    assert len(await consents.history(ana.id, BOB)) == 3


async def test_each_sender_for_himself(
    consents: Consents, ana: Sender, add_sender: Callable
) -> None:
    ben = replace(ana, id=await add_sender("ben"), consent="only-consented")
    await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    assert (await consents.about(ana, [BOB])).objection(BOB, "open") == "refused"
    assert await consents.about(ben, [BOB]) == Decisions("only-consented", {})
    assert await consents.history(ben.id, BOB) == []
    assert await consents.list(ben.id) == []


@pytest.mark.parametrize("how", ["import", "api", "command"])
async def test_nobody_takes_back_anothers_refusal(
    consents: Consents, ana: Sender, how: str
) -> None:
    await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    with pytest.raises(RefusalStands):
        await consents.decide(ana.id, BOB, {"click": True, "open": True}, how=how)  # type: ignore[arg-type]
    assert len(await consents.history(ana.id, BOB)) == 1
    assert await consents.decide(ana.id, BOB, {"open": True}, how="notice")


async def test_a_refusal_that_was_imported_becomes_ones_own(
    consents: Consents, ana: Sender
) -> None:
    """Else an import could take back what the recipient has said on the page as well."""
    await consents.decide(ana.id, BOB, {"open": False}, how="import")
    assert await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    assert not await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    with pytest.raises(RefusalStands):
        await consents.decide(ana.id, BOB, {"open": True}, how="command")
    assert [each.how for each in await consents.history(ana.id, BOB)] == ["import", "notice"]


async def test_what_is_taken_over_is_all_or_nothing(consents: Consents, ana: Sender) -> None:
    await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    later = 10**14
    lines = [noted(ana.id, later, address="eve@example.org"), noted(ana.id, later)]
    with pytest.raises(RefusalStands) as raised:
        await consents.take_over(lines)
    assert raised.value.places == (1,)
    with pytest.raises(StoreConflict):
        await consents.take_over([lines[0], noted(99, 5)])
    assert await consents.history(ana.id, "eve@example.org") == []
    assert await consents.take_over(lines[:1]) == 1


async def test_what_is_older_than_what_is_known_changes_nothing(
    consents: Consents, ana: Sender
) -> None:
    lines = [
        noted(ana.id, 10),
        noted(ana.id, 20, granted=False, how="notice", text_version="v1"),
        noted(ana.id, 30, how="notice"),
        noted(ana.id, 40, granted=False, how="command"),
    ]
    assert await consents.take_over(lines) == 4
    assert await consents.take_over(lines) == 0
    assert await consents.take_over([noted(ana.id, 39)]) == 0
    kept = [replace(each, id=0) for each in await consents.history(ana.id, BOB)]
    assert kept == lines


async def test_a_refusal_holds_though_the_clock_was_turned_back(
    consents: Consents, ana: Sender
) -> None:
    ahead = 10**15
    await consents.take_over([noted(ana.id, ahead)])
    assert await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    assert (await consents.about(ana, [BOB])).objection(BOB, "open") == "refused"
    assert [each.at_ms for each in await consents.history(ana.id, BOB)] == [ahead, ahead]


async def test_a_list_continues_behind_its_cursor(consents: Consents, ana: Sender) -> None:
    lines = [noted(ana.id, 1, address=f"{number}@example.org") for number in range(5)]
    again = noted(ana.id, 2, address="0@example.org", granted=False)
    await consents.take_over([*lines, again])
    page = await consents.list(ana.id, limit=3)
    assert [each.address for each in page] == [f"{number}@example.org" for number in (1, 2, 3)]
    rest = await consents.list(ana.id, after=page[-1].id)
    assert [(each.address, each.granted) for each in rest] == [
        ("4@example.org", True),
        ("0@example.org", False),
    ]
    assert len(await consents.list(ana.id, held=False)) == 6


async def test_a_refusal_outlives_its_address(
    consents: Consents, ana: Sender, store: Store
) -> None:
    await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    await store.write(lambda connection: connection.execute(consent.update().values(address=None)))
    assert (await consents.about(ana, [BOB])).objection(BOB, "open") == "refused"
    [each] = await consents.list(ana.id)
    assert each.address is None


async def test_addresses_are_hashed_by_a_key_of_this_database(
    consents: Consents, ana: Sender, store: Store, tmp_path: Path
) -> None:
    await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    [key] = await store.read(select(secret.c.value))
    [row] = await store.read(select(consent.c.address_hash))
    assert row.address_hash == hash_address("BOB@example.org", key.value)
    assert len(key.value) == 32
    other = await Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    [another] = await other.read(select(secret.c.value))
    await other.close()
    assert another.value != key.value


async def test_where_nobody_decided_mail_costs_no_query(
    consents: Consents, ana: Sender, store: Store
) -> None:
    await consents.about(ana, [BOB])
    asked: list[str] = []
    engine = store._readers.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    await consents.about(ana, [BOB])
    await consents.about(replace(ana, consent="only-consented"), [BOB])
    assert asked == []
    await consents.decide(ana.id, BOB, {"open": True}, how="notice")
    assert (await consents.about(ana, [BOB, "eve@example.org"])).known
    assert (await consents.about(replace(ana, consent="always"), [BOB])).known == {}
    assert asked


async def test_many_recipients_are_asked_for_in_parts(consents: Consents, ana: Sender) -> None:
    addresses = [f"{number}@example.org" for number in range(1_201)]
    lines = [noted(ana.id, 1, address=each, granted=False) for each in addresses]
    assert await consents.take_over(lines) == 1_201
    assert len((await consents.about(ana, addresses)).known) == 1_201


@pytest.mark.sqlite
async def test_the_index_answers_every_question(
    consents: Consents, ana: Sender, database: Path, store: Store
) -> None:
    asked: list[str] = []
    for engine in (store._writer._connection.engine, store._readers.sync_engine):
        event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    await consents.decide(ana.id, BOB, {"open": False}, how="notice")
    await consents.about(ana, [BOB])
    plans = []
    with sqlite3.connect(database) as connection:
        for query in {each for each in asked if "FROM consent" in each}:
            values = [1] * query.count("?")
            plans += connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
    connection.close()
    searches = [row[3] for row in plans if "consent" in row[3]]
    assert len(searches) == 2
    assert all("SEARCH consent USING" in each and "ix_consent" in each for each in searches)
