"""How a database is reached: URLs, connections and their settings, foreign errors in our own words.

One engine writes (a single connection, each transaction BEGIN IMMEDIATE), another reads
(autocommit, and SQLite itself refuses writes on it). WAL lets readers go on while the writer
writes; synchronous=FULL means that a commit is on the disk when it returns.
"""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from collector.errors import StoreConflict, StoreError, StoreUnavailable

READERS = 2
BUSY_SECONDS = 1.0  # how long SQLite waits for another process's lock
# Whoever commits the last of so many pages (4 KiB) also brings them all into the database, while all
# others wait. At SQLite's own 1,000 that was half of a transaction's time, and one in a hundred took
# ten times as long as the others; so many need 40 MiB of disk.
LOG_PAGES = 10_000
PURGE_SECONDS = 30.0  # the same, while a file is purged


def database_file(url: str) -> Path:
    """The file behind "sqlite:///relative" or "sqlite:////absolute"; StoreError for other URLs."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            f"the store's url {url!r} is none; write sqlite:///path/to/letterbell.db"
        ) from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"the store's url names {parsed.get_backend_name()!r}; only sqlite:///PATH is supported"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("the store must be a file: write sqlite:///path/to/letterbell.db")
    return Path(parsed.database).absolute()


def prepare_file(path: Path) -> None:
    """Makes the file if it is missing, for our eyes only. Raises StoreError with the mend."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except FileNotFoundError:
        raise StoreError(f"the store's folder {path.parent} does not exist; create it") from None
    except IsADirectoryError:
        raise StoreError(f"the store {path} is a folder; name a file in it") from None
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be opened ({error.strerror}); "
            "make it readable and writable for the user who runs letterbell"
        ) from None


def open_writer(path: Path) -> Engine:
    """The engine of the one writing connection, for a thread of its own (write_thread.py)."""
    engine = create_engine(_url("sqlite", path), **_options(), pool_size=1)
    pragmas = (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is deleted is overwritten: no more I/O where nothing is
        f"wal_autocheckpoint = {LOG_PAGES}",
    )
    _apply(engine, pragmas)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def purge(path: Path, is_left: Callable[[], bool]) -> bool:
    """Takes what was deleted out of the database's files; whether nothing `is_left` in them now.

    Also with secure_delete a page keeps copies of rows that have moved on: where something is left,
    the whole file is written anew. Others may read and write meanwhile, but wait for that. Blocks.
    Raises StoreUnavailable where they hold the file all the time.
    """
    try:
        with closing(
            sqlite3.connect(path, timeout=PURGE_SECONDS, isolation_level=None)
        ) as connection:
            _empty_log(connection)
            if not is_left():
                return True
            connection.execute("VACUUM")
            _empty_log(connection)
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from None
    return not is_left()


def _empty_log(connection: sqlite3.Connection) -> None:
    """All of the WAL goes into the database, and its file is empty then."""
    [[busy, *_]] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if busy:
        raise sqlite3.OperationalError("somebody reads or writes it all the time")


def open_readers(path: Path) -> AsyncEngine:
    """The engine of the reading connections."""
    engine = create_async_engine(
        _url("sqlite+aiosqlite", path),
        **_options(),
        pool_size=READERS,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )
    _apply(engine.sync_engine, ("query_only = ON",))
    return engine


def is_outage(error: Exception) -> bool:
    """Whether the database as a whole failed, and not one work's statement or values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.DatabaseError):
        # The exact class: "database disk image is malformed", "file is not a database".
        return isinstance(cause, sqlite3.OperationalError) or type(cause) is sqlite3.DatabaseError
    return isinstance(cause, OSError | PoolTimeoutError)


def translate(error: Exception) -> Exception:
    """A database's error as ours; any other as it is."""
    if is_outage(error):
        return StoreUnavailable(str(getattr(error, "orig", None) or error))
    if isinstance(error, IntegrityError):
        return StoreConflict(str(error.orig))
    return error


def _url(driver: str, path: Path) -> URL:
    # mode=rw: a file that vanished must not come back empty.
    return URL.create(driver, database=path.as_uri(), query={"uri": "true", "mode": "rw"})


def _options() -> dict[str, Any]:
    return {
        "connect_args": {"isolation_level": None, "timeout": BUSY_SECONDS},
        "json_serializer": partial(json.dumps, ensure_ascii=False, separators=(",", ":")),
        "max_overflow": 0,
    }


def _apply(engine: Engine, pragmas: tuple[str, ...]) -> None:
    @event.listens_for(engine, "connect")
    def apply_pragmas(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Takes the write lock at once."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
