"""Messages on their way in: taken piece by piece, refused as soon as they cannot be taken.

A small message stays in memory. The body of a larger one goes to a file without a name, in a
thread, so that a slow disk holds back the one who sends it and nobody else. What is given out is
CRLF-clean, whatever came.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import structlog

from relay.content import CHUNK, Bulk, Content
from relay.envelope import Refusal
from relay.header import header_size
from relay.transparency import has_bare_newline, normalize_newlines

log = structlog.get_logger()

IN_MEMORY = 262_144  # octets; as much as a header may have, so that it is in memory always
MAX_HEADER_LINES = 10_000
WRITTEN_AT_ONCE = 65_536  # at least, but for a message's end: each time costs a walk to a thread
FLOOR = 67_108_864  # octets that are left free on the disk: the store is there too

BareNewline = Literal["normalize", "reject"]


class Drafts:
    """Where messages are kept while they are on their way."""

    def __init__(self, folder: Path, *, floor: int = FLOOR, spool: Path | None = None) -> None:
        """`spool` is where a message may have to go next; both keep `floor` octets free."""
        self._folder = folder
        self._floor = floor
        self._folders = [folder] if spool is None else [folder, spool]
        self.on_room: Callable[[bool], None] = lambda is_there: None

    def has_room(self, size: int) -> bool:
        """Whether a message of `size` octets leaves the disk its floor.

        `on_room` hears whether any message could.
        """
        disks = map(os.statvfs, self._folders)
        free = min(disk.f_bavail * disk.f_frsize for disk in disks) - self._floor
        self.on_room(free >= 0)
        return free >= size

    def new(self, *, limit: int, bare_newline: BareNewline) -> "Draft":
        """A draft that takes `limit` octets."""
        return Draft(self._folder, limit, bare_newline)

    def keep(self, message: bytes) -> Content:
        """A whole message, CRLF-clean. Blocks where it is large; raises OSError."""
        if len(message) <= IN_MEMORY:
            return Content.of(message)
        end = header_size(message) + 2
        bulk = Bulk(self._folder)
        for start in range(end, len(message), CHUNK):
            bulk.append(message[start : start + CHUNK])
        return Content(message[:end], bulk)


class Draft:
    """One message as it comes in; made by `Drafts.new`.

    Once it is refused it holds nothing and takes everything: the client has to be heard out.
    """

    def __init__(self, folder: Path, limit: int, bare_newline: BareNewline) -> None:
        self._folder = folder
        self._limit = limit
        self._bare_newline = bare_newline
        self._size = 0
        self._held = b""  # a final CR, until it is known whether its LF follows
        self._octets = bytearray()  # what is not in the file
        self._head = b""
        self._bulk: Bulk | None = None
        self._refusal: Refusal | None = None

    def take(self, octets: bytes) -> None:
        """The next octets, without the wire's dots. Raises nothing: `finish` tells."""
        if self._refusal:
            return
        octets = self._held + octets
        self._held = b"\r" if octets.endswith(b"\r") else b""
        self._append(octets[:-1] if self._held else octets)

    async def spill(self) -> None:
        """Makes room in memory, if that is due: after each `take`."""
        if len(self._octets) > (WRITTEN_AT_ONCE if self._bulk else IN_MEMORY):
            await self._write()

    async def finish(self) -> Content:
        """The message, after its last octets. Raises Refusal."""
        self._append(self._held)
        if self._bulk or len(self._octets) > IN_MEMORY:
            await self._write()
        content = Content(self._head, self._bulk) if self._bulk else Content.of(bytes(self._octets))
        if content.head.count(b"\n") > MAX_HEADER_LINES:
            self._refuse(552, b"5.3.4 The header has more than %d lines" % MAX_HEADER_LINES)
        if self._refusal:
            raise self._refusal
        return content

    def _append(self, octets: bytes) -> None:
        if has_bare_newline(octets):
            if self._bare_newline == "reject":
                self._refuse(550, b"5.6.0 The message has a bare CR or LF; lines end with CR LF")
                return
            octets = normalize_newlines(octets)
        self._size += len(octets)
        if self._size > self._limit:
            self._refuse(552, b"5.3.4 The message is larger than %d octets" % self._limit)
            return
        self._octets += octets

    async def _write(self) -> None:
        octets, self._octets = bytes(self._octets), bytearray()
        if not self._bulk:
            end = header_size(octets) + 2
            if end > IN_MEMORY:
                self._refuse(552, b"5.3.4 The header is larger than %d octets" % IN_MEMORY)
                return
            self._head, octets = octets[:end], octets[end:]
        try:
            self._bulk = await asyncio.to_thread(self._keep, octets)
        except OSError as error:
            log.error("no room for a message", reason=error.strerror)
            self._refuse(452, b"4.3.1 There is no room for the message just now; try again later")

    def _keep(self, octets: bytes) -> Bulk:
        bulk = self._bulk or Bulk(self._folder)
        bulk.append(octets)
        return bulk

    def _refuse(self, code: int, text: bytes) -> None:
        self._refusal = Refusal(code, text)
        self._held, self._octets, self._bulk = b"", bytearray(), None
