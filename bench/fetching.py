"""An open-loop HTTP client: so many requests a second, whether or not the answers keep up.

A latency counts from when a request was due, so that a server that stalls is charged for all who
would have asked meanwhile. Beside it a crowd: connections whose request head trickles in.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

TICK = 0.002  # seconds between two looks at what is due
PIECE_SECONDS = 1.0  # between two octets of one who trickles
HEAD = b"GET /o/x HTTP/1.1\r\nHost: t.example.com\r\nX-Slow: "


@dataclass(slots=True)
class Result:
    """What was seen, in milliseconds; the codes of the answers, and how many never came."""

    latencies: list[float] = field(default_factory=list)
    codes: dict[bytes, int] = field(default_factory=dict)
    lost: int = 0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Client(asyncio.Protocol):
    """One kept connection, one request at a time; a pixel's answer fits in one read."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._due = 0.0
        self._answer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def ask(self, request: bytes, due: float) -> None:
        self._due, self._answer = due, b""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if end and len(body) >= length(head):
            self._pool.answered(self, head[9:12], self._due)

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.lost(self)


def length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


class Pool:
    """Requests that are due wait here for a free connection."""

    def __init__(self) -> None:
        self.result = Result()
        self._idle: list[Client] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._asked = 0
        self._closing = False
        self._answered = asyncio.Event()  # all that was asked

    async def connect(self, port: int, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, client = await loop.create_connection(lambda: Client(self), "127.0.0.1", port)
            self._idle.append(client)

    def ask(self, request: bytes, due: float) -> None:
        self._waiting.append((request, due))
        self._asked += 1
        self._send()

    def answered(self, client: Client, code: bytes, due: float) -> None:
        result = self.result
        result.latencies.append((time.perf_counter() - due) * 1000)
        result.codes[code] = result.codes.get(code, 0) + 1
        self._idle.append(client)
        self._send()
        self._look()

    def lost(self, client: Client) -> None:
        if client in self._idle:
            self._idle.remove(client)

    async def close(self) -> None:
        """Waits for the last answers, ten seconds at most."""
        self._closing = True
        self._look()
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await self._answered.wait()
        self.result.lost = self._asked - len(self.result.latencies)
        for client in list(self._idle):
            client.transport.close()

    def _look(self) -> None:
        if self._closing and len(self.result.latencies) == self._asked:
            self._answered.set()

    def _send(self) -> None:
        while self._idle and self._waiting:
            self._idle.pop().ask(*self._waiting.popleft())


async def fetch(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float, connections: int
) -> Result:
    """`rate` requests a second for so many seconds, from the list, over and over."""
    pool = Pool()
    await pool.connect(port, connections)
    began, total, sent = time.perf_counter(), int(rate * seconds), 0
    while sent < total:
        due = min(total, int((time.perf_counter() - began) * rate))
        for number in range(sent, due):
            pool.ask(requests[number % len(requests)], began + number / rate)
        sent = max(sent, due)
        await asyncio.sleep(TICK)
    await pool.close()
    return pool.result


class Trickling(asyncio.Protocol):
    """A request head that never ends, an octet at a time; begun anew where it is cut off."""

    def __init__(self, crowd: "set[Trickling]") -> None:
        self._crowd = crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._crowd.add(self)
        transport.write(HEAD)

    def connection_lost(self, error: Exception | None) -> None:
        self._crowd.discard(self)


@asynccontextmanager
async def crowd(port: int, size: int) -> AsyncIterator[None]:
    """So many slow connections, for as long as the block runs."""
    there: set[Trickling] = set()
    if size:
        await _fill(there, port, size)
    keeping = asyncio.create_task(_trickle(there, port, size))
    yield
    keeping.cancel()
    for each in list(there):
        each.transport.abort()


async def _trickle(there: set[Trickling], port: int, size: int) -> None:
    while True:
        await asyncio.sleep(PIECE_SECONDS)
        for each in there:
            each.transport.write(b"a")
        await _fill(there, port, size)


async def _fill(there: set[Trickling], port: int, size: int) -> None:
    loop = asyncio.get_running_loop()
    while len(there) < size:
        await loop.create_connection(lambda: Trickling(there), "127.0.0.1", port)
