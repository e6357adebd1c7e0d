"""The migrations make exactly the tables that schema.py describes, and refuse what they must."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from collector.errors import StoreError
from collector.migrations import upgrade
from collector.schema import metadata


@pytest.fixture
def migrated(database: Path) -> Path:
    database.touch()
    upgrade(database)
    return database


def test_they_make_the_schema(migrated: Path) -> None:
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_they_name_constraints_as_the_schema_does(migrated: Path) -> None:
    """What compare_metadata does not look at: names of keys, what a deletion takes along."""
    described = create_engine("sqlite://")
    metadata.create_all(described)
    made = create_engine(f"sqlite:///{migrated}")
    for table in metadata.tables:
        for aspect in ("get_pk_constraint", "get_foreign_keys", "get_unique_constraints"):
            wanted, found = (getattr(inspect(each), aspect)(table) for each in (described, made))
            assert _by_name(found) == _by_name(wanted), (table, aspect)
    made.dispose()
    described.dispose()


def _by_name(constraints: object) -> list[str]:
    listed = constraints if isinstance(constraints, list) else [constraints]
    return sorted(str(sorted(each.items())) for each in listed)


OLD_ROWS = """
    INSERT INTO sender VALUES (1, 'Ana', 'ana', '$argon2id$old', 1, 0, 1, 1, 5);
    INSERT INTO sender VALUES (2, 'ben', 'ben', '!', 0, 0, 0, 0, 6);
    INSERT INTO sender_address VALUES (1, 0, 'ana@example.com');
    INSERT INTO session VALUES (x'00', 1, 9);
    INSERT INTO message VALUES (7, 1, 5, NULL, 0, 1, 1, 0, 0, NULL, NULL, 0, 0, NULL, NULL,
                                'Hi', '[]', 'ana@example.com', '', NULL, '', '[]');
    INSERT INTO agent VALUES (3, 'Mozilla');
    INSERT INTO hit VALUES (4, 7, 5, 0, 0, NULL, 0, 'browser', NULL, 3);
"""

# What later schemas add to each of those rows.
ADDED: dict[str, dict[str, object]] = {
    "sender": {"per_recipient": 0, "consent": None},
    "message": {
        "per_recipient": 0,
        "shared_reason": None,
        "outcomes": None,
        "stopped_at_ms": None,
        "objected": None,
        "skipped": None,
        "opens_wished": None,
        "clicks_wished": None,
        "opens_from": None,
        "clicks_from": None,
    },
}


def test_all_rows_of_the_first_schema_come_along(database: Path) -> None:
    """A table that is made anew may take those that refer to it with it."""
    database.touch()
    upgrade(database, "0001")
    tables = ("sender", "sender_address", "session", "message", "agent", "hit")
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        connection.executescript(OLD_ROWS)
        before = {table: _rows(connection, table) for table in tables}
    connection.close()
    upgrade(database)
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        for table in tables:
            expected = [row | ADDED.get(table, {}) for row in before[table]]
            assert _rows(connection, table) == expected, table
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("UPDATE sender SET password_hash = NULL WHERE id = 2")
        connection.execute("INSERT INTO device VALUES (1, 1, 'phone', 'k', '!', 5, NULL)")
        connection.execute("DELETE FROM sender")
        for table in ("sender_address", "session", "message", "hit", "device"):
            assert _rows(connection, table) == []
    connection.close()


def _rows(connection: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


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
