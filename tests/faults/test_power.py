"""A power cut after a random 250: what was promised is there, whole, and the database is sound.

The site lies on an ext4 of its own on a loop device. Its shutdown ioctl (EXT4_IOC_SHUTDOWN, without
a flush) throws away what was not synced, as a power cut would: the page cache is of no help, which
it is to a process that is killed. LETTERBELL_CUTS says how often (make faults: 50).
"""

import asyncio
import fcntl
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e.house import free_port
from faults.ledger import Ledger, Programs, Upstream
from faults.lives import Lives

CUTS = int(os.environ.get("LETTERBELL_CUTS", "3"))
SHUTDOWN, NO_FLUSH = 0x8004587D, struct.pack("I", 2)


@contextmanager
def loop_device(image: Path) -> Iterator[str]:
    """The image as a block device."""
    found = subprocess.run(
        ["losetup", "--find", "--show", image], check=True, capture_output=True, text=True
    )
    device = found.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@contextmanager
def mounted(device: str, folder: Path) -> Iterator[Path]:
    subprocess.run(["mount", device, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def cut_power(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, NO_FLUSH)
    finally:
        os.close(descriptor)


@pytest.mark.system
async def test_no_mail_is_lost_to_a_power_cut(
    tmp_path: Path, require_program: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    for program in ("mkfs.ext4", "losetup", "mount", "umount"):
        require_program(program)
    image, folder = tmp_path / "disk", tmp_path / "site"
    with image.open("wb") as file:
        file.truncate(256 * 2**20)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", image], check=True)  # noqa: ASYNC221 - nothing else runs
    ledger, chance = Ledger(), random.Random()
    port = free_port()  # nobody is there until the end: all mail is spooled
    with loop_device(image) as device:
        with mounted(device, folder):
            lives = Lives(folder, port, "min_free = 0\n", log=tmp_path / "serve.log")
            os.sync()
        programs = Programs(ledger, lives.port, count=4)
        for _ in range(CUTS):
            with mounted(device, folder):
                lives.check_store()
                assert await lives.begin()
                programs.up.set()
                await programs.until_promised(len(ledger.promised) + chance.randint(1, 40))
                cut_power(folder)
                programs.up.clear()
                await lives.end(0)
        with mounted(device, folder):
            async with Upstream(ledger).running(port):
                assert await lives.begin()
                programs.up.set()
                async with asyncio.timeout(200):
                    await programs.finish()
                    await lives.until_empty()
                assert await lives.stop() == 0
            lives.check_store()
    with capsys.disabled():
        sys.stderr.write(
            f"\n{CUTS} power cuts: {len(ledger.promised)} mails promised,"
            f" {len(ledger.lost())} lost, {ledger.duplicates} duplicates"
            f" (upstream dropped {ledger.dropped.total()}, programs resent"
            f" {ledger.resent.total()})\n"
        )
    assert ledger.lost() == []
    assert ledger.wrong == []  # none is truncated
    # A file whose name could not be synced any more is not promised, and yet may be there after the
    # cut (spool.py): its program has sent it again.
    assert ledger.unexplained().keys() <= ledger.put_off
