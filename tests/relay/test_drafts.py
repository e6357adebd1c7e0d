"""Messages as they come in, in pieces of any size: what is made of them, and what is refused."""

import asyncio
import errno
import re
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import drafts
from relay.content import Bulk, Content
from relay.drafts import IN_MEMORY, MAX_HEADER_LINES, BareNewline, Drafts
from relay.envelope import Refusal

PIECES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"a", b"A: b\r\n", b"\xff", b"word " * 9]),
    max_size=30,
).map(b"".join)
CUTS = st.lists(st.integers(0, 300), max_size=20)


async def made(
    folder: Path, pieces: list[bytes], limit: int = 10**9, bare_newline: BareNewline = "normalize"
) -> Content:
    draft = Drafts(folder).new(limit=limit, bare_newline=bare_newline)
    for piece in pieces:
        draft.take(piece)
        await draft.spill()
    return await draft.finish()


async def refused(folder: Path, pieces: list[bytes], **options: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        await made(folder, pieces, **options)
    return refusal.value.reply.wire().decode()


def reference(
    message: bytes, limit: int, bare_newline: BareNewline, longest_head: int
) -> bytes | set[int]:
    """What becomes of a message that is there as a whole: its octets, or the codes of a no."""
    clean = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    codes = {550} if clean != message and bare_newline == "reject" else set()
    if len(clean) > limit or len(Content.of(clean).head) > longest_head:
        codes.add(552)
    return codes or clean


@given(
    PIECES, CUTS, st.integers(0, 300), st.sampled_from(["normalize", "reject"]), st.integers(1, 90)
)
def test_pieces_make_what_the_whole_would(
    message: bytes, cuts: list[int], limit: int, bare_newline: BareNewline, in_memory: int
) -> None:
    """With small numbers for what stays in memory and what is written at once."""
    borders = [0, *sorted(min(at, len(message)) for at in cuts), len(message)]
    pieces = [message[start:end] for start, end in pairwise(borders)]
    expected = reference(message, limit, bare_newline, in_memory)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(drafts, "IN_MEMORY", in_memory)
        patch.setattr(drafts, "WRITTEN_AT_ONCE", 7)
        if isinstance(expected, set):
            reply = asyncio.run(
                refused(Path(folder), pieces, limit=limit, bare_newline=bare_newline)
            )
            assert int(reply[:3]) in expected
            return
        content = asyncio.run(made(Path(folder), pieces, limit, bare_newline))
        assert content.read() == b"".join(content.chunks()) == expected
        assert content.head == Content.of(expected).head
        assert content.is_bulky == (len(expected) > in_memory)
        assert content.is_ascii == expected.isascii()


@pytest.mark.parametrize("piece", [1_000, 100_000, 10**7])
async def test_a_large_message_is_not_in_memory(piece: int, tmp_path: Path) -> None:
    message = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 100_000
    pieces = [message[at : at + piece] for at in range(0, len(message), piece)]
    content = await made(tmp_path, pieces)
    assert content.is_bulky
    assert content.head == b"Subject: x\r\n\r\n"
    assert content.read() == message


async def test_a_message_above_the_limit_is_dropped_and_heard_out(tmp_path: Path) -> None:
    draft = Drafts(tmp_path).new(limit=1_000_000, bare_newline="normalize")
    for _ in range(3_000):
        draft.take(b"a line\r\n" * 50)
        await draft.spill()
        draft.take(b"\r\n\r\n")
    assert len(draft._octets) == 0
    assert draft._bulk is None
    with pytest.raises(Refusal) as refusal:
        await draft.finish()
    assert refusal.value.reply.wire().startswith(b"552 5.3.4 ")


@pytest.mark.parametrize("line", [b"A: b\r\n", b"x", b"A: b\r\n folded\r\n"])
async def test_a_header_without_end(line: bytes, tmp_path: Path) -> None:
    endless = line * (IN_MEMORY // len(line) + 1)
    assert (await refused(tmp_path, [endless])).startswith("552 5.3.4 ")
    assert (await refused(tmp_path, [line] * 3 + [endless])).startswith("552 5.3.4 ")
    assert (await refused(tmp_path, [endless + b"\r\n\r\nbody"])).startswith("552 5.3.4 ")


async def test_the_longest_header(tmp_path: Path) -> None:
    head = b"A: " + b"b" * (IN_MEMORY - 7) + b"\r\n\r\n"
    for message in (head, head + b"body\r\n"):
        for pieces in ([message], [message[:-3], message[-3:]]):
            assert (await made(tmp_path, pieces)).head == head
        assert (await refused(tmp_path, [b"x", message])).startswith("552 5.3.4 ")


async def test_the_most_header_lines(tmp_path: Path) -> None:
    head = b"A: b\r\n" * (MAX_HEADER_LINES - 1) + b"\r\n"
    body = b"\r\n" * MAX_HEADER_LINES
    assert (await made(tmp_path, [head + body])).head == head
    assert (await refused(tmp_path, [b"A: b\r\n" + head + body])).startswith("552 5.3.4 ")


async def test_no_room_is_452_and_heard_out(tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bulk, "append", full)
        message = b"Subject: x\r\n\r\n" + b"line\r\n" * 100_000
        reply = await refused(tmp_path, [message] * 3)
    assert reply.startswith("452 4.3.1 ")
    assert "device" not in reply
    assert (await refused(tmp_path / "nowhere", [message])).startswith("452 4.3.1 ")


def test_room_is_what_is_free_above_the_floor(tmp_path: Path) -> None:
    assert Drafts(tmp_path, floor=0).has_room(1_000)
    assert not Drafts(tmp_path, floor=2**60).has_room(0)
    assert not Drafts(tmp_path, floor=0).has_room(2**60)


def test_whether_there_is_any_room_is_told(tmp_path: Path) -> None:
    heard: list[bool] = []
    for floor, size in ((2**60, 0), (0, 0), (0, 2**60)):  # the last is too large, and no more
        drafts = Drafts(tmp_path, floor=floor)
        drafts.on_room = heard.append
        drafts.has_room(size)
    assert heard == [False, True, True]
