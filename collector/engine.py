"""What a database is to the store: how it is opened, and its errors in our own words.

There are two: sqlite.py and postgres.py (databases.py tells which one a URL names). One connection
writes, in transactions; others read, and are refused if they would write.
"""

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from collector.errors import StoreConflict, StoreUnavailable

T = TypeVar("T")

# For either engine. Searches go over the text of JSON columns: both must spell it the same.
OPTIONS: dict[str, Any] = {
    "json_serializer": partial(json.dumps, ensure_ascii=False, separators=(",", ":")),
    "max_overflow": 0,
    "hide_parameters": True,  # rows hold addresses and hashes, and errors are logged
}
# PostgreSQL's SQLSTATEs (appendix A of its manual) that say nothing of the statement or its values:
# connections, sequences of transactions broken off, who may sign in, resources, operators, its
# system, its inside; what is missing or forbidden as a whole; locks.
_OUTAGE_CLASSES = frozenset({"08", "25", "28", "3D", "53", "57", "58", "F0", "XX"})
_OUTAGES = frozenset({"40001", "40P01", "42501", "42P01", "55P03", "0A000"})


class WritingConnection(Protocol):
    """The one connection that writes: opened with its first call, and anew after `drop`."""

    @property
    def engine(self) -> Engine:
        """What it is a connection of."""

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """What `call(connection, *args)` returns or raises. One call at a time."""

    async def drop(self) -> None:
        """Lets go of a connection that failed."""

    async def close(self) -> None:
        """Lets go of the database."""


class Database(Protocol):
    """One that a URL names."""

    @property
    def where(self) -> str:
        """Which one it is, for people; without a password."""

    def migrate(self, call: Callable[[Connection], None]) -> None:
        """Runs `call` in one transaction, and alone, on a database that is made if it can be.

        Blocks. Raises StoreError, and the engine's own errors, for which `mend` has words.
        """

    def mend(self, error: Exception) -> str:
        """Why it could not be opened, and what to do."""

    def open_writer(self) -> WritingConnection:
        """The connection for writer.py."""

    def open_readers(self) -> AsyncEngine:
        """The engine of the reading connections."""


def is_outage(error: Exception) -> bool:
    """Whether the database as a whole failed, and not one work's statement or values."""
    cause = cause_of(error)
    if isinstance(cause, sqlite3.DatabaseError):
        # The exact class: "database disk image is malformed", "file is not a database".
        return isinstance(cause, sqlite3.OperationalError) or type(cause) is sqlite3.DatabaseError
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return state[:2] in _OUTAGE_CLASSES or state in _OUTAGES
    if isinstance(cause, OSError | PoolTimeoutError):
        return True
    # What asyncpg itself says of its connection; of values it says ValueErrors.
    return type(cause).__module__.startswith("asyncpg") and not isinstance(cause, ValueError)


def translate(error: Exception) -> Exception:
    """A database's error as ours; any other as it is."""
    if is_outage(error):
        return StoreUnavailable(say(error))
    if isinstance(error, IntegrityError):
        return StoreConflict(say(error))
    return error


def say(error: Exception) -> str:
    """What the database says: its first line, since others show the values of rows."""
    cause = cause_of(error)
    if isinstance(cause, TimeoutError) and not str(cause):
        return "it did not answer in time"
    return str(cause).partition("\n")[0] or type(cause).__name__


def is_foreign(error: Exception) -> bool:
    """Whether the database or the way to it says so, and not our own code."""
    cause = cause_of(error)
    return isinstance(error, DBAPIError | OSError) or type(cause).__module__.startswith("asyncpg")


def cause_of(error: BaseException) -> BaseException:
    """The driver's own error. SQLAlchemy wraps it, and once more what asyncpg raises."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
        if error.__cause__ is not None and not isinstance(error, sqlite3.Error):
            error = error.__cause__
    return error
