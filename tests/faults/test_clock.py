"""A wall clock that jumps while mail is queued, or over a restart: nothing ends early or stays."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.house import free_port
from faults.ledger import Ledger, Upstream
from faults.lives import Lives
from faults.test_disk import in_thread

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.mark.system
@pytest.mark.parametrize(
    ("jump", "restart"), [("+1h", False), ("-2h", True), ("+30d", False), ("+30d", True)]
)
async def test_a_clock_that_jumps_costs_no_mail(
    tmp_path: Path, jump: str, restart: bool, require_program: Callable[[str], str]
) -> None:
    require_program("faketime")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    faked = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    ledger, port = Ledger(), free_port()
    lives = Lives(tmp_path, port)
    assert await lives.begin(**faked)
    for number in (1, 2, 4):
        assert (await in_thread(lives.port, number))[0] == 250
    clock.write_text(f"{jump}\n")
    if restart:
        assert await lives.stop() == 0
        assert await lives.begin(**faked)
    assert (await in_thread(lives.port, 8))[0] == 250
    async with Upstream(ledger).running(port), asyncio.timeout(60):
        await lives.until_empty()
    assert await lives.stop() == 0
    assert sorted(ledger.delivered.elements()) == [1, 2, 4, 8]
    assert not ledger.reported
