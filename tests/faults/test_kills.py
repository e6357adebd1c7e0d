"""SIGKILL at any call that writes, syncs, names, removes or sends: nothing promised is lost.

strace kills the relay at the Nth such call of a thread; the next life has another call and another
N. LETTERBELL_KILLS says how often (make faults: 500).
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.ledger import Ledger, Programs, Upstream
from faults.lives import Lives

KILLS = int(os.environ.get("LETTERBELL_KILLS", "20"))
# A call, and the most of them that a thread makes in a life of a few seconds.
CALLS = {
    "fsync": 12,
    "fdatasync": 60,
    "rename": 8,
    "unlink": 8,
    "write": 400,
    "pwrite64": 120,
    "sendto,sendmsg,writev": 300,
    "ftruncate,lseek": 20,
}
LIFE_SECONDS = 6.0


@pytest.mark.system
async def test_no_mail_is_lost_to_kills(
    tmp_path: Path, require_program: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    strace = require_program("strace")
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    ledger, deaths, by_call = Ledger(), 0, Counter[str]()
    async with Upstream(ledger).running() as upstream:
        lives = Lives(tmp_path, upstream.port)
        programs = Programs(ledger, lives.port)
        while deaths < KILLS:
            call = chance.choice(list(CALLS))
            number = chance.randint(1, CALLS[call])
            inject = f"inject={call}:signal=KILL:when={number}"
            tracing = ("-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", inject)
            if await lives.begin(strace, *tracing):
                programs.up.set()
                died = await lives.end(LIFE_SECONDS)
                by_call[call if died else "time"] += 1
            else:
                by_call[f"{call} at start"] += 1
            programs.up.clear()
            await upstream.quiet()
            ledger.expose(await asyncio.to_thread(lives.waiting))
            deaths += 1
        assert await lives.begin()
        programs.up.set()
        async with asyncio.timeout(300):
            await programs.finish()
            await lives.until_empty()
        assert await lives.stop() == 0
    lives.check_store()
    kills = deaths - by_call["time"]
    with capsys.disabled():
        sys.stderr.write(
            f"\n{deaths} lives (seed {seed}; {kills} killed at a call, {deaths - kills} by time;"
            f" {dict(by_call)}): {len(ledger.promised)} mails"
            f" promised, {len(ledger.lost())} lost, {ledger.duplicates} duplicates"
            f" (upstream dropped {ledger.dropped.total()}, programs resent"
            f" {ledger.resent.total()}, {ledger.exposed.total()} were in flight at a death)\n"
        )
    assert ledger.lost() == []
    assert ledger.wrong == []
    assert ledger.unexplained() == {}
    assert len(ledger.promised) > deaths
