"""What kind of disk a folder is on, as Linux says; pure but for one read of /proc."""

import contextlib
import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")


def disk_kind(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The file system's type, such as "ext4" or "tmpfs". None where it is not known.

    Raises OSError where the folder cannot be looked at.
    """
    device = folder.stat().st_dev
    with contextlib.suppress(OSError):  # not Linux
        return find_kind(mounts.read_text(), f"{os.major(device)}:{os.minor(device)}")
    return None


def find_kind(mounts: str, device: str) -> str | None:
    """In the lines of mountinfo (proc_pid_mountinfo(5)), the type of the one on `device`."""
    for line in mounts.splitlines():
        place, _, rest = line.partition(" - ")
        if rest and place.split()[2] == device:
            return rest.split()[0]
    return None
