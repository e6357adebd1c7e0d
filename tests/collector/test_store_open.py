"""Opening a store: what it makes, and what it says when it cannot."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from places import Place

from collector.errors import StoreError
from collector.store import Store


async def test_it_makes_the_file_for_our_eyes_only(database: Path) -> None:
    store = await Store.open(f"sqlite:///{database}")
    files = {each.name: each.stat().st_mode & 0o777 for each in database.parent.iterdir()}
    await store.close()
    assert files[database.name] == 0o600
    assert set(files.values()) == {0o600}  # the log beside it, too


@pytest.mark.sqlite
async def test_it_is_durable_and_strict(store: Store) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys")
    found = await store.write(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for pragma in pragmas
        ]
    )
    assert found == ["wal", 2, 1]


async def test_it_can_be_opened_again(place: Place) -> None:
    for _ in range(2):
        store = await Store.open(place.url)
        await store.check()
        await store.close()


async def test_several_can_be_opened_at_one_time(tmp_path: Path) -> None:
    stores = await asyncio.gather(*(Store.open(f"sqlite:///{tmp_path}/{n}.db") for n in range(5)))
    for store in stores:
        await store.check()
        await store.close()


async def test_two_may_open_one(place: Place) -> None:
    """As the command line does beside a running server."""
    stores = await asyncio.gather(*(Store.open(place.url) for _ in range(2)))
    for store in stores:
        await store.check()
    for store in stores:
        await store.close()


async def test_closing_leaves_one_file(database: Path) -> None:
    store = await Store.open(f"sqlite:///{database}")
    await store.check()
    await store.close()
    assert [each.name for each in database.parent.iterdir()] == [database.name]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "write sqlite:///"),
        ("postgresql://host:port/name", "write sqlite:///"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("mysql://localhost/letterbell", "'mysql'; it can be sqlite:///PATH or postgresql://"),
    ],
)
async def test_a_bad_url(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        await Store.open(url)


async def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"folder .*/nowhere does not exist; create it"):
        await Store.open(f"sqlite:///{tmp_path}/nowhere/letterbell.db")


async def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder; name a file in it"):
        await Store.open(f"sqlite:///{tmp_path}")


@pytest.fixture
def letter(database: Path) -> Path:
    database.write_text("This is a letter, and not a database.\n" * 100)
    return database


@pytest.mark.usefixtures("letter")
async def test_no_database(database: Path) -> None:
    with pytest.raises(StoreError, match="no SQLite database; name another file"):
        await Store.open(f"sqlite:///{database}")


@pytest.fixture
def damaged(database: Path) -> Path:
    """A database whose first page, the schema's, holds nothing but its header."""
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE t (x)")
    other.close()
    content = database.read_bytes()
    database.write_bytes(content[:100].ljust(4096, b"\xff") + content[4096:])
    return database


@pytest.mark.usefixtures("damaged")
async def test_a_damaged_database(database: Path) -> None:
    with pytest.raises(StoreError, match="damaged; restore it from a backup"):
        await Store.open(f"sqlite:///{database}")


@pytest.mark.sqlite
@pytest.mark.usefixtures("impatient")
async def test_a_locked_database(
    database: Path, locked: Callable[[], AbstractContextManager[None]]
) -> None:
    sqlite3.connect(database).close()
    with locked(), pytest.raises(StoreError, match="locked; stop that one, then try again"):
        await Store.open(f"sqlite:///{database}")
    await (await Store.open(f"sqlite:///{database}")).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop its rights")
async def test_an_unreadable_file(database: Path) -> None:
    """As another user: root itself may read anything."""
    store = await Store.open(f"sqlite:///{database}")
    await store.close()
    os.seteuid(65534)
    try:
        with pytest.raises(StoreError, match="make it readable and writable"):
            await Store.open(f"sqlite:///{database}")
    finally:
        os.seteuid(0)
