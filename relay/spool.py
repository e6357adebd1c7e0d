"""Mail in our custody: one file a message, on the disk before anybody hears 250.

What is written is synced, and then the folder that names it. A sync that failed is never tried
again on the same file (the kernel has thrown the octets away and says so once), the file goes and
the client keeps its mail. All that blocks runs in threads of this module's own.

    lock            held by the process whose spool it is
    new/ID          being written: nobody was promised anything
    xx/ID           in custody; xx are the last two digits of ID, which are random
    aside/ID.why    what does not read, or was never finished
    orders/         what the operator asks of the process (see orders.py)
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import FileIO
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar
from zlib import crc32

import structlog

from relay.content import CHUNK, Content, Slice
from relay.credentials import Credentials
from relay.envelope import Copy, Outgoing
from relay.spoolfile import (
    PREAMBLE,
    DamagedFile,
    Entry,
    Event,
    NewerFile,
    Outline,
    State,
    read_log,
    read_preamble,
    write_event,
    write_mail,
    write_preamble,
)

log = structlog.get_logger()

IN_MEMORY = 262_144  # octets of a copy that are read at once
THREADS = 4
SHUT_SECONDS = 5.0  # how long nothing is put after the disk failed
ORPHANS_KEPT = 7 * 86_400  # seconds
READ_AT_ONCE = 65_536  # of a log
DAMAGED, UNFINISHED = ".damaged", ".unfinished"  # why a file is aside

_FOLDER = re.compile(r"[0-9a-f]{2}")

T = TypeVar("T")


class SpoolError(Exception):
    """The disk does not do it. `problem` and `mend` are for the one who runs the relay."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem}: {mend}")
        self.problem = problem
        self.mend = mend


class Locked(SpoolError):  # noqa: N818 - named for what happened
    """Another process has the spool."""


class Damaged(SpoolError):  # noqa: N818 - named for what happened
    """The message's file does not read any more and was set aside, or somebody has removed it."""


class Sealer(Protocol):
    """Keeps credentials from whoever reads the disk."""

    def seal(self, credentials: Credentials, message_id: int) -> bytes:
        """Encrypted, so that they open with this message's id alone."""

    def open(self, sealed: bytes, message_id: int) -> Credentials | None:
        """None where the key is gone or the octets are not ours."""


class Spool:
    """The messages in the custody of this process. Made by `open`."""

    def __init__(self, folder: Path, *, min_free: int, sealer: Sealer, lock: int) -> None:
        self.folder = folder
        self._min_free = min_free
        self._sealer = sealer
        self._lock = lock
        self._entries: dict[int, Entry] = {}
        self._ends: dict[int, int] = {}  # where each file's log ends
        self._shut_until: float | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="spool")
        self.aside = 0  # damaged files, of now and before, that nobody has looked at

    @classmethod
    def open(cls, folder: Path, *, min_free: int, sealer: Sealer) -> "Spool":
        """Makes the folders that are missing, and reads what is there. Blocks.

        Raises SpoolError where the folder cannot be used or another process has it.
        """
        try:
            fresh = not folder.exists()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _lock(folder)
            names = ("new", "aside", "orders", *(f"{number:02x}" for number in range(256)))
            missing = [folder / name for name in names if not (folder / name).is_dir()]
            for path in missing:
                path.mkdir(mode=0o700)
            if missing:
                _sync_folder(folder)
            if fresh:
                _sync_folder(folder.parent)
            spool = cls(folder, min_free=min_free, sealer=sealer, lock=lock)
            spool._set_orphans_aside()
            spool._scan()
            spool.aside = files_aside(folder)
        except OSError as error:
            raise SpoolError(
                f"the spool {folder} cannot be used ({error.strerror})",
                "set delivery.spool to a folder that this user may write",
            ) from error
        return spool

    @property
    def entries(self) -> Mapping[int, Entry]:
        """All messages in custody, by id."""
        return MappingProxyType(self._entries)

    async def put(
        self,
        mail: Outgoing,
        *,
        next_ms: int,
        events: Sequence[Event] = (),
    ) -> Entry:
        """Takes custody: what is returned survives a power cut. `events` happened before.

        Await it to its end: the file may be there though the awaiting task was cancelled. Raises
        SpoolError; the file is not there then.
        """
        entry, end = await self._in_thread(partial(self._put, mail, next_ms, events))
        self._entries[mail.id] = entry
        self._ends[mail.id] = end
        return entry

    async def load(self, message_id: int) -> Outgoing:
        """The message with its contents, checked. Raises SpoolError, Damaged."""
        entry = self._entries[message_id]
        try:
            return await self._with_file(message_id, partial(self._load, entry))
        except DamagedFile as error:
            await self.set_aside(message_id, str(error))
            raise Damaged(
                f"the spooled message {message_id:016x} is damaged ({error})",
                "look at it in the spool's folder aside/",
            ) from error

    def credentials(self, entry: Entry) -> Credentials | None:
        """The login that its mail leaves by; None where it has none, or its key is gone."""
        return self._sealer.open(entry.sealed, entry.id) if entry.sealed else None

    async def note(self, message_id: int, event: Event) -> Entry:
        """What happened, durable on return. Raises SpoolError, Damaged; then it did not happen."""
        append = partial(self._append, start=self._ends[message_id], line=write_event(event))
        end = await self._with_file(message_id, append)
        self._ends[message_id] = end
        entry = self._entries[message_id] = self._entries[message_id].after(event)
        return entry

    async def done(self, message_id: int) -> None:
        """Gives custody up. Raises SpoolError; then the file is still there.

        Nothing is synced: the next sync of any file commits this as well, and until then a power
        cut leaves a message that is settled already but for one repeated attempt.
        """
        with contextlib.suppress(Damaged):  # it is gone already
            await self._with_file(message_id, Path.unlink)
            self._forget(message_id)

    async def set_aside(self, message_id: int, why: str) -> None:
        """Takes a file out of the way for somebody to look at. Raises SpoolError."""
        log.error("a spooled message was set aside", id=f"{message_id:x}", reason=why)
        await self._with_file(message_id, partial(self._move_aside, suffix=DAMAGED))
        self._forget(message_id)

    def close(self) -> None:
        """Lets another process have the spool. Blocks until what is being written is."""
        self._threads.shutdown()
        os.close(self._lock)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except OSError as error:
            raise SpoolError(
                f"the spool {self.folder} fails ({error.strerror})",
                "see that its disk is healthy and has room",
            ) from error

    async def _with_file(self, message_id: int, work: Callable[[Path], T]) -> T:
        """Raises SpoolError; Damaged where the file is gone, and forgets the message then."""
        path = self._path(message_id)
        try:
            return await self._in_thread(partial(work, path))
        except SpoolError as error:
            # Without its folder, it is the disk that is gone, which may come back.
            gone = isinstance(error.__cause__, FileNotFoundError)
            if not gone or not await self._in_thread(path.parent.is_dir):
                raise
        log.error("somebody has removed a spooled message", id=f"{message_id:x}")
        self._forget(message_id)
        raise Damaged(
            f"the file of the spooled message {message_id:016x} is gone",
            "leave the spool's files alone: `letterbell queue remove` gives a message up",
        )

    def _forget(self, message_id: int) -> None:
        del self._entries[message_id], self._ends[message_id]

    def _path(self, message_id: int) -> Path:
        name = f"{message_id:016x}"
        return self.folder / name[-2:] / name

    def _put(self, mail: Outgoing, next_ms: int, events: Sequence[Event]) -> tuple[Entry, int]:
        size = sum(copy.content.size for copy in mail.copies)
        self._admit(size)
        path = self._path(mail.id)
        temporary = self.folder / "new" / path.name
        try:
            entry, end = self._write(temporary, mail, size, next_ms, events)
            temporary.rename(path)
            try:
                _sync_folder(path.parent)
            except OSError:
                # The name may be on the disk or not. A power cut may bring it back: a duplicate.
                path.unlink()
                raise
        except FileExistsError:  # the disk is not at fault
            raise
        except OSError:
            self._shut_until = time.monotonic() + SHUT_SECONDS
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        return entry, end

    def _admit(self, size: int) -> None:
        """Raises OSError where the disk has no room, or has failed and not proved itself since."""
        disk = os.statvfs(self.folder)
        if disk.f_bavail * disk.f_frsize < self._min_free + size:
            raise OSError(errno.ENOSPC, "less than delivery.min_free is left")
        shut_until = self._shut_until
        if shut_until is None:
            return
        if time.monotonic() < shut_until:
            raise OSError(errno.EIO, "it failed a moment ago")
        self._shut_until = time.monotonic() + SHUT_SECONDS  # for the others, while this one probes
        probe = self.folder / "new" / "probe"
        with _created(probe, os.O_TRUNC) as file:  # one may be left of a probe that failed
            _write_all(file, b"\n")
            os.fsync(file)
        probe.unlink()
        _sync_folder(probe.parent)
        self._shut_until = None

    def _write(
        self, path: Path, mail: Outgoing, size: int, next_ms: int, events: Sequence[Event]
    ) -> tuple[Entry, int]:
        with _created(path) as file:
            if self._path(mail.id).exists():  # ids are random in part; a rename would replace it
                path.unlink()
                raise FileExistsError(errno.EEXIST, "it has another message of its id")
            _write_all(file, write_preamble(size))
            outlines = tuple(_write_copy(file, copy) for copy in mail.copies)
            entry = _entry(mail, outlines, next_ms, self._sealer)
            lines = [b"\n", write_mail(entry)]
            for event in events:
                lines.append(write_event(event))
                entry = entry.after(event)
            log_octets = b"".join(lines)
            _write_all(file, log_octets)
            os.fsync(file)
        return entry, PREAMBLE + size + len(log_octets)

    def _append(self, path: Path, start: int, line: bytes) -> int:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.fstat(file).st_size != start:
                os.ftruncate(file, start)  # what an earlier failure, or a kill, left half written
            os.lseek(file, start, os.SEEK_SET)
            _write_all(file, line)
            os.fdatasync(file)
        finally:
            os.close(file)
        return start + len(line)

    def _load(self, entry: Entry, path: Path) -> Outgoing:
        file = _opened(path)
        position = PREAMBLE
        copies = []
        for outline in entry.copies:
            copies.append(_copy(file, position, outline, entry))
            position += outline.size
        return Outgoing(
            id=entry.id,
            sender_id=entry.sender_id,
            login=entry.login,
            received_at_ms=entry.received_at_ms,
            mail_from=entry.mail_from,
            parameters=entry.parameters,
            route=entry.route,
            copies=tuple(copies),
            tracked=entry.tracked,
            credentials=self.credentials(entry),
        )

    def _scan(self) -> None:
        for number in range(256):
            for item in os.scandir(self.folder / f"{number:02x}"):
                path = Path(item.path)
                try:
                    entry, end = _read_entry(path, mend=True)
                    if path != self._path(entry.id):
                        raise DamagedFile("it bears another message's name")
                except NewerFile as error:
                    log.error(
                        "a spooled message waits for a later version",
                        file=str(path),
                        reason=str(error),
                        mend="start the version of Letterbell that wrote it",
                    )
                except (DamagedFile, OSError) as error:
                    log.error("a spooled message was set aside", file=str(path), reason=str(error))
                    self._move_aside(path, DAMAGED)
                else:
                    self._entries[entry.id] = entry
                    self._ends[entry.id] = end

    def _set_orphans_aside(self) -> None:
        for item in os.scandir(self.folder / "new"):
            log.warning("an unfinished message was set aside", file=item.path)
            self._move_aside(Path(item.path), UNFINISHED)
        for item in os.scandir(self.folder / "aside"):
            old = time.time() - item.stat().st_mtime > ORPHANS_KEPT
            if old and item.name.endswith(UNFINISHED):
                Path(item.path).unlink()

    def _move_aside(self, path: Path, suffix: str) -> None:
        path.rename(self.folder / "aside" / f"{path.name}{suffix}")


def files_aside(folder: Path) -> int:
    """How many damaged files a spool has aside. Unfinished ones were promised to nobody."""
    try:
        return sum(item.name.endswith(DAMAGED) for item in os.scandir(folder / "aside"))
    except FileNotFoundError:  # no process has opened it yet
        return 0


def _lock(folder: Path) -> int:
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise Locked(
            f"another process uses the spool {folder}",
            "stop it, or give each its own delivery.spool",
        ) from None
    except OSError:
        os.close(file)
        raise
    return file


@contextlib.contextmanager
def _created(path: Path, how: int = os.O_EXCL) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | how | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _opened(path: Path) -> FileIO:
    """To read; it closes with the last who holds it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    file = FileIO(descriptor, closefd=False)
    weakref.finalize(file, os.close, descriptor)
    return file


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(file: int, octets: bytes) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(file, rest) :]


def _write_copy(file: int, copy: Copy) -> Outline:
    crc = 0
    for chunk in copy.content.chunks():
        _write_all(file, chunk)
        crc = crc32(chunk, crc)
    return Outline(
        size=copy.content.size,
        head=len(copy.content.head),
        crc=crc,
        is_ascii=copy.content.is_ascii,
        recipients=copy.recipients,
    )


def _entry(mail: Outgoing, copies: tuple[Outline, ...], next_ms: int, sealer: Sealer) -> Entry:
    pending = frozenset(each.ordinal for copy in copies for each in copy.recipients)
    sealed = sealer.seal(mail.credentials, mail.id) if mail.credentials else None
    return Entry(
        id=mail.id,
        sender_id=mail.sender_id,
        login=mail.login,
        received_at_ms=mail.received_at_ms,
        mail_from=mail.mail_from,
        parameters=mail.parameters,
        route=mail.route,
        tracked=mail.tracked,
        copies=copies,
        sealed=sealed,
        state=State(pending=pending, next_ms=next_ms),
    )


def read_entries(folder: Path) -> Iterator[Entry]:
    """The messages of a spool, for whoever may read it, while another process works on it.

    What is gone by the time it is read, or does not read, is passed over. Raises OSError where the
    spool itself cannot be read.
    """
    for item in sorted(os.scandir(folder), key=lambda item: item.name):
        if _FOLDER.fullmatch(item.name):
            for file in os.scandir(item.path):
                with contextlib.suppress(DamagedFile, NewerFile, OSError):
                    yield _read_entry(Path(file.path))[0]


def _read_entry(path: Path, *, mend: bool = False) -> tuple[Entry, int]:
    """The message of the file, and where its log ends; to `mend` is to cut off what is torn."""
    file = os.open(path, (os.O_RDWR if mend else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = read_preamble(os.pread(file, PREAMBLE, 0))
        start, log_octets = PREAMBLE + size, bytearray()
        while piece := os.pread(file, READ_AT_ONCE, start + len(log_octets)):
            log_octets += piece
        entry, end = read_log(bytes(log_octets), size)
        if mend and end < len(log_octets):
            os.ftruncate(file, start + end)
        return entry, start + end
    finally:
        os.close(file)


def _copy(file: FileIO, position: int, outline: Outline, entry: Entry) -> Copy:
    """Raises DamagedFile where its octets are not those that were written."""
    crc, head, small = 0, b"", bytearray()
    whole = outline.size <= IN_MEMORY
    for start in range(0, outline.size, CHUNK):
        chunk = os.pread(file.fileno(), min(CHUNK, outline.size - start), position + start)
        crc = crc32(chunk, crc)
        if len(head) < outline.head:
            head += chunk[: outline.head - len(head)]
        if whole:
            small += chunk
    if crc != outline.crc:
        raise DamagedFile("its contents are not those that were written")
    rest = Slice(
        file, position + outline.head, outline.size - outline.head, is_ascii=outline.is_ascii
    )
    return Copy(
        mail_from=entry.mail_from,
        parameters=entry.parameters,
        recipients=outline.recipients,
        content=Content(head, bytes(small[outline.head :]) if whole else rest),
    )
