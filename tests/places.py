"""Where a store can be: an SQLite file, a PostgreSQL database. What somebody else does to it there.

A test that asks for `place`, itself or by `store` or `site`, runs on both. One that looks into
SQLite's file is marked `sqlite`, and runs on that alone.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from postgresql import Server, beside

from collector import migrations
from collector.databases import find_database
from collector.schema import metadata

TEMPLATE = "template_of_letterbell"
# Connections that a test has left open may hold locks.
END_OTHERS = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""


class Place(Protocol):
    """One place for one store."""

    engine: str
    url: str
    lock_error: str  # what is said while another process holds a lock

    def execute(self, statement: str) -> list[Sequence[Any]]:
        """The rows of a statement of somebody else's, which is committed."""

    def locked(self) -> Any:
        """`with place.locked():` somebody else lets nobody write."""


@dataclass(slots=True)
class File:
    """A file that nobody has made yet."""

    path: Path
    engine: str = "sqlite"
    lock_error: str = "database is locked"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def execute(self, statement: str) -> list[Sequence[Any]]:
        other = sqlite3.connect(self.path, isolation_level=None)
        try:
            return other.execute(statement).fetchall()
        finally:
            other.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


@dataclass(slots=True)
class OnServer:
    """A database with today's tables and nothing in them."""

    server: Server
    name: str
    engine: str = "postgresql"
    lock_error: str = "lock timeout"

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def execute(self, statement: str) -> list[Sequence[Any]]:
        return [tuple(row) for row in self.server.execute(statement, self.name)]

    @contextmanager
    def locked(self) -> Iterator[None]:
        tables = ", ".join(f'"{name}"' for name in metadata.tables)
        with beside() as other:
            connection = other(self.server.connect(self.name))
            other(connection.execute("BEGIN"))
            other(connection.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))
            try:
                yield
            finally:
                other(connection.close())


def make_template(server: Server) -> None:
    """What each database is copied from: quicker than making its tables."""
    server.execute(f"CREATE DATABASE {TEMPLATE}")
    migrations.upgrade(find_database(server.url(TEMPLATE)))


@contextmanager
def open_reused(server: Server) -> Iterator[Callable[[], OnServer]]:
    """`fresh()` is one and the same database, as the template is: ten times quicker than a copy."""
    tables = [f'"{table.name}"' for table in reversed(metadata.sorted_tables)]
    with open_database(server, "reused") as database, beside() as other:
        filled = [each for each in tables if database.execute(f"SELECT 1 FROM {each} LIMIT 1")]
        connection = other(server.connect(database.name))
        for each in (
            "CREATE SCHEMA kept",
            *(f"CREATE TABLE kept.{t} AS TABLE {t}" for t in filled),
        ):
            other(connection.execute(each))
        script = ";".join(
            [
                END_OTHERS,
                *(f"DELETE FROM {table}" for table in tables),
                "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'",
                *(f"INSERT INTO {table} SELECT * FROM kept.{table}" for table in reversed(filled)),
            ]
        )

        def fresh() -> OnServer:
            other(connection.execute(script))
            return database

        yield fresh
        other(connection.close())


@contextmanager
def open_database(server: Server, name: str) -> Iterator[OnServer]:
    """A copy of the template, for as long as it is needed."""
    server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield OnServer(server, name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
