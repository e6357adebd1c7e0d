"""Custody on a real disk: what is promised is there, whatever fails on the way."""

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from collector.tokens import Key
from relay.content import Bulk, Content
from relay.credentials import Password
from relay.envelope import Copy, Deferred, Delivered, Outgoing, Recipient
from relay.sealing import Seal
from relay.spool import Damaged, Spool, SpoolError
from relay.spoolfile import Got, Held, Told, Tried

ID = 0x0123_4567_89AB_CDEF
ANA = b"ana@example.com"
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
PARAMETERS = {b"RET": b"FULL"}
SEAL = Seal([Key(id=1, secret=b"k" * 32)])
DELIVERED = Delivered(recipient=b"bob@example.com", code=250, ordinal=1, host="mx", text=b"ok")
DEFERRED = Deferred(recipient=b"eve@example.com", code=451, enhanced="4.2.0", ordinal=2)


def outgoing(*contents: Content, message_id: int = ID, **changes: Any) -> Outgoing:
    to = (Recipient(b"bob@example.com", {}, 1), Recipient(b"eve@example.com", {}, 2))
    groups = [to] if len(contents) < 2 else [(each,) for each in to]
    made = Outgoing(
        id=message_id,
        sender_id=1,
        login="ana",
        received_at_ms=1,
        mail_from=ANA,
        parameters=PARAMETERS,
        route=ANA,
        copies=tuple(
            Copy(mail_from=ANA, parameters=PARAMETERS, recipients=group, content=content)
            for group, content in zip(groups, contents or (Content.of(MESSAGE),), strict=True)
        ),
        tracked=True,
    )
    return replace(made, **changes)


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    """Gives a spool; each call closes the one before, as a new process would find it."""
    open_now: list[Spool] = []

    def reopen(folder: str = "spool", min_free: int = 0) -> Spool:
        while open_now:
            open_now.pop().close()
        spool = Spool.open(tmp_path / folder, min_free=min_free, sealer=SEAL)
        open_now.append(spool)
        return spool

    yield reopen
    while open_now:
        open_now.pop().close()


def files(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    )


async def test_a_message_survives_the_process(
    reopened: Callable[..., Spool], tmp_path: Path
) -> None:
    mail = outgoing(credentials=Password(ANA, b"up stream secret"))
    await reopened().put(mail, next_ms=5)
    spool = reopened()
    entry = spool.entries[ID]
    assert (entry.state.pending, entry.state.next_ms, entry.size) == ({1, 2}, 5, len(MESSAGE))
    assert await spool.load(ID) == mail
    path = tmp_path / "spool/ef/0123456789abcdef"
    assert path.read_bytes().startswith(b"letterbell-spool 1 000000000025\n" + MESSAGE + b"\n")
    assert b"secret" not in path.read_bytes()


async def test_all_copies_are_kept(reopened: Callable[..., Spool], tmp_path: Path) -> None:
    bulk = Bulk(tmp_path)
    bulk.append(b"\xfc" * 700_000)
    large = Content(b"Subject: large\r\n\r\n", bulk)
    await reopened().put(outgoing(Content.of(MESSAGE), large), next_ms=0)
    first, second = (await reopened().load(ID)).copies
    assert first.content.read() == MESSAGE
    assert second.content.read() == large.read()
    assert second.content.head == large.head
    assert second.content.is_bulky
    assert not second.content.is_ascii
    assert [each.ordinal for each in second.recipients] == [2]
    assert b"".join([chunk async for chunk in second.content.stream()]) == large.read()


async def test_what_happened_is_remembered(reopened: Callable[..., Spool]) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=0, events=[Tried(1, 2)])
    await spool.note(ID, Got((DELIVERED, DEFERRED), 3, 4))
    entry = await spool.note(ID, Told((2,), "delayed", 5))
    assert entry == spool.entries[ID]
    assert reopened().entries[ID] == entry
    assert entry.state.pending == {2}
    assert entry.state.latest == {1: DELIVERED, 2: DEFERRED}


async def test_given_up_is_gone(reopened: Callable[..., Spool], tmp_path: Path) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=0)
    await spool.done(ID)
    assert files(tmp_path / "spool") == []
    assert not spool.entries
    assert not reopened().entries


async def test_one_process_has_it(reopened: Callable[..., Spool], tmp_path: Path) -> None:
    reopened()
    with pytest.raises(SpoolError, match="another process uses the spool"):
        Spool.open(tmp_path / "spool", min_free=0, sealer=SEAL)


async def test_nobody_else_reads_it(reopened: Callable[..., Spool], tmp_path: Path) -> None:
    await reopened().put(outgoing(), next_ms=0)
    for path in (tmp_path / "spool").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"set delivery\.spool"):
        Spool.open(tmp_path / "file" / "spool", min_free=0, sealer=SEAL)


async def test_unfinished_and_damaged_files_are_set_aside(
    reopened: Callable[..., Spool], tmp_path: Path
) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=0)
    await spool.put(outgoing(message_id=ID + 1), next_ms=0)
    folder = tmp_path / "spool"
    (folder / "new/0123456789abcd00").write_bytes(b"letterbell-spool 1 0000")
    (folder / "ef/0123456789abcdef").write_bytes(b"what is this")
    (folder / "f0/0000000000000001").write_bytes((folder / "f0/0123456789abcdf0").read_bytes())
    (folder / "00/0000000000000000").write_bytes(b"letterbell-spool 9 from the future")
    with capture_logs() as logs:
        spool = reopened()
    assert list(spool.entries) == [ID + 1]
    assert spool.aside == 2  # the unfinished one was promised to nobody
    assert [each["log_level"] for each in logs] == ["warning", "error", "error", "error"]
    assert files(folder) == [
        "00/0000000000000000",
        "aside/0000000000000001.damaged",
        "aside/0123456789abcd00.unfinished",
        "aside/0123456789abcdef.damaged",
        "f0/0123456789abcdf0",
    ]
    old = folder / "aside/0123456789abcd00.unfinished"
    os.utime(old, (0, 0))
    os.utime(folder / "aside/0123456789abcdef.damaged", (0, 0))
    reopened()
    assert not old.exists()
    assert (folder / "aside/0123456789abcdef.damaged").exists()
    assert reopened().aside == 2


async def test_a_torn_line_is_cut_off(reopened: Callable[..., Spool], tmp_path: Path) -> None:
    await reopened().put(outgoing(), next_ms=7)
    path = tmp_path / "spool/ef/0123456789abcdef"
    whole = path.read_bytes()
    path.write_bytes(whole + b'5f1c02aa {"try":1,')
    spool = reopened()
    assert path.read_bytes() == whole
    await spool.note(ID, Held("wait", 1))
    assert reopened().entries[ID].state.held == "wait"


async def test_changed_contents_are_not_sent(
    reopened: Callable[..., Spool], tmp_path: Path
) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=0)
    path = tmp_path / "spool/ef/0123456789abcdef"
    path.write_bytes(path.read_bytes().replace(b"hello\r\n\r\n", b"hallo\r\n\r\n"))
    with pytest.raises(Damaged):
        await spool.load(ID)
    assert not spool.entries
    assert files(tmp_path / "spool") == ["aside/0123456789abcdef.damaged"]


@pytest.mark.parametrize("at_once", [False, True])
async def test_no_message_takes_anothers_place(
    reopened: Callable[..., Spool], tmp_path: Path, at_once: bool
) -> None:
    """Ids are random in part: the second of two that are one is refused, no disk at fault."""
    spool = reopened()
    first, second = outgoing(), outgoing(Content.of(b"Subject: another\r\n\r\n"))
    if at_once:
        done = await asyncio.gather(
            *(spool.put(each, next_ms=0) for each in (first, second)), return_exceptions=True
        )
        [refused] = [each for each in done if isinstance(each, SpoolError)]
        kept = (first, second)[done.index(refused) - 1]
    else:
        await spool.put(first, next_ms=0)
        with pytest.raises(SpoolError, match="another message of its id"):
            await spool.put(second, next_ms=0)
        kept = first
    assert await spool.load(ID) == kept
    await spool.put(outgoing(message_id=ID + 1), next_ms=0)  # nothing is shut
    assert files(tmp_path / "spool") == ["ef/0123456789abcdef", "f0/0123456789abcdf0"]
    assert await reopened().load(ID) == kept


async def test_the_floor_is_kept_free(reopened: Callable[..., Spool], tmp_path: Path) -> None:
    await reopened().put(outgoing(), next_ms=0)
    spool = reopened(min_free=2**60)
    with pytest.raises(SpoolError):
        await spool.put(outgoing(message_id=ID + 1), next_ms=0)
    await spool.note(ID, Tried(1, 2))  # what is in custody goes on
    await spool.done(ID)
    assert files(tmp_path / "spool") == []


CALLS = ("open", "write", "fsync", "fdatasync", "rename", "unlink", "ftruncate")


class Disk:
    """Counts the calls that reach the disk; the one at `fail_at` fails, with what is half done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.calls: list[str] = []
        self.fail_at: int | None = None
        self.error = errno.EIO
        self._folder = folder
        for name in CALLS:
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            target = arguments[0]
            if isinstance(target, int):
                try:
                    target = Path(f"/proc/self/fd/{target}").readlink()
                except OSError:
                    return call(*arguments, **named)
            try:
                where = Path(target).relative_to(self._folder)
            except ValueError:
                return call(*arguments, **named)
            self.calls.append(f"{name} {where}")
            if len(self.calls) - 1 == self.fail_at:
                if name == "write":
                    call(arguments[0], bytes(arguments[1])[:7])
                raise OSError(self.error, os.strerror(self.error))
            return call(*arguments, **named)

        return watched


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    return Disk(monkeypatch, tmp_path / "spool")


async def test_everything_is_synced_before_it_is_promised(
    reopened: Callable[..., Spool], disk: Disk
) -> None:
    spool = reopened()
    disk.calls.clear()
    await spool.put(outgoing(), next_ms=0)
    name = "0123456789abcdef"
    assert disk.calls == [
        f"open new/{name}",
        f"write new/{name}",
        f"write new/{name}",
        f"write new/{name}",
        f"fsync new/{name}",
        f"rename new/{name}",
        "open ef",
        "fsync ef",
    ]
    disk.calls.clear()
    await spool.note(ID, Tried(1, 2))
    assert disk.calls == [f"open ef/{name}", f"write ef/{name}", f"fdatasync ef/{name}"]
    disk.calls.clear()
    await spool.done(ID)
    assert disk.calls == [f"unlink ef/{name}"]


async def test_a_new_folder_is_synced_with_its_parent(
    reopened: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = Disk(monkeypatch, tmp_path)
    reopened()
    assert [call for call in disk.calls if call.startswith("fsync")] == ["fsync spool", "fsync ."]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("at", range(8))
async def test_a_put_that_fails_leaves_nothing(
    reopened: Callable[..., Spool],
    disk: Disk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: int,
    at: int,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    spool = reopened()
    disk.error, disk.fail_at = error, len(disk.calls) + at
    with pytest.raises(SpoolError) as told:
        await spool.put(outgoing(), next_ms=0)
    assert os.strerror(error) in str(told.value)
    assert len([call for call in disk.calls[disk.fail_at :] if "fsync new/0" in call]) <= 1
    assert files(tmp_path / "spool") == []
    assert not spool.entries
    with pytest.raises(SpoolError, match="a moment ago"):  # no herd onto a disk that fails
        await spool.put(outgoing(), next_ms=0)
    now[0] += 5
    disk.calls.clear()
    disk.fail_at = None
    await spool.put(outgoing(), next_ms=0)
    assert disk.calls[2:6] == ["fsync new/probe", "unlink new/probe", "open new", "fsync new"]
    assert files(tmp_path / "spool") == ["ef/0123456789abcdef"]


@pytest.mark.parametrize("at", range(6))
async def test_a_probe_that_fails_keeps_it_shut(
    reopened: Callable[..., Spool],
    disk: Disk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    spool = reopened()
    disk.fail_at = len(disk.calls) + 4
    with pytest.raises(SpoolError):
        await spool.put(outgoing(), next_ms=0)
    now[0] += 5
    disk.fail_at = len(disk.calls) + at
    with pytest.raises(SpoolError):
        await spool.put(outgoing(), next_ms=0)
    with pytest.raises(SpoolError, match="a moment ago"):
        await spool.put(outgoing(), next_ms=0)
    now[0] += 5
    await spool.put(outgoing(), next_ms=0)
    assert files(tmp_path / "spool") == ["ef/0123456789abcdef"]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("at", range(3))
async def test_a_note_that_fails_never_happened(
    reopened: Callable[..., Spool], disk: Disk, error: int, at: int
) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=7)
    disk.error, disk.fail_at = error, len(disk.calls) + at
    with pytest.raises(SpoolError):
        await spool.note(ID, Got((DELIVERED,), 1, 2))
    assert spool.entries[ID].state.pending == {1, 2}
    await spool.note(ID, Got((DEFERRED,), 3, 4))
    spool = reopened()
    assert spool.entries[ID].state.latest == {2: DEFERRED}
    assert spool.aside == 0


async def test_giving_up_that_fails_keeps_it(reopened: Callable[..., Spool], disk: Disk) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=0)
    disk.fail_at = len(disk.calls)
    with pytest.raises(SpoolError):
        await spool.done(ID)
    assert ID in spool.entries
    await spool.done(ID)
    assert not reopened().entries


@pytest.mark.parametrize("use", ["load", "note", "done"])
async def test_a_file_that_somebody_has_removed(
    reopened: Callable[..., Spool], tmp_path: Path, use: str
) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=0)
    (tmp_path / "spool/ef/0123456789abcdef").unlink()
    with capture_logs() as logs:
        if use == "done":
            await spool.done(ID)
        else:
            with pytest.raises(Damaged, match="is gone"):
                await (spool.load(ID) if use == "load" else spool.note(ID, Tried(1, 2)))
    assert [each["event"] for each in logs] == ["somebody has removed a spooled message"]
    assert not spool.entries
    assert files(tmp_path / "spool") == []


@pytest.mark.parametrize("use", ["load", "note", "done"])
async def test_a_disk_that_goes_may_come_back(
    reopened: Callable[..., Spool], tmp_path: Path, use: str
) -> None:
    spool = reopened()
    await spool.put(outgoing(), next_ms=0)
    uses = {
        "load": lambda: spool.load(ID),
        "note": lambda: spool.note(ID, Tried(1, 2)),
        "done": lambda: spool.done(ID),
    }
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    with pytest.raises(SpoolError, match="No such file"):
        await uses[use]()
    assert ID in spool.entries
    (tmp_path / "elsewhere").rename(tmp_path / "spool")
    await uses[use]()
