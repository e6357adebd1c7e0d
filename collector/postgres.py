"""PostgreSQL: for a site whose data are to be on a server of their own. Needs the extra `postgres`.

One connection writes and a few read, as with SQLite. Whoever writes from another process is locked
out row by row, not file by file, so that what reads and then writes must lock what it has read.
Mail leaves a machine in no clear connection: a host that is not this one has to prove its name.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from collector.engine import OPTIONS, cause_of, say
from collector.errors import StoreError

READERS = 5
CONNECT_SECONDS = 5.0
LOCK_SECONDS = 1.0  # how long the server waits for another process's lock
WRITE_SECONDS = 10.0  # how long a statement of the writer may take there
READ_SECONDS = 60.0  # the same of a reader: a search goes through all messages
MIGRATE_LOCK_SECONDS = 60.0  # how long one process waits for another's migration
GRACE_SECONDS = 5.0  # how much later an answer that never comes is given up
PORT = 5432
SOCKETS = "/run/postgresql"  # where Debian's server has its socket
_MIGRATION_LOCK = 0x6C6574746572626C  # any number that is ours: "letterbl"
_PARAMETERS = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey")
_MODES = ("disable", "require", "verify-ca", "verify-full")

T = TypeVar("T")


class Postgres:
    """A database on a server, by "postgresql://USER:PASSWORD@HOST:PORT/NAME?sslmode=MODE"."""

    def __init__(self, url: URL) -> None:
        """Raises StoreError for what cannot be, with the mend. Reads certificates."""
        if find_spec("asyncpg") is None:
            raise StoreError("PostgreSQL needs asyncpg: pip install 'letterbell[postgres]'")
        query = _read_query(url.query)
        self._host = query.get("host") or url.host or SOCKETS
        self._port = url.port or PORT
        self._user = url.username
        if not url.database:
            raise StoreError("the store's url names no database: postgresql://user@host/letterbell")
        self._name = url.database
        self.where = str(URL.create("postgresql", self._user, None, self._host, url.port))
        self.where = f"{self.where}/{self._name}"
        self.doubt = None if _is_here(self._host) else _DOUBTS.get(query.get("sslmode", ""))
        self.arguments: Mapping[str, Any] = {
            "host": self._host,
            "port": self._port,
            "user": self._user,
            "password": url.password,
            "database": self._name,
            "ssl": _security(self._host, query),
            "timeout": CONNECT_SECONDS,
        }

    def migrate(self, call: Callable[[Connection], None]) -> None:
        """Runs it behind a lock that only migrations take; the database must be there."""
        asyncio.run(self._migrate(call))  # in a loop of its own: it blocks

    def mend(self, error: Exception) -> str:
        """Why it could not be opened, and what to do."""
        cause, reason = cause_of(error), say(error)
        if words := _BY_STATE.get(str(getattr(cause, "sqlstate", None))):
            return words.format(reason=reason, name=self._name, user=self._user or "USER")
        if isinstance(cause, socket.gaierror):
            return f"there is no host {self._host!r} ({reason}); see store.url"
        if isinstance(cause, ssl.SSLError):
            return f"{reason}; see sslmode and sslrootcert in docs/store.md"
        if "SSL upgrade" in reason:
            return f"{reason}; turn on TLS there, or see sslmode in docs/store.md"
        if isinstance(cause, OSError):
            at = f"{self._host} port {self._port}"
            return f"nobody answers at {at} ({reason}); start the server, or see store.url"
        return reason

    def open_writer(self) -> "Writing":
        """The connection that writes."""
        return Writing(
            self._open(1, WRITE_SECONDS, {"idle_in_transaction_session_timeout": _spell(60)})
        )

    def open_readers(self) -> AsyncEngine:
        """The engine of the reading connections."""
        engine = self._open(
            READERS,
            READ_SECONDS,
            {"default_transaction_read_only": "on"},
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        return engine

    async def connect(self) -> Any:
        """A connection by asyncpg alone, and for as long as it takes. Raises what asyncpg does."""
        asyncpg: Any = import_module("asyncpg")  # an extra, so not at the top
        settings = {"application_name": "letterbell", "lock_timeout": _spell(LOCK_SECONDS)}
        return await asyncpg.connect(**self.arguments, server_settings=settings)

    async def _migrate(self, call: Callable[[Connection], None]) -> None:
        lock = {"lock_timeout": _spell(MIGRATE_LOCK_SECONDS)}
        engine = self._open(1, 0, lock)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(self._check)
                await connection.execute(_LOCK, {"key": _MIGRATION_LOCK})
                await connection.run_sync(call)
        finally:
            await engine.dispose()

    def _check(self, connection: Connection) -> None:
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise StoreError(
                f"the store {self.where} is in {encoding}, which has not all letters; make another:"
                f" CREATE DATABASE {self._name} ENCODING 'UTF8' TEMPLATE template0"
            )

    def _open(
        self, size: int, seconds: float, settings: Mapping[str, str], **options: Any
    ) -> AsyncEngine:
        """An engine of so many connections, whose statements may take so long; 0: for ever."""
        told = {
            "application_name": "letterbell",
            "jit": "off",
            "lock_timeout": _spell(LOCK_SECONDS),
            "statement_timeout": _spell(seconds),
            **settings,
        }
        arguments = {
            **self.arguments,
            "server_settings": told,
            "command_timeout": seconds + GRACE_SECONDS if seconds else None,
        }
        return create_async_engine(
            URL.create("postgresql+asyncpg"),
            **OPTIONS,
            **options,
            connect_args=arguments,
            pool_size=size,
        )


class Writing:
    """The one connection that writes, as write_thread.py has it of SQLite; in the loop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._driver: Any = None  # asyncpg's connection, in it

    @property
    def engine(self) -> Engine:
        """What it is a connection of."""
        return self._engine.sync_engine

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """What `call(connection, *args)` returns or raises."""
        if self._driver is not None and self._driver.is_closed():  # the server went and came
            await self.drop()
        if self._connection is None:
            self._connection = await self._engine.connect()
            self._driver = (await self._connection.get_raw_connection()).driver_connection
        return await self._connection.run_sync(call, *args)

    async def drop(self) -> None:
        """Lets go of a connection that failed; the next call opens a new one."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            with suppress(Exception):  # it failed already: whatever it says now is no news
                await connection.invalidate()
                await connection.close()

    async def close(self) -> None:
        """Lets go of the database."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                await connection.close()
        await self._engine.dispose()


def _read_query(query: Mapping[str, Any]) -> dict[str, str]:
    for name, value in query.items():
        if name not in _PARAMETERS or not isinstance(value, str):
            raise StoreError(
                f"the store's url has {name!r} behind its '?', once or more; it may have one each "
                f"of {', '.join(_PARAMETERS)}"
            )
    return dict(query)


def _security(host: str, query: Mapping[str, str]) -> ssl.SSLContext | bool:
    """How the connection is protected: as sslmode says, else by where the host is.

    Modes are libpq's (its manual, "SSL Support"); those that may fall back to plain are refused.
    """
    mode = query.get("sslmode") or ("disable" if _is_here(host) else "verify-full")
    if mode not in _MODES:
        raise StoreError(f"the store's url has sslmode={mode}; it can be {', '.join(_MODES)}")
    if mode == "disable":
        return False
    try:
        context = ssl.create_default_context(cafile=query.get("sslrootcert"))
        if certificate := query.get("sslcert"):
            context.load_cert_chain(certificate, query.get("sslkey"))
    except (OSError, ssl.SSLError) as error:
        raise StoreError(
            f"a certificate or key of the store's url cannot be read ({error}); see sslrootcert, "
            "sslcert and sslkey: they are paths of PEM files"
        ) from None
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_here(host: str) -> bool:
    """Whether what is said to it never leaves this machine."""
    try:
        return host.startswith("/") or host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_closed(connection: Any, record: object, proxy: object) -> None:
    """A connection that broke while nobody used it is replaced before somebody does."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _spell(seconds: float) -> str:
    """As PostgreSQL takes a time."""
    return f"{int(seconds * 1000)}ms"


# What is weak about the way to another machine; None where nothing is.
_DOUBTS = {
    "disable": "what is asked and answered crosses the network in clear: sslmode=verify-full",
    "require": "any server is believed that speaks TLS: sslmode=verify-full",
    "verify-ca": "any server of these authorities is believed: sslmode=verify-full",
}
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_WRONG_LOGIN = "it lets {user!r} not in ({reason}); see the user and password of store.url"
_BY_STATE = {
    "28P01": _WRONG_LOGIN,
    "28000": _WRONG_LOGIN,
    "3D000": "there is no such database; on the server, "
    "CREATE DATABASE {name} OWNER {user} ENCODING 'UTF8' TEMPLATE template0",
    "42501": "{user!r} may not make tables there ({reason}); on the server, "
    "ALTER DATABASE {name} OWNER TO {user}",
    "53300": "it has too many connections ({reason}); raise its max_connections",
    "57P03": "it is starting or stopping ({reason}); try again",
    "55P03": "another process holds its tables locked; see what that does, then try again",
}
