"""Where mails to explain are found, and how one is read: never more than one at a time."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click

STANDARD_INPUT = Path("-")
CHUNK = 65_536


class Unread(Exception):  # noqa: N818 - told to a person, who may go on
    """A mail that cannot be read; `reason` says why, with the mend where there is one."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{name_of(path)} {reason}")
        self.path = path
        self.reason = reason


def find_mails(paths: Iterable[Path], tell: Callable[[Unread], None]) -> Iterator[Path]:
    """The files among `paths`, and all regular files in its folders: those of a folder by name,
    then those of the folders in it. `tell` hears of folders that cannot be opened."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, files in os.walk(path, onerror=lambda error: tell(_unopened(error))):
            folders.sort()
            found = (Path(folder, name) for name in sorted(files))
            yield from (file for file in found if file.is_file())


def read_mail(path: Path, limit: int) -> bytes:
    """The bytes of a file, or of standard input for "-": at most `limit`. Raises Unread."""
    try:
        if path == STANDARD_INPUT:
            raw = _read(sys.stdin.buffer, limit)
        else:
            with path.open("rb") as file:
                raw = _read(file, limit)
    except OSError as error:
        raise Unread(path, f"cannot be read: {error.strerror}") from None
    if not raw:
        raise Unread(path, "is empty: there is no mail in it")
    if len(raw) > limit:
        raise Unread(path, f"is larger than smtp.max_size, {limit:,} bytes: the relay refuses it")
    return raw


def _read(file: BinaryIO, limit: int) -> bytes:
    """All there is, or a little more than `limit`. Asked for as much at once, Python would make
    room for it, however small the file."""
    chunks, size = [], 0
    while size <= limit and (chunk := file.read(CHUNK)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def name_of(path: Path) -> str:
    """A path for people, whatever bytes it has."""
    return "standard input" if path == STANDARD_INPUT else click.format_filename(path)


def _unopened(error: OSError) -> Unread:
    return Unread(Path(error.filename), f"cannot be opened: {error.strerror}")
