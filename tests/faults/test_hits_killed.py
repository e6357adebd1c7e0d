"""SIGKILL under a load of hits: none that was answered after its commit is lost.

The process holds an answer back until the hit is committed, for 250 ms at most. So one that came
sooner tells that its hit is on the disk; of a later one nobody outside knows, and of those that the
database did not take in time some may be lost: how many, the test says. The database is locked now
and then, so that there are such. LETTERBELL_HIT_KILLS says how often (make faults: 50).
"""

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext, suppress
from itertools import count
from pathlib import Path

import pytest
from faults.ledger import Ledger, Upstream
from faults.lives import Lives
from faults.test_disk import breaking, in_thread
from faults.test_links import OURS, rows

KILLS = int(os.environ.get("LETTERBELL_HIT_KILLS", "3"))
CLIENTS = 20
SURELY_COMMITTED = 0.2  # seconds; timers may be early by a little
LIFE_HITS = 400

Number = int


class Readers:
    """Clients that follow links, each link once, and note how soon they were answered."""

    def __init__(self, port: int, message_id: int, numbers: Iterator[Number]) -> None:
        self._port = port
        self._message_id = message_id
        self._numbers = numbers
        self.soon: set[Number] = set()
        self.late: set[Number] = set()
        self.unanswered: set[Number] = set()
        self._news = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read()) for _ in range(CLIENTS)]

    @property
    def answered(self) -> int:
        return len(self.soon) + len(self.late)

    async def until_answered(self, wanted: int) -> None:
        while self.answered < wanted:
            self._news.clear()
            await self._news.wait()

    async def until_gone(self) -> None:
        await asyncio.gather(*self._tasks)

    async def _read(self) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            with closing(writer):
                while True:
                    await self._follow(reader, writer, next(self._numbers))

    async def _follow(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: Number
    ) -> None:
        recipient, link = divmod(number, 65_536)
        token = OURS.mint_click(self._message_id, recipient, link, b"https://e.com/")
        self.unanswered.add(number)
        loop = asyncio.get_running_loop()
        asked = loop.time()
        writer.write(f"GET /c/{token} HTTP/1.1\r\nHost: t.example.com\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        took = loop.time() - asked
        assert answer.startswith(b"HTTP/1.1 302 ")
        self.unanswered.discard(number)
        (self.soon if took < SURELY_COMMITTED else self.late).add(number)
        self._news.set()


def stored(database: Path) -> set[Number]:
    found = rows(database, "SELECT recipient, link FROM hit")
    assert len(found) == len(set(found)), "a hit is stored once"
    return {recipient * 65_536 + link for recipient, link in found}


async def test_no_hit_that_was_answered_after_its_commit_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    database, numbers = tmp_path / "letterbell.db", count()
    soon: set[Number] = set()
    late: set[Number] = set()
    unanswered: set[Number] = set()
    async with Upstream(Ledger()).running() as upstream:
        lives = Lives(tmp_path, upstream.port)
        assert await lives.begin()
        assert (await in_thread(lives.port, 1))[0] == 250
        [(message_id,)] = rows(database, "SELECT id FROM message")
        for life in range(KILLS):
            readers = Readers(lives.http_port, message_id, numbers)
            await readers.until_answered(chance.randrange(LIFE_HITS))
            assert lives.process
            with breaking(database, "locked") if life % 2 == 0 else nullcontext():
                if life % 2 == 0:
                    await readers.until_answered(readers.answered + 3 * CLIENTS)
                lives.process.kill()
                await lives.end(60)
            await readers.until_gone()
            soon |= readers.soon
            late |= readers.late
            unanswered |= readers.unanswered
            assert await lives.begin(), "the next life"
            assert soon <= stored(database), f"seed {seed}"
        assert await lives.stop() == 0
    lives.check_store()
    kept = stored(database)
    with capsys.disabled():
        sys.stderr.write(
            f"\n{KILLS} kills (seed {seed}): {len(soon)} hits answered after their commit,"
            f" {len(soon - kept)} lost; {len(late)} answered without waiting for it any longer,"
            f" {len(late - kept)} lost; {len(unanswered)} not answered,"
            f" {len(unanswered & kept)} kept\n"
        )
    assert late, "a lock was met"
    [(clicks,)] = rows(database, "SELECT raw_click_count FROM message")
    assert clicks == len(kept)
