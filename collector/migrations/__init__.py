"""The store's schema through time: numbered steps, applied when a store is opened."""

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from collector.engine import open_writer
from collector.errors import StoreError

# Alembic keeps the migration it is at in a global: one at a time in a process.
_one_at_a_time = Lock()


def upgrade(path: Path, revision: str = "head") -> None:
    """Brings the database up to today's schema, in one transaction. Blocking: run it in a thread.

    `revision` stops at an earlier schema. Raises StoreError with the mend when the file is no
    database, is locked, or comes from a newer version.
    """
    try:
        with _one_at_a_time:
            _upgrade(path, revision)
    except CommandError as error:
        raise StoreError(
            f"the store {path} was written by a newer letterbell ({error}); "
            "upgrade letterbell, or name another file"
        ) from None
    except DatabaseError as error:
        raise StoreError(f"the store {path} cannot be used: {_mend(str(error.orig))}") from error


def _upgrade(path: Path, revision: str) -> None:
    engine = open_writer(path)
    try:
        with engine.begin() as connection:
            _run(connection, revision)
    finally:
        engine.dispose()


def _run(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _mend(reason: str) -> str:
    if "not a database" in reason:
        return "it is no SQLite database; name another file"
    if "malformed" in reason:
        return "it is damaged; restore it from a backup, or name another file"
    if "locked" in reason:
        return "another process holds it locked; stop that one, then try again"
    return f"{reason}; see to it that its folder is writable and its disk not full"
