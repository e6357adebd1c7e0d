"""Who was promised what, and who got it: an upstream and mail programs that keep count.

The upstream takes, defers, refuses, is slow, and hangs up behind the final dot after it has taken
the mail. Programs send until they hear 250, through every death of the relay.
"""

import asyncio
import re
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

ANA, PASSWORD = "ana@example.com", "correct horse"
OK, GONE = b"bob@example.org", b"gone@example.org"
_PIXEL = re.compile(rb'<img [^>]*"https://t\.example\.com/o/[^>]*>')
_LINK = re.compile(rb"https://t\.example\.com/c/[\w-]+")
_RECEIVED = re.compile(rb"\AReceived:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_ID = re.compile(rb"^(?:Message-ID|In-Reply-To): <([0-9]+)@faults>", re.MULTILINE)
_PLAIN = b64encode(f"\0{ANA}\0{PASSWORD}".encode()).decode()


class Ledger:
    """By mail's number: `promised` to its program, `delivered` to its recipient, `reported` to its
    sender, whether it was `tracked`; and what may explain a second copy."""

    def __init__(self) -> None:
        self.promised: set[int] = set()
        self.delivered: Counter[int] = Counter()
        self.reported: Counter[int] = Counter()
        self.resent: Counter[int] = Counter()  # its program had sent the dot, and heard nothing
        self.put_off: set[int] = set()  # its program was told 451, and sent it again
        self.dropped: Counter[int] = Counter()  # upstream took it, and hung up before it said so
        self.exposed: Counter[int] = (
            Counter()
        )  # upstream took it, and the relay died before it knew
        self._confirmed: Counter[int] = Counter()  # those that were so, or not, at the last death
        self.tracked: dict[int, bool] = {}
        self.wrong: list[str] = []

    def lost(self) -> list[int]:
        """Promised, and neither delivered nor, where it was to be refused in part, reported."""
        return [
            number
            for number in sorted(self.promised)
            if not self.delivered[number] or (has_gone(number) and not self.reported[number])
        ]

    def expose(self, waiting: Iterable[int]) -> None:
        """The relay has died, and these still wait in its spool: so it will send them."""
        confirmed = self.delivered - self.dropped
        self.exposed.update(n for n in waiting if confirmed[n] > self._confirmed[n])
        self._confirmed = confirmed

    def unexplained(self) -> dict[int, int]:
        """Mails that came more often than a kill or a drop can have made them come."""
        return {
            number: count
            for number, count in self.delivered.items()
            if count > 1 + self.dropped[number] + self.exposed[number] + self.resent[number]
        }

    @property
    def duplicates(self) -> int:
        return sum(count - 1 for count in self.delivered.values())


def has_gone(number: int) -> bool:
    """Whether the mail has a recipient whom upstream refuses."""
    return number % 10 == 7


def content(number: int) -> bytes:
    """Some mails are small, some are read from files."""
    filler = b"<p>All work and no play makes Jack a dull boy.</p>\r\n" * (
        10 if number % 50 else 9000
    )
    return (
        b"From: ana@example.com\r\nTo: bob@example.org\r\nSubject: %d\r\n"
        b"Message-ID: <%d@faults>\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"
        b'<a href="https://example.org/%d">a link</a>\r\n%b<p>The end of %d.</p>\r\n'
    ) % (number, number, number, filler, number)


def as_sent(mail: bytes, number: int) -> bytes:
    """What upstream got, without what the relay puts in: its trace, a pixel, a link."""
    mail = _PIXEL.sub(b"", _RECEIVED.sub(b"", mail))
    return _LINK.sub(b"https://example.org/%d" % number, mail)


def number_of(mail: bytes) -> int:
    """The number of a mail, -1 where it has none."""
    found = _ID.search(mail)
    return int(found[1]) if found else -1


class Upstream:
    """Takes mail, and says so in its own way."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._deferred: Counter[int] = Counter()
        self._sessions: set[asyncio.Task[None]] = set()
        self.port = 0

    async def quiet(self) -> None:
        """Until all that was sent here has been read."""
        while self._sessions:
            await asyncio.wait(self._sessions)

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator["Upstream"]:
        server = await asyncio.start_server(self._session, "127.0.0.1", port, limit=2**24)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)
        try:
            writer.write(b"220 upstream\r\n")
            to: list[bytes] = []
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-upstream\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                elif verb == b"RCPT":
                    refused = GONE in line
                    if not refused:
                        to.append(line)
                    writer.write(b"550 5.1.1 gone\r\n" if refused else b"250 ok\r\n")
                elif verb == b"DATA" and not to:
                    writer.write(b"503 5.5.1 no recipients\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go\r\n")
                    mail = await reader.readuntil(b"\r\n.\r\n")
                    report = any(b"ana@" in each for each in to)
                    to = []
                    await self._take(mail, writer, report=report)
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    to = [] if verb in (b"MAIL", b"RSET") else to
                    writer.write(b"250 ok\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _take(self, mail: bytes, writer: asyncio.StreamWriter, *, report: bool) -> None:
        """What it does with a mail goes by the mail's number."""
        ledger, number = self._ledger, number_of(mail)
        if report:
            ledger.reported[number] += 1
            writer.write(b"250 2.0.0 a report\r\n")
            return
        if as_sent(mail.removesuffix(b".\r\n"), number) != content(number):
            ledger.wrong.append(f"{number} is another mail: {mail[-80:]!r}")
        if number % 7 == 3 and self._deferred[number] < 2:
            self._deferred[number] += 1
            writer.write(b"451 4.2.0 later\r\n")
            return
        if number % 11 == 5:
            await asyncio.sleep(0.3)
        ledger.delivered[number] += 1
        ledger.tracked[number] = b"https://t.example.com/" in mail
        if number % 13 == 6 and not ledger.dropped[number]:
            ledger.dropped[number] += 1
            writer.transport.abort()
            raise ConnectionAbortedError
        writer.write(b"250 2.0.0 taken\r\n")


class Programs:
    """So many mail programs, each with one session, sending mails as long as they are to."""

    def __init__(self, ledger: Ledger, port: int, count: int = 10) -> None:
        self._ledger = ledger
        self._port = port
        self._numbers = iter(range(1, 10**9))
        self._enough = False
        self._news = asyncio.Event()
        self.up = asyncio.Event()
        self._workers = [asyncio.create_task(self._work()) for _ in range(count)]

    async def until_promised(self, count: int) -> None:
        """Until so many mails in all are promised to them."""
        async with asyncio.timeout(60):
            while len(self._ledger.promised) < count:
                self._news.clear()
                await self._news.wait()

    async def finish(self) -> None:
        """No new mails; those begun are sent until they are taken."""
        self._enough = True
        await asyncio.gather(*self._workers)

    async def _work(self) -> None:
        number = next(self._numbers)
        while not self._enough:
            await self.up.wait()
            with suppress(OSError, asyncio.IncompleteReadError):
                async with self._session() as (reader, writer):
                    while not self._enough:
                        await self._send(reader, writer, number)
                        number = next(self._numbers)
            await asyncio.sleep(0.01)
        while number not in self._ledger.promised:
            await self.up.wait()
            with suppress(OSError, asyncio.IncompleteReadError):
                async with self._session() as (reader, writer):
                    await self._send(reader, writer, number)
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await _reply(reader)
            await _ask(reader, writer, b"EHLO faults\r\n")
            assert (await _ask(reader, writer, f"AUTH PLAIN {_PLAIN}\r\n".encode()))[:3] == b"235"
            yield reader, writer
        finally:
            writer.close()

    async def _send(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        while number not in self._ledger.promised:
            await _ask(reader, writer, b"RSET\r\n")
            await _ask(reader, writer, f"MAIL FROM:<{ANA}>\r\n".encode())
            await _ask(reader, writer, b"RCPT TO:<%b>\r\n" % OK)
            if has_gone(number):
                await _ask(reader, writer, b"RCPT TO:<%b>\r\n" % GONE)
            if not (await _ask(reader, writer, b"DATA\r\n")).startswith(b"354"):
                continue
            self._ledger.resent[number] += 1
            reply = await _ask(reader, writer, content(number) + b".\r\n")
            self._ledger.resent[number] -= 1
            if reply.startswith(b"250"):
                self._ledger.promised.add(number)
                self._news.set()
            elif reply.startswith(b"451"):
                self._ledger.put_off.add(number)
            elif reply.startswith(b"5"):
                self._ledger.wrong.append(f"{number} was refused: {reply!r}")
                self._ledger.promised.add(number)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes) -> bytes:
    writer.write(said)
    return await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readuntil(b"\r\n")
        if line[3:4] != b"-":
            return line
