"""SQLite: one file, no server. The store's default.

The connection that writes begins each transaction IMMEDIATE; SQLite itself refuses writes on those
that read. WAL lets readers go on while the writer writes; synchronous=FULL means that a commit is
on the disk when it returns.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from collector.engine import OPTIONS, say
from collector.errors import StoreError, StoreUnavailable
from collector.write_thread import WriteThread

READERS = 2
BUSY_SECONDS = 1.0  # how long SQLite waits for another process's lock
# Whoever commits the last of so many pages (4 KiB) also brings them all into the database, while
# others wait. At SQLite's own 1,000 that was half of a transaction's time, and one in a hundred
# took ten times as long as the others; so many need 40 MiB of disk.
LOG_PAGES = 10_000
PURGE_SECONDS = 30.0  # the same, while a file is purged


class SQLite:
    """A file, by "sqlite:///relative" or "sqlite:////absolute"."""

    def __init__(self, url: URL) -> None:
        """Raises StoreError where the URL names no file."""
        self.path = file_of(url)
        self.where = str(self.path)

    def migrate(self, call: Callable[[Connection], None]) -> None:
        """Runs it behind the lock on the file, which is made if it is missing."""
        prepare_file(self.path)
        engine = open_engine(self.path)
        try:
            with engine.begin() as connection:
                call(connection)
        finally:
            engine.dispose()

    def mend(self, error: Exception) -> str:
        """Why the file could not be opened, and what to do."""
        reason = say(error)
        if "not a database" in reason:
            return "it is no SQLite database; name another file"
        if "malformed" in reason:
            return "it is damaged; restore it from a backup, or name another file"
        if "locked" in reason:
            return "another process holds it locked; stop that one, then try again"
        return f"{reason}; see to it that its folder is writable and its disk not full"

    def open_writer(self) -> WriteThread:
        """The connection that writes, in a thread of its own."""
        return WriteThread(open_engine(self.path))

    def open_readers(self) -> AsyncEngine:
        """The engine of the reading connections."""
        engine = create_async_engine(
            _url("sqlite+aiosqlite", self.path),
            **_options(),
            pool_size=READERS,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )
        _apply(engine.sync_engine, ("query_only = ON",))
        return engine


def file_of(url: URL) -> Path:
    """The file behind the URL. Raises StoreError where it is none."""
    if not url.database or url.database == ":memory:":
        raise StoreError("the store must be a file: write sqlite:///path/to/letterbell.db")
    return Path(url.database).absolute()


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


def file_age(path: Path) -> bytes:
    """Another one once the file was written to; while its log is empty."""
    told = path.stat()
    return f"{told.st_mtime_ns} {told.st_size}".encode()


def open_engine(path: Path) -> Engine:
    """The engine of a connection that writes."""
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


def _url(driver: str, path: Path) -> URL:
    # mode=rw: a file that vanished must not come back empty.
    return URL.create(driver, database=path.as_uri(), query={"uri": "true", "mode": "rw"})


def _options() -> dict[str, Any]:
    return {
        "connect_args": {"isolation_level": None, "timeout": BUSY_SECONDS},
        **OPTIONS,
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
