"""The migrations make exactly the tables that schema.py describes, and refuse what they must."""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from places import File, OnServer, Place
from sqlalchemy import URL, Connection, inspect, text

from collector import migrations
from collector.databases import find_database
from collector.errors import StoreError
from collector.schema import metadata
from collector.sqlite import SQLite


def upgrade(database: Path | str, revision: str = "head") -> None:
    """The file, or what the URL names."""
    if isinstance(database, str):
        migrations.upgrade(find_database(database), revision)
    else:
        migrations.upgrade(SQLite(URL.create("sqlite", database=str(database))), revision)


@pytest.fixture
def migrated(database: Path) -> Path:
    database.touch()
    upgrade(database)
    return database


@pytest.fixture
def empty(place: Place) -> Iterator[Place]:
    """Beside the place, one where no table is."""
    if isinstance(place, File):
        yield File(place.path.with_name("empty.db"))
        return
    assert isinstance(place, OnServer)
    name = f"{place.name}_empty"
    place.server.execute(f"CREATE DATABASE {name}")
    yield replace(place, name=name)
    place.server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def look(place: Place, call: Any) -> Any:
    """What `call(connection)` sees there."""
    seen = []
    find_database(place.url).migrate(lambda connection: seen.append(call(connection)))
    return seen[0]


def test_they_make_the_schema(place: Place) -> None:
    def compare(connection: Connection) -> Any:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)

    upgrade(place.url)
    assert look(place, compare) == []


def test_they_name_constraints_as_the_schema_does(place: Place, empty: Place) -> None:
    """What compare_metadata does not look at: names of keys, what a deletion takes along."""

    def describe(connection: Connection) -> dict[tuple[str, str], list[str]]:
        found = inspect(connection)
        return {
            (table, aspect): _by_name(getattr(found, aspect)(table))
            for table in metadata.tables
            for aspect in ("get_pk_constraint", "get_foreign_keys", "get_unique_constraints")
        }

    upgrade(place.url)
    look(empty, metadata.create_all)
    assert look(place, describe) == look(empty, describe)


def _by_name(constraints: object) -> list[str]:
    listed = constraints if isinstance(constraints, list) else [constraints]
    return sorted(str(sorted(each.items())) for each in listed)


OLD_ROWS = """
    INSERT INTO sender VALUES (1, 'Ana', 'ana', '$argon2id$old', true, false, true, true, 5);
    INSERT INTO sender VALUES (2, 'ben', 'ben', '!', false, false, false, false, 6);
    INSERT INTO sender_address VALUES (1, 0, 'ana@example.com');
    INSERT INTO session VALUES ('', 1, 9);
    INSERT INTO message VALUES (7, 1, 5, NULL, 0, true, true, 0, 0, NULL, NULL, 0, 0, NULL, NULL,
                                'Hi', '[]', 'ana@example.com', '', NULL, '', '[]');
    INSERT INTO agent VALUES (3, 'Mozilla');
    INSERT INTO hit VALUES (4, 7, 5, 0, 0, NULL, 0, 'browser', NULL, 3);
"""

# What later schemas add to each of those rows.
ADDED: dict[str, dict[str, object]] = {
    "sender": {"per_recipient": 0, "consent": None, "notify": 1, "is_admin": 0, "language": None},
    "session": {"created_at_ms": None, "last_used_at_ms": None, "browser": ""},
    "message": {
        "per_recipient": 0,
        "shared_reason": None,
        "outcomes": None,
        "stopped_at_ms": None,
        "objected": None,
        "snippet": "",
        "skipped": None,
        "opens_wished": None,
        "clicks_wished": None,
        "opens_from": None,
        "clicks_from": None,
    },
}


def test_all_rows_of_the_first_schema_come_along(empty: Place) -> None:
    """A table that is made anew may take those that refer to it with it."""
    upgrade(empty.url, "0001")
    tables = ("sender", "sender_address", "session", "message", "agent", "hit")
    for statement in OLD_ROWS.split(";\n")[:-1]:
        empty.execute(statement)
    before = {table: _rows(empty, table) for table in tables}
    upgrade(empty.url)
    for table in tables:
        expected = [row | ADDED.get(table, {}) for row in before[table]]
        assert _rows(empty, table) == expected, table
    if empty.engine == "sqlite":
        assert empty.execute("PRAGMA foreign_key_check") == []
        assert empty.execute("PRAGMA integrity_check") == [("ok",)]
    empty.execute("UPDATE sender SET password_hash = NULL WHERE id = 2")
    empty.execute("INSERT INTO device VALUES (1, 1, 'phone', 'k', '!', 5, NULL)")
    look(empty, lambda connection: connection.execute(text("DELETE FROM sender")))
    for table in ("sender_address", "session", "message", "hit", "device"):
        assert _rows(empty, table) == []


def _rows(place: Place, table: str) -> list[dict[str, object]]:
    def read(connection: Connection) -> list[dict[str, object]]:
        rows = connection.execute(text(f"SELECT * FROM {table}"))
        return [dict(row) for row in rows.mappings()]

    found: list[dict[str, object]] = look(place, read)
    return found


async def test_two_at_once_make_the_schema_once(empty: Place) -> None:
    """As when two processes start on one database; each waits for the other."""
    script = (
        "import sys; from collector import migrations; from collector.databases import "
        "find_database; migrations.upgrade(find_database(sys.argv[1]))"
    )
    both = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, empty.url)
        for _ in range(2)
    ]
    assert [await each.wait() for each in both] == [0, 0]
    assert len(empty.execute("SELECT * FROM secret")) == 1


def test_a_second_time_changes_nothing(migrated: Path) -> None:
    with sqlite3.connect(migrated) as connection:
        connection.execute("INSERT INTO agent (text) VALUES ('kept')")
    connection.close()
    upgrade(migrated)
    with sqlite3.connect(migrated) as connection:
        assert connection.execute("SELECT text FROM agent").fetchall() == [("kept",)]
    connection.close()


def test_a_failed_one_leaves_nothing_half_done(database: Path) -> None:
    """A table in the way of a later one: the earlier ones must be gone, too."""
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE hit (x)")
    connection.close()
    with pytest.raises(StoreError, match="already exists"):
        upgrade(database)
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    assert rows == [("hit",)]


def test_a_newer_schema_asks_for_a_newer_letterbell(migrated: Path) -> None:
    with sqlite3.connect(migrated) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match=r"newer letterbell.*9999.*upgrade letterbell"):
        upgrade(migrated)


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    odd = tmp_path / "100% mine & yours? #1 é.db"
    odd.touch()
    upgrade(odd)
    with sqlite3.connect(odd) as connection:
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (0,)
    connection.close()
