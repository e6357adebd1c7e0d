"""A thousand clients that never finish their request hold nobody up, and are cut off."""

import asyncio
import resource
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from e2e.house import PATIENCE, Letterbell, free_port, settings

from collector.tokens import Tokens
from collector.tracking import PIXEL
from relay.token_keys import read_token_key

SLOW = 1_000
OURS = Tokens([read_token_key(f"1:{'k' * 43}").key])
# What they have said when they stop: nothing, part of the first line, part of the header.
STARTS = [b"", b"GET /o/", b"GET /o/x HTTP/1.1\r\nHost: t.example.com\r\nX-A: "]


@pytest.fixture
def many_files() -> None:
    """A socket for each, and some to spare."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SLOW + 500
    if soft < wanted:
        assert hard == resource.RLIM_INFINITY or hard >= wanted, "raise the limit of open files"
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def test_slow_clients_hold_nobody_up(
    tmp_path: Path, many_files: None, until_done: ExitStack
) -> None:
    text = settings(f'port = {free_port()}\ntls = "none"')
    relay = until_done.enter_context(Letterbell(tmp_path, text))
    slow = []
    for number in range(SLOW):
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.http_port)
        writer.write(STARTS[number % len(STARTS)])
        slow.append((reader, writer))
    async with asyncio.timeout(PATIENCE):
        for number in range(100):
            assert await ask(relay.http_port, f"/o/{OURS.mint_open(number)}") == (200, PIXEL)
            link = OURS.mint_click(number, 0, 0, b"https://e.com/")
            assert (await ask(relay.http_port, f"/c/{link}"))[0] == 302
        for reader, writer in slow:  # each within its ten seconds
            with suppress(ConnectionResetError):
                assert not (await reader.read()).startswith(b"HTTP/1.1 2")
            writer.close()


async def ask(port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: t.example.com\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body
