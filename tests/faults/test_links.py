"""Links and pixels answer whatever becomes of the database: the real process."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path

import pytest
from e2e.house import PATIENCE, free_port
from faults.ledger import Ledger, Upstream
from faults.lives import Lives
from faults.test_disk import breaking, in_thread
from places import TEMPLATE
from postgresql import Server

from collector.tokens import Tokens
from collector.tracking import PIXEL
from relay.token_keys import read_token_key

OURS = Tokens([read_token_key(f"1:{'k' * 43}").key])  # as Lives configures it
TARGETS = [
    b"https://e.com/%7Euser/%3A%2f?x=%zz&y=%",
    b"http://e.com/\"'<>\\^`{|}",
    b"HTTPS://E.com",
]


def ask(port: int, path: str, method: str = "GET") -> tuple[int, HTTPMessage, bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def assert_all_answered(port: int, message_id: int) -> None:
    """Byte for byte, to GET and HEAD, of a shared copy and another; and no forged one."""
    for recipient in (0, 2):
        pixel = "/o/" + OURS.mint_open(message_id, recipient)
        for method, body in (("GET", PIXEL), ("HEAD", b"")):
            status, header, got = ask(port, pixel, method)
            assert (status, got, header["Content-Length"]) == (200, body, "43")
            assert header["Cache-Control"] == "no-store, max-age=0"
        for number, target in enumerate(TARGETS):
            link = "/c/" + OURS.mint_click(message_id, recipient, number, target)
            for method in ("GET", "HEAD"):
                status, header, got = ask(port, link, method)
                assert (status, header["Location"], got) == (302, target.decode(), b"")
                assert header["Cache-Control"] == "no-store"
    token = OURS.mint_click(message_id, 0, 0, TARGETS[0])
    forged = ("B" if token[0] == "A" else "A") + token[1:]
    status, header, _ = ask(port, "/c/" + forged)
    assert (status, header["Location"]) == (404, None)
    assert ask(port, "/o/" + forged)[2] == PIXEL


@pytest.mark.parametrize("broken", ["locked", "corrupt", "removed"])
async def test_while_the_database_is_away(tmp_path: Path, broken: str) -> None:
    async with Upstream(Ledger()).running() as upstream:
        lives = Lives(tmp_path, upstream.port)
        assert await lives.begin()
        assert (await in_thread(lives.port, 1))[0] == 250
        database = tmp_path / "letterbell.db"
        [(message_id,)] = rows(database, "SELECT id FROM message")
        if broken == "removed":
            discard(database, tmp_path)
        with nullcontext() if broken == "removed" else breaking(database, broken):
            await asyncio.to_thread(assert_all_answered, lives.http_port, message_id)
        await asyncio.to_thread(assert_all_answered, lives.http_port, message_id)
        await lives.stop()
        if broken == "locked":
            # Nothing of it is lost: what was answered meanwhile is there as well.
            assert rows(database, "SELECT count(*) FROM hit") == [(2 * 2 * (2 + 2 * len(TARGETS)),)]


async def test_while_the_server_of_the_database_is_away(tmp_path: Path, own_server: Server) -> None:
    """The same with PostgreSQL: links lead on, mail leaves, and no hit is lost."""
    async with Upstream(Ledger()).running() as upstream:
        lives = Lives(tmp_path, upstream.port, f'[store]\nurl = "{own_server.url(TEMPLATE)}"\n')
        assert await lives.begin()
        assert (await in_thread(lives.port, 1))[0] == 250
        [(message_id,)] = own_server.execute("SELECT id FROM message", TEMPLATE)
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(assert_all_answered, lives.http_port, message_id)
        assert (await in_thread(lives.port, 2))[0] == 250
        await asyncio.to_thread(own_server.start)
        await asyncio.to_thread(assert_all_answered, lives.http_port, message_id)
        assert await lives.stop() == 0
    [(hits,)] = own_server.execute("SELECT count(*) FROM hit", TEMPLATE)
    assert hits == 2 * 2 * (2 + 2 * len(TARGETS))
    assert own_server.execute("SELECT count(*) FROM message", TEMPLATE)[0][0] == 1


def purge(database: Path, _: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA foreign_keys = ON")
        other.execute("DELETE FROM message")


def restore(database: Path, older: Path) -> None:
    discard(database, older)
    shutil.copy(older, database)


def discard(database: Path, _: Path) -> None:
    for each in database.parent.glob(f"{database.name}*"):
        each.unlink(missing_ok=True)


@pytest.mark.parametrize("change", [purge, restore, discard])
async def test_the_next_life_knows_nothing_of_the_mail(
    tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    """Purged, restored from a copy of before the mail, or new: its links lead on all the same."""
    database, older = tmp_path / "letterbell.db", tmp_path / "older.db"
    async with Upstream(Ledger()).running() as upstream:
        lives = Lives(tmp_path, upstream.port)
        with closing(sqlite3.connect(database)) as now, closing(sqlite3.connect(older)) as copy:
            now.backup(copy)
        assert await lives.begin()
        assert (await in_thread(lives.port, 1))[0] == 250
        [(message_id,)] = rows(database, "SELECT id FROM message")
        assert await lives.stop() == 0
        change(database, older)
        assert await lives.begin()
        await asyncio.to_thread(assert_all_answered, lives.http_port, message_id)
        assert await lives.stop() == 0
        assert rows(database, "SELECT count(*) FROM message") == [(0,)]
        assert rows(database, "SELECT count(*) FROM hit") == [(0,)]


async def test_a_broken_database_is_told_at_the_start_and_can_be_taken_away(tmp_path: Path) -> None:
    """No process starts on it, as no mail would be recorded; without it old links lead on."""
    database = tmp_path / "letterbell.db"
    lives = Lives(tmp_path, free_port())
    database.write_bytes(b"gone" * 5_000)
    assert not await lives.begin()
    assert b"no SQLite database" in (tmp_path / "serve.log").read_bytes()
    discard(database, tmp_path)
    assert await lives.begin()
    await asyncio.to_thread(assert_all_answered, lives.http_port, 7)
    assert await lives.stop() == 0


def rows(database: Path, query: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()
