"""A lean SMTP load generator: some connections, each sends mail after mail, pipelined, and waits.

Nothing but the mail's bytes and the replies' ends is looked at, so that the other side is measured.
"""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send where. `content` is dot-stuffed and ends with CRLF."""

    port: int
    content: bytes
    login: tuple[str, str] | None = None
    recipients: int = 1
    connections: int = 20
    mails: int = 2000
    warm_up: int = 200


@dataclass(slots=True)
class Result:
    """What was seen after the warm-up."""

    mails: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.mails / self.seconds

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class Client(asyncio.Protocol):
    """One connection; `ask` sends and waits for so many replies."""

    def __init__(self) -> None:
        self._buffer = b""
        self._missing = 0
        self._codes: list[bytes] = []
        self._answered: asyncio.Future[list[bytes]] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        self._codes += [line[:3] for line in lines if line[3:4] != b"-"]
        self._settle()

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(ConnectionError(f"closed: {error}"))

    def _settle(self) -> None:
        waiting = self._answered
        if waiting and not waiting.done() and len(self._codes) >= self._missing:
            codes, self._codes = self._codes[: self._missing], self._codes[self._missing :]
            waiting.set_result(codes)

    async def ask(self, data: bytes, replies: int, expected: bytes) -> None:
        """Writes, waits for the replies; the last must have the expected code."""
        self._missing = replies
        self._answered = asyncio.get_running_loop().create_future()
        if data:
            self.transport.write(data)
        self._settle()
        codes = await self._answered
        if codes[-1] != expected:
            raise ConnectionError(f"expected {expected!r}, got {codes}")


async def run(load: Load, *, warmed_up: Callable[[], None]) -> Result:
    """Sends the warm-up, calls `warmed_up`, sends what is measured."""
    clients = [await connect(load) for _ in range(load.connections)]
    await _send(clients, load, load.warm_up, Result())
    warmed_up()
    result = Result(mails=load.mails)
    began = time.perf_counter()
    await _send(clients, load, load.mails, result)
    result.seconds = time.perf_counter() - began
    for client in clients:
        client.transport.write(b"QUIT\r\n")
        client.transport.close()
    return result


async def connect(load: Load) -> Client:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(Client, "127.0.0.1", load.port)
    await client.ask(b"", 1, b"220")
    await client.ask(b"EHLO bench.example.com\r\n", 1, b"250")
    if load.login:
        secret = base64.b64encode("\0{}\0{}".format(*load.login).encode())
        await client.ask(b"AUTH PLAIN " + secret + b"\r\n", 1, b"235")
    return client


async def _send(clients: list[Client], load: Load, mails: int, result: Result) -> None:
    remaining = iter(range(mails))
    recipients = (b"RCPT TO:<bob%d@example.org>\r\n" % each for each in range(load.recipients))
    envelope = b"MAIL FROM:<ana@example.com>\r\n%bDATA\r\n" % b"".join(recipients)
    body = load.content + b".\r\n"

    async def work(client: Client) -> None:
        for _ in remaining:
            began = time.perf_counter()
            await client.ask(envelope, load.recipients + 2, b"354")
            await client.ask(body, 1, b"250")
            result.latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(work(client) for client in clients))
