"""A store is copied from SQLite to PostgreSQL: a grown site moves.

The file is held locked meanwhile, so that nothing is written behind the copy's back. Rows go by the
page, each page in one transaction, parents before children. Until all is there and counted, a row
of `secret` marks the target, and no store opens on it; that row also says which state of the file
it is a copy of. Whoever copies the same file again goes on where it broke off; if the file has
changed since, it begins anew.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

from sqlalchemy import Boolean, Column, Integer, Table

from collector import migrations
from collector.engine import is_foreign, say
from collector.errors import StoreError
from collector.postgres import Postgres
from collector.schema import UNFINISHED, metadata, secret
from collector.sqlite import SQLite, file_age

PAGE = 20_000
BUSY_SECONDS = 30.0  # how long the file's lock is waited for
LOWEST = -(2**63)
_COPY_LOCK = 0x6C6574746572636F  # any number that is ours: "letterco"
TABLES = tuple(table for table in metadata.sorted_tables if table is not secret)

Rows = Sequence[tuple[Any, ...]]


def count_rows(source: SQLite) -> int:
    """How many rows there are to copy, for who shows how far it is. Raises StoreError."""
    with _reading(source) as file:
        return sum(_count(file, table) for table in TABLES)


async def copy_store(
    source: SQLite, target: Postgres, tell: Callable[[int], None]
) -> Mapping[str, int]:
    """How many rows each table has, in both; `tell` hears of each page how many it had.

    Raises StoreError with the mend: the target is in use, the file is, the rows do not agree.
    """
    await asyncio.to_thread(migrations.upgrade, source)
    await asyncio.to_thread(migrations.upgrade, target)
    try:
        with _holding(source) as file:
            async with _connecting(target) as server:
                await _begin(file, server, source, target)
                for table in TABLES:
                    await _copy_table(file, server, table, tell)
                counts = await _verify(file, server)
                await _finish(file, server)
                return counts
    except Exception as error:
        if not is_foreign(error):
            raise
        raise StoreError(
            f"the copy broke off: {target.mend(error)}; give the command again, and it goes on"
        ) from error


@contextmanager
def _reading(source: SQLite) -> Iterator[sqlite3.Connection]:
    if not source.path.is_file():
        raise StoreError(f"there is no file {source.path}; name the store that is to be copied")
    try:
        with closing(
            sqlite3.connect(source.path, timeout=BUSY_SECONDS, isolation_level=None)
        ) as file:
            # SQLite takes any octets for text, PostgreSQL does not.
            file.text_factory = lambda octets: octets.decode("utf-8", "replace").replace("\0", "")
            yield file
    except sqlite3.Error as error:
        raise StoreError(
            f"{source.path} cannot be read ({error}); stop the relay that uses it, and see that it "
            "is a store of Letterbell"
        ) from None


@contextmanager
def _holding(source: SQLite) -> Iterator[sqlite3.Connection]:
    """The file, which nobody else writes to. Its log is empty: its age says what it holds."""
    with _reading(source) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        file.execute("BEGIN IMMEDIATE")
        yield file


@asynccontextmanager
async def _connecting(target: Postgres) -> AsyncIterator[Any]:
    """A connection by asyncpg alone, since only it can COPY; nobody else copies meanwhile."""
    server = await target.connect()
    try:
        if not await server.fetchval("SELECT pg_try_advisory_lock($1)", _COPY_LOCK):
            raise StoreError(
                f"somebody copies into {target.where} already; wait until that is done"
            )
        yield server
    finally:
        await server.close()


async def _begin(file: sqlite3.Connection, server: Any, source: SQLite, target: Postgres) -> None:
    """Marks the target as a copy of this file; empties it if it was begun from another."""
    mark = file_age(source.path)
    begun = await server.fetchval("SELECT value FROM secret WHERE name = $1", UNFINISHED)
    if begun == mark:
        return
    if begun is None:
        for table in ("sender", "message", "consent"):
            if await server.fetchval(f"SELECT 1 FROM {table} LIMIT 1"):
                raise StoreError(
                    f"{target.where} has rows in {table!r} already; name an empty database"
                )
    async with server.transaction():
        await server.execute(f"TRUNCATE {', '.join(map(_quoted, metadata.tables.values()))}")
        query = f"SELECT {_names(secret)} FROM {_quoted(secret)}"
        secrets = [*file.execute(query).fetchall(), (UNFINISHED, mark)]
        await _send(server, secret, secrets)


async def _copy_table(
    file: sqlite3.Connection, server: Any, table: Table, tell: Callable[[int], None]
) -> None:
    key = _number(table)
    if key is None:  # small, and without an order that both engines know: all at once
        async with server.transaction():
            await server.execute(f"DELETE FROM {_quoted(table)}")
            found = file.execute(f"SELECT {_names(table)} FROM {_quoted(table)}")
            while rows := found.fetchmany(PAGE):
                await _send(server, table, rows)
                tell(len(rows))
        return
    place, name = list(table.columns).index(key), f'"{key.name}"'
    tell(await server.fetchval(f"SELECT count(*) FROM {_quoted(table)}"))
    last = await server.fetchval(f"SELECT max({name}) FROM {_quoted(table)}")
    query = f"SELECT {_names(table)} FROM {_quoted(table)} WHERE {name} > ? ORDER BY {name} LIMIT ?"
    while rows := file.execute(query, (LOWEST if last is None else last, PAGE)).fetchall():
        await _send(server, table, rows)
        tell(len(rows))
        last = rows[-1][place]


async def _send(server: Any, table: Table, rows: Rows) -> None:
    """One COPY: all of the rows or none."""
    flags = [place for place, each in enumerate(table.columns) if isinstance(each.type, Boolean)]
    try:
        await server.copy_records_to_table(
            table.name,
            records=[_with_flags(row, flags) for row in rows] if flags else rows,
            columns=[each.name for each in table.columns],
        )
    except (ValueError, OverflowError) as error:
        first = dict(zip((each.name for each in table.primary_key), rows[0], strict=False))
        raise StoreError(
            f"the server takes no row like one of {table.name!r} from {first} on ({say(error)})"
        ) from None


def _with_flags(row: tuple[Any, ...], flags: Iterable[int]) -> tuple[Any, ...]:
    """SQLite has numbers for what is true or false; PostgreSQL wants to be told."""
    values = list(row)
    for place in flags:
        if values[place] is not None:
            values[place] = bool(values[place])
    return tuple(values)


async def _verify(file: sqlite3.Connection, server: Any) -> Mapping[str, int]:
    counts = {}
    for table in TABLES:
        wanted = _count(file, table)
        found = await server.fetchval(f"SELECT count(*) FROM {_quoted(table)}")
        if wanted != found:
            raise StoreError(
                f"{table.name!r} has {wanted} rows in the file and {found} on the server: drop the "
                "database, make it anew, and copy again"
            )
        counts[table.name] = wanted
    return counts


async def _finish(file: sqlite3.Connection, server: Any) -> None:
    """New rows get numbers behind the old ones; the mark goes."""
    async with server.transaction():
        for table in TABLES:
            key = _number(table)
            if key is not None and key is table.autoincrement_column:
                await server.execute(
                    f"SELECT setval(pg_get_serial_sequence('{_quoted(table)}', '{key.name}'),"
                    f' greatest(max("{key.name}"), $1)) FROM {_quoted(table)}',
                    _last_number(file, table),
                )
        await server.execute("DELETE FROM secret WHERE name = $1", UNFINISHED)
    await server.execute("ANALYZE")


def _count(file: sqlite3.Connection, table: Table) -> int:
    try:
        query = f"SELECT count(*) FROM {_quoted(table)}"
        [count] = file.execute(query).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # of an older version; made when it is copied
            return 0
        raise
    return int(count)


def _last_number(file: sqlite3.Connection, table: Table) -> int | None:
    """The highest that was ever given, where SQLite remembers it; rows that had it may be gone."""
    if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        return None
    found = file.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
    return int(found[0]) if found else None


def _number(table: Table) -> Column[Any] | None:
    """The key of a table whose key is one number."""
    keys = list(table.primary_key)
    return keys[0] if len(keys) == 1 and isinstance(keys[0].type, Integer) else None


def _names(table: Table) -> str:
    return ", ".join(f'"{each.name}"' for each in table.columns)


def _quoted(table: Table) -> str:
    return f'"{table.name}"'
