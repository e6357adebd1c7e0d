"""The thread of the connection that writes.

A transaction is one trip there and back, however many statements it has. Through aiosqlite it would
be three or four trips a statement, and before each the loop goes through all else that it has to
do: on a busy collector most of a transaction's time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

T = TypeVar("T")


class WriteThread:
    """Has one connection, which lasts until it is dropped. One call at a time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "store writer")

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """What `call(connection, *args)` returns or raises, there."""
        return await self._in_thread(self._run, call, *args)

    async def drop(self) -> None:
        """Lets go of a connection that failed; the next call opens a new one."""
        await self._in_thread(self._drop)

    async def close(self) -> None:
        """Ends the thread, and lets go of the database."""
        await self.drop()
        self._thread.shutdown(wait=False)
        self.engine.dispose()

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    def _run(self, call: Callable[..., T], *args: Any) -> T:
        if self._connection is None:
            self._connection = self.engine.connect()
        return call(self._connection, *args)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()
