"""A disk that is full or broken, a database that is locked or broken: the real process."""

import asyncio
import itertools
import os
import smtplib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from e2e.house import PATIENCE, free_port
from faults.ledger import ANA, OK, PASSWORD, Ledger, Programs, Upstream, content
from faults.lives import Lives

LOCKED_SECONDS = float(os.environ.get("LETTERBELL_LOCKED", "0"))


def send(port: int, number: int) -> tuple[int, bytes]:
    """What a program hears of this mail: at DATA's end, or before."""
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.login(ANA, PASSWORD)
        reply = client.mail(ANA)
        if reply[0] == 250:
            client.rcpt(OK.decode())
            reply = client.data(content(number))
        return reply


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def in_thread(port: int, number: int) -> tuple[int, bytes]:
    return await asyncio.to_thread(send, port, number)


@pytest.mark.system
async def test_a_full_disk_is_told_and_recovered_from(
    tmp_path: Path, require_program: Callable[[str], str]
) -> None:
    """Deliveries go on, nothing is taken that cannot be kept, and room is used without restart."""
    require_program("mount")
    ledger, port = Ledger(), free_port()
    with small_disk(tmp_path / "spool", "4m") as disk:
        lives = Lives(tmp_path, port, f'min_free = 0\nspool = "{disk}/spool"\n')
        assert await lives.begin()
        heard = []
        for number in (50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550):  # 440 kB each
            code, words = await in_thread(lives.port, number)
            heard.append(code)
            assert code in (250, 451, 452), words
        assert heard[0] == 250
        assert {451, 452} & set(heard)
        assert heard == sorted(heard), "what is full stays full"
        taken = heard.count(250)
        filler = [path for path in disk.rglob("*") if path.is_file()]
        assert len([path for path in filler if path.parent.name != "new"]) == taken + 1  # the lock
        async with Upstream(ledger).running(port):
            await lives.until_empty()
            code, words = await in_thread(lives.port, 600)
            assert code == 250, words
            await lives.until_empty()
        assert await lives.stop() == 0
    assert ledger.delivered.total() == taken + 1
    assert ledger.wrong == []


@pytest.mark.system
@pytest.mark.parametrize(("call", "error"), [("fsync", "EIO"), ("rename", "ENOSPC")])
async def test_a_call_that_fails_is_a_451_and_no_more(
    tmp_path: Path, require_program: Callable[[str], str], call: str, error: str
) -> None:
    """The database syncs by fdatasync and renames nothing: these are the spool's."""
    ledger, port = Ledger(), free_port()
    lives = Lives(tmp_path, port)
    inject = f"inject={call}:error={error}:when=1"
    tracing = ("-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", inject)
    assert await lives.begin()
    assert await lives.stop() == 0  # its folders are made, and synced
    assert await lives.begin(require_program("strace"), *tracing)
    codes = []
    async with asyncio.timeout(PATIENCE):
        while 250 not in codes:
            code, words = await in_thread(lives.port, 2)  # a mail that this upstream takes at once
            assert code in (250, 451), words
            codes.append(code)
    assert codes[0] == 451
    kept = codes.count(250)
    async with Upstream(ledger).running(port):
        await lives.until_empty()
    await lives.stop()
    assert ledger.delivered.total() == kept
    assert ledger.wrong == []


@pytest.mark.system
@pytest.mark.parametrize(
    ("call", "error", "when"),
    [
        ("fsync", "EIO", "6+5"),
        ("fdatasync", "ENOSPC", "6+5"),
        ("pwrite64", "ENOSPC", "60+7"),  # the database's alone; without its first ones no start
        ("unlink", "EIO", "6+5"),
    ],
)
async def test_a_disk_that_fails_now_and_then_loses_nothing(
    tmp_path: Path, require_program: Callable[[str], str], call: str, error: str, when: str
) -> None:
    """The spool's calls and the database's, in the middle of mail that comes and goes."""
    strace = require_program("strace")
    inject = f"inject={call}:error={error}:when={when}"  # of each thread's
    ledger = Ledger()
    async with Upstream(ledger).running() as upstream:
        lives = Lives(tmp_path, upstream.port)
        assert await lives.begin(
            strace, "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", inject
        )
        programs = Programs(ledger, lives.port, count=5)
        programs.up.set()
        await programs.until_promised(50)
        programs.up.clear()
        assert await lives.stop() == 0
        ledger.expose(await asyncio.to_thread(lives.waiting))
        assert await lives.begin()
        programs.up.set()
        async with asyncio.timeout(PATIENCE):
            await programs.finish()
            await lives.until_empty()
        assert await lives.stop() == 0
    assert ledger.lost() == []
    assert ledger.wrong == []  # no mail was refused, none is another
    assert ledger.unexplained() == {}


@pytest.mark.parametrize("broken", ["locked", "corrupt"])
async def test_without_a_database_mail_flows_untracked(tmp_path: Path, broken: str) -> None:
    ledger = Ledger()
    async with Upstream(ledger).running() as upstream:
        lives = Lives(tmp_path, upstream.port)
        assert await lives.begin()
        assert (await in_thread(lives.port, 1))[0] == 250
        with breaking(tmp_path / "letterbell.db", broken):
            end = asyncio.get_running_loop().time() + LOCKED_SECONDS
            for number in itertools.cycle((2, 4)):  # not those that this upstream defers
                code, words = await in_thread(lives.port, number)
                assert code == 250, words
                if number == 4 and asyncio.get_running_loop().time() >= end:
                    break
            health = await asyncio.to_thread(lives.health)
            assert "store" in health["alarms"]
        if broken == "locked":
            assert (await in_thread(lives.port, 8))[0] == 250
            health = await asyncio.to_thread(lives.health)
            assert health["alarms"] == {}
        await lives.stop()
    assert ledger.tracked[1]
    assert not ledger.tracked[2]
    assert not ledger.tracked[4]
    assert ledger.tracked.get(8, False) == (broken == "locked")


@contextmanager
def breaking(path: Path, how: str) -> Iterator[None]:
    if how == "corrupt":
        for each in path.parent.glob("letterbell.db*"):
            each.write_bytes(b"gone" * 5000)
        yield
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
