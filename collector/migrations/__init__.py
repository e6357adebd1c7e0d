"""The store's schema through time: numbered steps, applied when a store is opened."""

from functools import partial
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from collector.engine import Database, is_foreign
from collector.errors import StoreError

# Alembic keeps the migration it is at in a global: one at a time in a process.
_one_at_a_time = Lock()


def upgrade(database: Database, revision: str = "head") -> None:
    """Brings the database up to today's schema, in one transaction. Blocking: run it in a thread.

    `revision` stops at an earlier schema. Raises StoreError with the mend when it cannot be
    reached, is no database, is locked, or comes from a newer version.
    """
    try:
        with _one_at_a_time:
            database.migrate(partial(_run, revision=revision))
    except CommandError as error:
        raise StoreError(
            f"the store {database.where} was written by a newer letterbell ({error}); "
            "upgrade letterbell, or name another one"
        ) from None
    except Exception as error:
        if not is_foreign(error):
            raise
        raise StoreError(
            f"the store {database.where} cannot be used: {database.mend(error)}"
        ) from error


def _run(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
