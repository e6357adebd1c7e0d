"""How a database is reached: URLs, connections and their settings, foreign errors in our own words.

One engine writes (a single connection, each transaction BEGIN IMMEDIATE), another reads
(autocommit, and SQLite itself refuses writes on it). WAL lets readers go on while the writer
writes; synchronous=FULL means that a commit is on the disk when it returns.
"""

import json
import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
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


def open_writer(path: Path) -> AsyncEngine:
    """The engine of the one writing connection."""
    pragmas = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
    engine = _open(path, pragmas, pool_size=1)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def open_readers(path: Path) -> AsyncEngine:
    """The engine of the reading connections."""
    return _open(
        path,
        ("query_only = ON",),
        pool_size=READERS,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )


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


def _open(path: Path, pragmas: tuple[str, ...], **options: Any) -> AsyncEngine:
    # mode=rw: a file that vanished must not come back empty.
    url = URL.create(
        "sqlite+aiosqlite", database=path.as_uri(), query={"uri": "true", "mode": "rw"}
    )
    engine = create_async_engine(
        url,
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS},
        json_serializer=partial(json.dumps, ensure_ascii=False, separators=(",", ":")),
        max_overflow=0,
        **options,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def apply_pragmas(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _begin_immediate(connection: Connection) -> None:
    """Takes the write lock at once; by the driver, which costs one thread hop and not three."""
    driver: Any = connection.connection.dbapi_connection
    driver.run_async(lambda database: database.execute("BEGIN IMMEDIATE"))
