"""What a driver says becomes one of three: unavailable, a conflict, a fault of one statement."""

import sqlite3
from typing import Any

import asyncpg
import pytest
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from collector.engine import is_foreign, is_outage, say, translate
from collector.errors import StoreConflict, StoreUnavailable


def wrapped(error: Exception) -> DBAPIError:
    """As SQLAlchemy gives on what asyncpg raises."""
    try:
        raise AsyncAdapt_asyncpg_dbapi.Error(str(error), error) from error
    except AsyncAdapt_asyncpg_dbapi.Error as adapted:
        return DBAPIError("SELECT 1", {}, adapted)


OUTAGES: tuple[Exception, ...] = (
    asyncpg.ConnectionDoesNotExistError("it hung up"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.AdminShutdownError("it stops"),
    asyncpg.CannotConnectNowError("it starts"),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.DiskFullError("no space left on device"),
    asyncpg.OutOfMemoryError("out of memory"),
    asyncpg.TooManyConnectionsError("too many clients"),
    asyncpg.ReadOnlySQLTransactionError("it follows another"),
    asyncpg.DataCorruptedError("a page is broken"),
    asyncpg.InvalidPasswordError("the password was changed"),
    asyncpg.InvalidCatalogNameError("the database was dropped"),
    asyncpg.UndefinedTableError("the table was dropped"),
    asyncpg.InsufficientPrivilegeError("the table is somebody else's"),
)
FAULTS: tuple[Exception, ...] = (
    asyncpg.DataError("value out of int32 range"),
    asyncpg.NumericValueOutOfRangeError("value out of range"),
    asyncpg.CharacterNotInRepertoireError("invalid byte sequence"),
    asyncpg.UndefinedColumnError("no such column"),
    asyncpg.PostgresSyntaxError("syntax error"),
    asyncpg.UniqueViolationError("duplicate key"),
)


def name(error: Any) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", OUTAGES, ids=name)
def test_an_outage_is_one_wrapped_or_not(error: Exception) -> None:
    for each in (error, wrapped(error)):
        assert is_outage(each)
        said = translate(each)
        assert isinstance(said, StoreUnavailable)
        assert said.reason == str(error)


@pytest.mark.parametrize("error", FAULTS, ids=name)
def test_a_fault_of_one_statement_is_none(error: Exception) -> None:
    for each in (error, wrapped(error)):
        assert not is_outage(each)
        assert translate(each) is each
        assert is_foreign(each)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
        (TimeoutError(), "it did not answer in time"),
        (PoolTimeoutError("all connections are in use"), "all connections are in use"),
        (sqlite3.OperationalError("database is locked"), "database is locked"),
        (sqlite3.DatabaseError("file is not a database"), "file is not a database"),
    ],
)
def test_what_else_is_an_outage(error: Exception, says: str) -> None:
    said = translate(error)
    assert isinstance(said, StoreUnavailable)
    assert said.reason == says


@pytest.mark.parametrize("error", [ValueError("ours"), KeyError("ours"), RuntimeError("ours")])
def test_a_bug_of_ours_is_left_as_it_is(error: Exception) -> None:
    assert not is_foreign(error)
    assert translate(error) is error


def test_of_a_conflict_no_value_is_told() -> None:
    orig = Exception("duplicate key value\nDETAIL:  Key (login_key)=(ana) already exists.")
    said = translate(IntegrityError("INSERT", {}, orig))
    assert isinstance(said, StoreConflict)
    assert str(said) == say(IntegrityError("INSERT", {}, orig)) == "duplicate key value"
