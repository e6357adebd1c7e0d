"""One client's bytes: lines and bulk in, replies out.

Input is kept in one buffer of bounded size: commands are read by line, messages in bulk. Replies
wait until we must wait for the client anyway, so a pipelined batch of commands is answered in one
write.
"""

import asyncio
import contextlib

from relay.envelope import Refusal

MAX_LINE = 12_288  # RFC 4954 §4.c, for the longest AUTH; other commands are far shorter
HIGH_WATER = 65_536  # what a client may send ahead while we are busy; one read more at most


class Hangup(Refusal):
    """A refusal after which the session ends."""


class Wire:
    """The byte streams of one session.

    Fed by the protocol (`feed`, `feed_eof`, `writable`), used by its command loop. Reading raises
    ConnectionResetError once the client has gone and everything it sent has been read.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self.received = 0  # octets since the session's start
        self.writable = asyncio.Event()
        self.writable.set()
        self._loop = loop
        self._buffer = bytearray()
        self._replies = bytearray()
        self._paused = self._eof = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether the client has sent something that is not read yet."""
        return bool(self._buffer)

    @property
    def waiting(self) -> bool:
        """Whether it is the client's turn: to say something, or to read what we said."""
        return self._waiter is not None or not self.writable.is_set()

    def feed(self, data: bytes) -> None:
        self.received += len(data)
        self._buffer += data
        if len(self._buffer) > HIGH_WATER and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def feed_eof(self) -> None:
        self._eof = True
        self._wake()

    def say(self, reply: bytes) -> None:
        """Queues a complete reply, CRLF included; it leaves with the next `flush`."""
        self._replies += reply

    async def flush(self) -> None:
        if self._replies:
            self.transport.write(bytes(self._replies))
            self._replies.clear()
            await self.writable.wait()  # a client that never reads fills no memory

    async def line(self) -> bytes:
        """The next command line, without its CRLF.

        Raises Hangup (500) for an endless one, and for one with a bare LF, which two servers may
        take for two lines or for one.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise Hangup(500, b"5.5.2 Line too long")
            await self._more()
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n"):
            raise Hangup(500, b"5.5.2 Lines end with CR LF, not with LF alone")
        return line[:-2]

    async def some(self) -> bytes:
        """All that the client has sent by now; at least one octet."""
        while not self._buffer:
            await self._more()
        octets = bytes(self._buffer)
        self._buffer.clear()
        return octets

    def give_back(self, octets: bytes) -> None:
        """Puts back what `some` gave too much, to be read next."""
        self._buffer[:0] = octets

    async def silence(self, seconds: float) -> bool:
        """Whether the client says nothing for so long. Comes back as soon as it does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._buffer:
                    await self._more()
        return not self._buffer

    async def discard(self) -> None:
        """Says what is due and no more; then drops what comes until the client has gone.

        To close at once, with input unread, would reset the connection under our last reply.
        """
        await self.flush()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        with contextlib.suppress(ConnectionResetError):
            while True:
                self._buffer.clear()
                await self._more()

    async def _more(self) -> None:
        """Answers what is due, then waits for the client's next bytes."""
        size = len(self._buffer)
        await self.flush()
        if len(self._buffer) != size:
            return
        if self._eof:
            raise ConnectionResetError
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
