"""A store that is copied to a server: all rows, however it went; and nothing is copied into."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from places import File, OnServer, open_database
from postgresql import Server
from sites import Site, open_site
from sqlalchemy import Column, Connection, insert, select

from collector import copying
from collector.copying import copy_store, count_rows
from collector.databases import find_database
from collector.errors import StoreError
from collector.postgres import Postgres
from collector.schema import Word, metadata
from collector.sqlite import SQLite
from collector.store import Store

MAILS = 30


@pytest.fixture
def target(postgresql_server: Server) -> Iterator[OnServer]:
    with open_database(postgresql_server, "of_copying") as database:
        yield database


@pytest.fixture
async def source(tmp_path: Path) -> File:
    """A site that has something in every table, odd letters too."""
    async with open_site(tmp_path) as site:
        await fill(site)
        await site.store.write(fill_up)
    return File(tmp_path / "letterbell.db")


async def fill(site: Site) -> None:
    ana = await site.senders.add("Ana", "right", ["ana@example.com", "*@ana.example"])
    ben = await site.senders.ensure("ben", ["ben@example.com"], opens=True, clicks=False)
    assert ben
    await site.senders.open_session(ana.id, 60)
    await site.senders.devices.add(ana.id, "phone")
    await site.senders.api_keys.add(ben.id, "program", "read")
    await site.consents.decide(ana.id, "bob@example.org", {"open": False}, how="notice")
    for number in range(MAILS):
        mail = await site.add_mail(
            ana,
            f"Grüße \U0001f4ec {number}",
            ("a@example.org", "ß@example.org"),
            per_recipient=True,
        )
        await site.hit(ana, mail, "open", recipient=1, agent=f"Agent/{number}")
        await site.hit(ana, mail, "click", recipient=2, link=0)
    await site.deliver(ana, mail, "250 2.0.0 angenommen \\ 'ok'", "delivered")


def fill_up(connection: Connection) -> None:
    """A row for each table that has none yet."""
    for table in metadata.sorted_tables:
        if connection.execute(select(table)).first() is None:
            row = {each.name: make_up(connection, each) for each in table.columns}
            connection.execute(insert(table), row)


def make_up(connection: Connection, column: Column[Any]) -> Any:
    """Any value that the column takes."""
    for key in column.foreign_keys:
        return connection.execute(select(key.column)).scalars().first()
    if isinstance(column.type, Word):
        return column.type.words[-1]
    made: dict[type, Any] = {bool: True, int: 7, str: "ä\n", bytes: b"\0\xff"}
    return made.get(column.type.python_type, [1, "ä", None])


def databases(source: File, target: OnServer) -> tuple[SQLite, Postgres]:
    found = find_database(source.url), find_database(target.url)
    assert isinstance(found[0], SQLite)
    assert isinstance(found[1], Postgres)
    return found


async def copied(source: File, target: OnServer, tell: Any = lambda rows: None) -> Any:
    return await copy_store(*databases(source, target), tell)


async def read_all(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row, as the store reads it."""
    store = await Store.open(url)
    try:
        return {
            name: sorted(map(tuple, await store.read(select(table))), key=repr)
            for name, table in metadata.tables.items()
        }
    finally:
        await store.close()


async def test_every_row_comes_along(source: File, target: OnServer) -> None:
    told: list[int] = []
    counts = await copied(source, target, told.append)
    before = await read_all(source.url)
    assert all(before.values())
    assert await read_all(target.url) == before
    assert counts == {name: len(rows) for name, rows in before.items() if name != "secret"}
    assert sum(told) == count_rows(databases(source, target)[0]) == sum(counts.values())


async def test_the_site_goes_on_there(source: File, target: OnServer, tmp_path: Path) -> None:
    """New rows get new numbers, and old decisions hold."""
    await copied(source, target)
    async with open_site(tmp_path / "elsewhere", store_url=target.url) as site:
        ana = await site.senders.authenticate("ana", "right")
        assert ana
        await site.senders.add("new", "right", [])
        mail = await site.add_mail(ana, at_ms=1_800_000_000_000)
        await site.hit(ana, mail, "open", agent="New/1")
        decided = await site.consents.about(ana, ["Bob@example.org"])
        assert decided.objection("bob@example.org", "open") == "refused"
    assert target.execute("SELECT count(*) FROM sender") == [(3,)]
    assert target.execute("SELECT count(*) FROM hit") == [(2 * MAILS + 1,)]


async def test_no_number_is_given_twice(source: File, target: OnServer) -> None:
    """Where SQLite remembers the numbers of rows that are gone, for whoever may have noted them."""
    source.execute("CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    source.execute("INSERT INTO sqlite_sequence VALUES ('hit', 500)")
    await copied(source, target)
    [(new,)] = target.execute("INSERT INTO agent (text) VALUES ('new') RETURNING id")
    assert new == MAILS + 2
    new = "INSERT INTO hit SELECT nextval('hit_id_seq'), message_id, 1, 0, 0, 0, 0, '' FROM hit"
    assert target.execute(f"{new} LIMIT 1 RETURNING id") == [(501,)]


class Interrupted(Exception):  # noqa: N818 - named for what happened
    """As by ^C."""


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PAGE", 7)


def stop_after(pages: int) -> Any:
    told: list[int] = []

    def tell(rows: int) -> None:
        told.append(rows)
        if len(told) > pages:
            raise Interrupted

    return tell


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("pages", [0, 3, 9, 16])
async def test_what_broke_off_goes_on(pages: int, source: File, target: OnServer) -> None:
    with pytest.raises(Interrupted):
        await copied(source, target, stop_after(pages))
    with pytest.raises(StoreError, match="not finished: give `letterbell store copy` again"):
        await Store.open(target.url)
    target.execute(
        "UPDATE message SET subject = 'was there' WHERE id IN (SELECT min(id) FROM message)"
    )
    there = target.execute("SELECT count(*) FROM message WHERE subject = 'was there'")
    told: list[int] = []
    await copied(source, target, told.append)
    assert sum(told) == count_rows(databases(source, target)[0])
    left = target.execute("SELECT count(*) FROM message WHERE subject = 'was there'")
    assert left == there, "rows that were there are not copied once more"


@pytest.mark.usefixtures("small_pages")
async def test_what_has_changed_since_is_copied_anew(source: File, target: OnServer) -> None:
    with pytest.raises(Interrupted):
        await copied(source, target, stop_after(12))
    source.execute("UPDATE message SET open_count = 99")
    source.execute("DELETE FROM hit WHERE id < 9")
    await copied(source, target)
    assert await read_all(target.url) == await read_all(source.url)


async def test_a_database_in_use_stays_as_it_is(source: File, target: OnServer) -> None:
    await copied(source, target)
    with pytest.raises(StoreError, match="has rows in 'sender' already; name an empty database"):
        await copied(source, target)
    assert await read_all(target.url) == await read_all(source.url)


async def test_a_file_in_use(
    source: File, target: OnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BUSY_SECONDS", 0.02)

    def open_while_locked(*_: object) -> None:
        with source.locked(), copying._holding(databases(source, target)[0]):
            pass

    with pytest.raises(StoreError, match="stop the relay that uses it"):
        open_while_locked()


async def test_nobody_writes_to_the_file_meanwhile(source: File, target: OnServer) -> None:
    def write(rows: int) -> None:
        other = sqlite3.connect(source.path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("DELETE FROM hit")
        other.close()

    await copied(source, target, write)
    assert target.execute("SELECT count(*) FROM hit") == [(2 * MAILS,)]


async def test_no_file(target: OnServer, tmp_path: Path) -> None:
    source, _ = databases(File(tmp_path / "nothing.db"), target)
    with pytest.raises(StoreError, match=r"there is no file .*nothing\.db"):
        count_rows(source)
    assert not source.path.exists()


async def test_octets_that_are_no_text(source: File, target: OnServer) -> None:
    """SQLite keeps whatever it is given; PostgreSQL takes neither NUL nor what is not UTF-8."""
    source.execute("UPDATE agent SET text = CAST(x'61006230ff' AS TEXT) WHERE id = 1")
    await copied(source, target)
    assert target.execute("SELECT text FROM agent WHERE id = 1") == [("ab0\ufffd",)]


async def test_a_number_that_the_server_does_not_take(source: File, target: OnServer) -> None:
    source.execute("UPDATE message SET open_count = 3000000000")
    with pytest.raises(StoreError, match=r"no row like one of 'message' from \{'id': \d+\} on"):
        await copied(source, target)


async def test_rows_that_do_not_agree_are_told(source: File, target: OnServer) -> None:
    """Somebody else has taken some away."""

    def tell(rows: int) -> None:
        target.execute("DELETE FROM session")

    with pytest.raises(StoreError, match="'session' has 1 rows in the file and 0 on the server"):
        await copied(source, target, tell)
    with pytest.raises(StoreError, match="not finished"):
        await Store.open(target.url)
