"""Contents in memory and on the disk: the same octets, whichever way they are read."""

import gc
import os
from pathlib import Path

import pytest

from relay.content import CHUNK, Bulk, Content
from relay.drafts import IN_MEMORY, Drafts

HEAD = b"Subject: x\r\n\r\n"
SMALL = HEAD + b"body\r\n"
LARGE = HEAD + b"a line of some length\r\n" * (4 * CHUNK // 23)


@pytest.mark.parametrize("message", [SMALL, LARGE, HEAD * 50_000], ids=["small", "large", "heads"])
async def test_all_octets_in_their_order(message: bytes, tmp_path: Path) -> None:
    content = Drafts(tmp_path).keep(message)
    assert content.is_bulky == (len(message) > IN_MEMORY)
    assert content.head == HEAD
    assert content.size == len(message)
    assert content.read() == b"".join(content.chunks()) == message
    assert b"".join([chunk async for chunk in content.stream()]) == message
    assert all(len(chunk) <= IN_MEMORY for chunk in content.chunks())
    other = content.with_head(b"Received: x\r\n" + HEAD)
    assert other.read() == b"Received: x\r\n" + message
    assert other.body is content.body


@pytest.mark.parametrize(
    ("message", "head"),
    [
        (b"", b""),
        (b"A: b", b"A: b"),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"\r\nbody", b"\r\n"),
        (b"A: b\r\n\r\n", b"A: b\r\n\r\n"),
        (b"A: b\r\n\r\nbody\r\n\r\n", b"A: b\r\n\r\n"),
    ],
)
def test_where_the_header_ends(message: bytes, head: bytes) -> None:
    content = Content.of(message)
    assert content.head == head
    assert content.read() == message


@pytest.mark.parametrize("padding", [b"", b"x\r\n" * IN_MEMORY])
@pytest.mark.parametrize(
    ("message", "is_ascii"),
    [(SMALL, True), (HEAD + b"\xe9\r\n", False), (b"X: \xe9\r\n\r\n", False)],
)
def test_whether_it_is_ascii(
    message: bytes, is_ascii: bool, padding: bytes, tmp_path: Path
) -> None:
    assert Drafts(tmp_path).keep(message + padding).is_ascii == is_ascii


def test_nothing_is_told_of_it_by_accident(tmp_path: Path) -> None:
    content = Drafts(tmp_path).keep(LARGE)
    assert "line" not in repr(content)
    assert "Subject" not in repr(content)


def test_its_file_has_no_name_and_goes_with_its_last_user(tmp_path: Path) -> None:
    content = Drafts(tmp_path).keep(LARGE)
    assert isinstance(content.body, Bulk)
    file = content.body._file
    copy = content.with_head(b"\r\n")
    assert list(tmp_path.iterdir()) == []
    del content
    assert copy.read().endswith(b"length\r\n")
    del copy
    gc.collect()
    assert file.closed


def test_a_file_that_lost_its_end_is_an_error(tmp_path: Path) -> None:
    bulk = Bulk(tmp_path)
    bulk.append(b"12345")
    os.ftruncate(bulk._file.fileno(), 3)
    assert bulk.read(0, 3) == b"123"
    for start, size in ((0, 5), (2, 100)):
        with pytest.raises(OSError, match="shorter"):
            bulk.read(start, size)
