"""What a running site reads again when it is asked to (SIGHUP): part by part, whole or not at all.

A part reads, checks, and only then takes the place of the old one; one that cannot be used is told
of, the old one stays, and the other parts are read all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from relay.problems import ConfigError

log = structlog.get_logger()

# Reads its part again; what it tells of the new one is logged. Raises ConfigError: nothing changed.
Reload = Callable[[], Awaitable[Mapping[str, object]]]


class Reloading:
    """The parts, read in the order in which they were added."""

    def __init__(self) -> None:
        self._parts: dict[str, Reload] = {}
        self._asked = asyncio.Event()

    def add(self, name: str, reload: Reload) -> None:
        """One more part; the log calls it so."""
        self._parts[name] = reload

    def ask(self) -> None:
        """For a reload soon. Who asks during one is given another after it."""
        self._asked.set()

    async def run(self) -> None:
        """Reloads whenever it is asked to, until it is cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            for name, reload in self._parts.items():
                await _reload(name, reload)


async def _reload(name: str, reload: Reload) -> None:
    try:
        told = await reload()
    except ConfigError as error:
        log.error(f"{name} not reloaded", problem=str(error), mend="mend it, then send SIGHUP")
    except Exception as error:  # the site goes on with what it has
        log.error(f"{name} not reloaded", exc_info=error)
    else:
        log.info(f"{name} reloaded", **told)
