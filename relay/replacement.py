"""A file whose text is replaced, whole or not at all, whatever dies meanwhile."""

import os
import tempfile
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Keeps the file's mode and owner; on the disk when it returns. Raises OSError, then nothing
    has changed. Of a symbolic link the file behind it is replaced."""
    path = path.resolve(strict=True)
    was = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(file.fileno(), was.st_mode & 0o7777)
            now = os.fstat(file.fileno())
            if (now.st_uid, now.st_gid) != (was.st_uid, was.st_gid):
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
