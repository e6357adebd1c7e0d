"""Which database a URL names."""

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from collector.engine import Database
from collector.errors import StoreError
from collector.postgres import Postgres
from collector.sqlite import SQLite


def find_database(url: str) -> Database:
    """The database at "sqlite:///PATH" or "postgresql://USER:PASSWORD@HOST/NAME".

    Raises StoreError with the mend for a URL that names none; it tells no password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise StoreError(
            "the store's url is none; write sqlite:///path/to/letterbell.db, or "
            "postgresql://user:password@host/letterbell (in a password, write @ : / ? # % as "
            "%40 %3A %2F %3F %23 %25)"
        ) from None
    if parsed.drivername == "sqlite":
        return SQLite(parsed)
    if parsed.drivername == "postgresql":
        return Postgres(parsed)
    raise StoreError(
        f"the store's url names {parsed.drivername!r}; "
        "it can be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
    )
