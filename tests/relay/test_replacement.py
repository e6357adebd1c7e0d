"""A file is replaced whole, or stays as it was."""

import os
import stat
from pathlib import Path

import pytest

from relay.replacement import replace_text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("before")
    path.chmod(0o640)
    return path


def test_mode_and_owner_stay(file: Path) -> None:
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    before = file.stat()
    replace_text(file, "after\r\n\u00e9")
    now = file.stat()
    assert file.read_bytes() == "after\r\n\u00e9".encode()
    assert stat.S_IMODE(now.st_mode) == 0o640
    assert (now.st_uid, now.st_gid) == (before.st_uid, before.st_gid)
    assert now.st_ino != before.st_ino
    assert [each.name for each in file.parent.iterdir()] == ["secret"]


def test_a_link_stays_one(file: Path) -> None:
    link = file.parent / "folder" / "link"
    link.parent.mkdir()
    link.symlink_to(file)
    replace_text(link, "after")
    assert link.is_symlink()
    assert file.read_text() == "after"


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_whatever_fails_the_file_stays(
    file: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if call == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        replace_text(file, "after")
    assert file.read_text() == "before"
    assert [each.name for each in file.parent.iterdir()] == ["secret"]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_text(tmp_path / "none", "after")
    assert list(tmp_path.iterdir()) == []
