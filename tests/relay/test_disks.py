"""What kind of disk a folder is on."""

from pathlib import Path

from relay.disks import disk_kind, find_kind

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 22 0:22 / /dev/shm rw,nosuid - tmpfs tmpfs rw
26 22 0:23 /a\\040b /mnt/a\\040b rw shared:4 master:2 - overlay overlay rw,lowerdir=/x - y
"""


def test_mounts_are_read() -> None:
    assert find_kind(MOUNTS, "254:0") == "ext4"
    assert find_kind(MOUNTS, "0:22") == "tmpfs"
    assert find_kind(MOUNTS, "0:23") == "overlay"
    assert find_kind(MOUNTS, "0:2") is None
    assert find_kind("what is this\n", "0:22") is None


def test_a_machine_that_does_not_say(tmp_path: Path) -> None:
    assert disk_kind(tmp_path, tmp_path / "no such file") is None


def test_a_machine_that_does(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 {device >> 8 & 0xFFF}:{device & 0xFF} / / rw - xfs /dev/x rw\n")
    assert disk_kind(tmp_path, mounts) == "xfs"
