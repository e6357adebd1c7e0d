"""A message's octets: the header in memory, the body as well or, if it is large, in a file.

Every stop works with the header and hands the body on; only the rewriter takes all of it at once.
Contents share their bodies and threads read them: once there is a content, nobody changes it.
"""

import asyncio
import errno
import os
import tempfile
import weakref
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO, FileIO
from pathlib import Path
from typing import Protocol, Self

from relay.header import header_size

CHUNK = 262_144


class Stored(Protocol):
    """A body that is on the disk."""

    @property
    def size(self) -> int:
        """In octets."""

    @property
    def is_ascii(self) -> bool:
        """Whether no octet is above 127."""

    def read(self, start: int, size: int) -> bytes:
        """`size` octets from `start` on; fewer only at the end. Raises OSError."""


class Slice:
    """Some octets of a file that others read as well. Raises OSError where they cannot be read."""

    def __init__(self, file: FileIO, start: int, size: int, *, is_ascii: bool) -> None:
        self._file = file
        self._start = start
        self.size = size
        self.is_ascii = is_ascii

    def read(self, start: int, size: int) -> bytes:
        size = min(size, self.size - start)
        octets = os.pread(self._file.fileno(), size, self._start + start)
        if len(octets) < size:
            raise OSError(errno.EIO, "a message's file is shorter than what was written to it")
        return octets


class Bulk:
    """Octets in a file of `folder` without a name, which goes with the last who holds this.

    Raises OSError where the file cannot be made, grow or be read.
    """

    def __init__(self, folder: Path) -> None:
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
        weakref.finalize(self, file.close)
        self._file = file
        self.size = 0
        self.is_ascii = True

    def append(self, octets: bytes) -> None:
        rest = memoryview(octets)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(octets)
        self.is_ascii = self.is_ascii and octets.isascii()

    def read(self, start: int, size: int) -> bytes:
        """`size` octets from `start` on; fewer only at the end."""
        octets = os.pread(self._file.fileno(), size, start)
        if len(octets) < min(size, self.size - start):
            raise OSError(errno.EIO, "a message's file is shorter than what was written to it")
        return octets


@dataclass(frozen=True, slots=True)
class Content:
    """One message. `head` is its header block, with the blank line if it has one."""

    head: bytes = field(repr=False)
    body: bytes | Stored = field(repr=False)

    @classmethod
    def of(cls, message: bytes) -> Self:
        """Of octets that are all in memory, CRLF-clean (see transparency.py)."""
        end = header_size(message) + 2
        return cls(message[:end], message[end:])

    @property
    def size(self) -> int:
        body = self.body
        return len(self.head) + (len(body) if isinstance(body, bytes) else body.size)

    @property
    def is_ascii(self) -> bool:
        body = self.body
        whole = body.isascii() if isinstance(body, bytes) else body.is_ascii
        return self.head.isascii() and whole

    @property
    def is_bulky(self) -> bool:
        """Whether it is better not read whole, and never twice at once."""
        return not isinstance(self.body, bytes)

    def with_head(self, head: bytes) -> Self:
        """The same body under another header."""
        return replace(self, head=head)

    def read(self) -> bytes:
        """All of it. Raises OSError."""
        whole = BytesIO()  # gives its buffer away; a join would have all octets twice for a moment
        for chunk in self.chunks():
            whole.write(chunk)
        return whole.getvalue()

    def chunks(self) -> Iterator[bytes]:
        """All of it in turn; what is in memory at once. Raises OSError."""
        body = self.body
        if isinstance(body, bytes):
            yield self.head + body
        else:
            yield self.head
            for start in range(0, body.size, CHUNK):
                yield body.read(start, CHUNK)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """`chunks`, off the event loop where they come from a file. Raises OSError."""
        chunks = self.chunks()
        if self.is_bulky:
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                yield chunk
        else:
            for chunk in chunks:
                yield chunk
