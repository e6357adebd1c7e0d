"""What SIGHUP asks for, without a signal; with one: tests/e2e/test_tls.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
from relays import PATIENCE, until

from relay.problems import ConfigError, Problem
from relay.reloading import Reloading


class Part:
    """Something that is read again, as often as it is told; or cannot be."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.reads = 0
        self._error = error

    async def reload(self) -> dict[str, object]:
        self.reads += 1
        self.begun.set()
        await self.go_on.wait()
        if self._error:
            raise self._error
        return {"reads": self.reads}


@asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[Reloading]:
    reloading = Reloading()
    for number, part in enumerate(parts, 1):
        reloading.add(f"part {number}", part.reload)
    task = asyncio.create_task(reloading.run())
    async with asyncio.timeout(PATIENCE):
        yield reloading
    task.cancel()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ConfigError(None, Problem("smtp.certificate", "is none")),
            {"problem": "smtp.certificate: is none", "mend": "mend it, then send SIGHUP"},
        ),
        (OSError("a fault of ours"), {}),
    ],
)
async def test_a_part_that_cannot_be_read_stops_no_other(
    error: Exception, told: dict[str, str]
) -> None:
    bad, good = Part(error), Part()
    bad.go_on.set()
    with structlog.testing.capture_logs() as logs:
        async with running(bad, good) as reloading:
            for number in (1, 2):  # and it may be asked again
                good.begun.clear()
                good.go_on.clear()
                reloading.ask()
                await good.begun.wait()
                good.go_on.set()
                await until(lambda: len(logs) == 2 * number)  # noqa: B023 - awaited at once
    assert [event.pop("event") for event in logs] == ["part 1 not reloaded", "part 2 reloaded"] * 2
    assert told.items() <= logs[0].items()
    assert logs[3] == {"log_level": "info", "reads": 2}


async def test_who_asks_meanwhile_gets_one_more() -> None:
    part = Part()
    async with running(part) as reloading:
        reloading.ask()
        await part.begun.wait()
        part.begun.clear()
        for _ in range(3):
            reloading.ask()
        part.go_on.set()
        await part.begun.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert part.reads == 2
