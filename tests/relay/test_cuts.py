"""A peer that goes away behind any octet of its session: nothing is taken by halves.

A client that is gone has its mail taken once or not at all; an upstream that is gone gets it again,
which makes two of it only where upstream had all of it and we had no answer.
"""

import asyncio
import re
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from relays import PASSWORD, RawClient, Script, Sink, running_relay, until

from relay import metrics
from relay.health import Health
from relay.schedule import Pace

MAIL = b"From: ana@example.com\r\nSubject: cut\r\n\r\n..a line\r\nthe end\r\n.\r\n"
STEPS = (
    b"EHLO client.example.com\r\n",
    b"AUTH PLAIN " + b64encode(f"\0ana\0{PASSWORD}".encode()) + b"\r\n",
    b"MAIL FROM:<ana@example.com>\r\n",
    b"RCPT TO:<bob@example.org>\r\n",
    b"DATA\r\n",
    MAIL,
    b"QUIT\r\n",
)


async def session(port: int, octets: int) -> None:
    """So many octets of a whole session, then a reset; replies are read in between."""
    async with await RawClient.connect(port) as client:
        await client.reply()
        for step in STEPS:
            await client.send(step[:octets])
            if octets < len(step):
                break
            octets -= len(step)
            if octets:
                await client.reply()
        client.reset()


async def test_a_client_gone_at_every_octet(store_template: Path, tmp_path: Path) -> None:
    """Before the last octet of the final dot nothing leaves; from there on, once."""
    whole = b"".join(STEPS)
    dot = whole.index(MAIL) + len(MAIL)
    async with (
        Sink().running() as sink,
        running_relay(store_template, tmp_path, sink.port) as relay,
    ):
        connections = relay.service.connections
        for octets in range(dot):
            await session(relay.ports["plain"], octets)
        await until(lambda: not connections._sessions)
        assert sink.mails == []
        for number, octets in enumerate(range(dot, len(whole) + 1), 1):
            await session(relay.ports["plain"], octets)
            await until(lambda number=number: len(sink.mails) == number)  # type: ignore[misc]
        await until(lambda: not connections._sessions)
        assert {mail.content.split(b"\r\n\r\n")[-1] for mail in sink.mails} == {
            b".a line\r\nthe end\r\n"
        }
        assert list((tmp_path / "spool").glob("[0-9a-f][0-9a-f]/*")) == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Wire:
    """To upstream. It breaks behind so many octets of the next session, sent or answered."""

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self.breaks: tuple[int | None, int | None] = (None, None)
        self.passed = [0, 0]  # octets of the last session
        self._upstream = upstream

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Wire"]:
        server = await asyncio.start_server(self._session, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        breaks, self.breaks, self.passed = self.breaks, (None, None), [0, 0]
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        ways = (
            asyncio.create_task(self._carry(reader, far_writer, 0, breaks[0])),
            asyncio.create_task(self._carry(far_reader, writer, 1, breaks[1])),
        )
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):  # what has passed arrives before the end does
            end.close()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: int,
        limit: int | None,
    ) -> None:
        passed = 0
        while limit is None or passed < limit:
            octets = await reader.read(65_536 if limit is None else limit - passed)
            if not octets:
                break
            writer.write(octets)
            passed += len(octets)
            self.passed[way] = passed


async def submit(port: int, number: int) -> None:
    """Sends a mail and hears that it is taken."""
    async with await RawClient.connect(port) as client:
        await client.reply()
        for step in (*STEPS[:5], MAIL.replace(b"cut", b"cut %d" % number)):
            await client.send(step)
            reply = await client.reply()
        assert reply.startswith("250 "), reply


@pytest.mark.parametrize("way", ["sent", "answered"])
async def test_an_upstream_gone_at_every_octet(
    way: str, store_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets every mail; and twice only one whose end we had no answer to, which is counted."""
    monkeypatch.setattr("relay.lane.Health", partial(Health, first=0.001, longest=0.001))
    monkeypatch.setattr("relay.queue.LOOK_SECONDS", 0.001)
    async with (
        Script().running() as script,
        Wire(script.port).running() as wire,
        running_relay(
            store_template, tmp_path, wire.port, pace=Pace(first=0.001, longest=0.001)
        ) as relay,
    ):
        await submit(relay.ports["plain"], 1000)
        whole = wire.passed[way == "answered"]
        doubts = {}
        for number, octets in enumerate(range(whole + 1), 1001):
            relay.upstreams.close()
            wire.breaks = (octets, None) if way == "sent" else (None, octets)
            before = metrics.AMBIGUOUS._value.get()
            await submit(relay.ports["plain"], number)
            await until(lambda: not list((tmp_path / "spool").glob("[0-9a-f][0-9a-f]/*")))
            doubts[number] = metrics.AMBIGUOUS._value.get() - before
    taken = Counter(
        int(found[1])
        for message in script.messages
        if (found := re.search(rb"Subject: cut (\d+)\r\n", message))
    )
    assert set(doubts) == set(taken) - {1000}
    assert {number for number, times in taken.items() if times > 1} <= {
        number for number, doubt in doubts.items() if doubt
    }
    assert set(taken.values()) == {1, 2}
    assert set(doubts.values()) == {0, 1}
