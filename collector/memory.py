"""What is remembered of rows, within bounds, so that not every mail asks the store again."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from collector.errors import StoreUnavailable

ROW_SECONDS = 5.0
MAX_REMEMBERED = 10_000

K = TypeVar("K")
V = TypeVar("V")


class Rows(Generic[K, V]):
    """Rows by key, each read again after five seconds: what other processes change shows soon.

    While the store is away, a row that is known stays known, so mail goes on.
    """

    def __init__(self, read: Callable[[K], Awaitable[V | None]]) -> None:
        self._read = read
        self._rows: dict[K, tuple[float, V]] = {}
        self._generation = 0

    async def get(self, key: K) -> V | None:
        """The row, None where there is none. Raises StoreUnavailable for one that is not known."""
        read_at, row = self._rows.get(key, (0.0, None))
        if row is not None and time.monotonic() - read_at < ROW_SECONDS:
            return row
        generation = self._generation
        try:
            found = await self._read(key)
        except StoreUnavailable:
            if row is None:
                raise
            return row
        if found is None:
            self._rows.pop(key, None)
        elif generation == self._generation:  # nothing was changed here meanwhile
            remember(self._rows, key, (time.monotonic(), found))
        return found

    def forget(self) -> None:
        """Something was changed here: it shows at once."""
        self._generation += 1
        self._rows.clear()


def remember(memory: dict[K, V], key: K, value: V) -> None:
    """Puts it in; a memory that is full begins anew."""
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[key] = value
