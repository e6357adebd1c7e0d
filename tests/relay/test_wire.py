"""Lines, messages and replies, however the octets are cut; the transport only counts."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire import HIGH_WATER, MAX_LINE, Hangup, Wire


class Transport:
    """What the wire asks of a transport, noted down."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.reading = True
        self.ended = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True


def new_wire() -> tuple[Wire, Any]:
    transport: Any = Transport()
    return Wire(transport, asyncio.get_running_loop()), transport


def feed_in_steps(wire: Wire, octets: bytes, cuts: list[int]) -> None:
    """Feeds the pieces one by one, each in a turn of the loop of its own."""
    borders = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    pieces = [octets[start:end] for start, end in pairwise(borders) if start < end]

    def feed_next() -> None:
        if pieces:
            wire.feed(pieces.pop(0))
            asyncio.get_running_loop().call_soon(feed_next)
        else:
            wire.feed_eof()

    feed_next()


@given(st.lists(st.integers(0, 100), max_size=12))
def test_lines_and_bulk_in_turn_wherever_they_are_cut(cuts: list[int]) -> None:
    async def scenario() -> None:
        wire, _ = new_wire()
        feed_in_steps(wire, b"DATA\r\none\r\ntwo\r\n.\r\nNOOP\r\n", cuts)
        assert await wire.line() == b"DATA"
        bulk = b""
        while b".\r\n" not in bulk:
            some = await wire.some()
            assert some
            bulk += some
        bulk, _, rest = bulk.partition(b".\r\n")
        assert bulk == b"one\r\ntwo\r\n"
        wire.give_back(rest)
        assert await wire.line() == b"NOOP"
        with pytest.raises(ConnectionResetError):
            await wire.some()

    asyncio.run(scenario())


async def test_replies_to_a_batch_leave_in_one_write() -> None:
    wire, transport = new_wire()
    wire.feed(b"A\r\nB\r\nC\r\n")
    for reply in (b"1\r\n", b"2\r\n", b"3\r\n"):
        await wire.line()
        wire.say(reply)
    assert transport.written == []
    wire.feed_eof()
    with pytest.raises(ConnectionResetError):
        await wire.line()
    assert transport.written == [b"1\r\n2\r\n3\r\n"]


async def test_an_endless_line_ends_the_session() -> None:
    wire, _ = new_wire()
    wire.feed(b"x" * (MAX_LINE + 1))
    with pytest.raises(Hangup) as hangup:
        await wire.line()
    assert hangup.value.reply.code == 500


async def test_a_client_that_runs_ahead_is_held_back_and_let_go() -> None:
    wire, transport = new_wire()
    wire.feed(b"NOOP\r\n" * (HIGH_WATER // 6 + 1))
    assert not transport.reading
    for _ in range(HIGH_WATER // 6 + 1):
        assert await wire.line() == b"NOOP"
    waiting = asyncio.create_task(wire.line())
    await asyncio.sleep(0)
    assert transport.reading
    wire.feed(b"QUIT\r\n")
    assert await waiting == b"QUIT"


async def test_a_client_that_never_reads_is_not_read_either() -> None:
    wire, transport = new_wire()
    wire.writable.clear()
    wire.say(b"250\r\n")
    waiting = asyncio.create_task(wire.line())
    wire.feed(b"NOOP\r\n" * HIGH_WATER)
    await asyncio.sleep(0)
    assert not transport.reading
    wire.writable.set()
    assert await waiting == b"NOOP"


async def test_silence_ends_with_the_first_octet() -> None:
    wire, _ = new_wire()
    assert await wire.silence(0.001)
    listening = asyncio.create_task(wire.silence(60))
    await asyncio.sleep(0)
    wire.feed(b"x")
    assert not await listening
    assert not await wire.silence(60)
    assert await wire.some() == b"x"


async def test_the_last_reply_can_be_read_by_a_client_that_still_sends() -> None:
    wire, transport = new_wire()
    wire.say(b"552\r\n")
    discarding = asyncio.create_task(wire.discard())
    for _ in range(3):
        await asyncio.sleep(0)
        wire.feed(b"x" * 1_000_000)
    wire.feed_eof()
    await discarding
    assert transport.written == [b"552\r\n"]
    assert transport.ended
