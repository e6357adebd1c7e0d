"""The relay's lives: `letterbell serve`, started again and again on the same folder."""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from e2e.house import PATIENCE, environment, free_port, run
from faults.ledger import ANA, OK, PASSWORD, number_of

from relay.spoolfile import PREAMBLE, DamagedFile, read_log, read_preamble


class Lives:
    """One site. Its doors stay the same from life to life."""

    def __init__(
        self, folder: Path, upstream: int, settings: str = "", *, log: Path | None = None
    ) -> None:
        self.folder = folder
        self._log = log or folder / "serve.log"
        self.port = free_port()
        self.http_port = free_port()
        self.process: asyncio.subprocess.Process | None = None
        self.config = folder / "letterbell.toml"
        self.config.touch(0o600)
        self.config.write_text(
            f'[upstream]\nhost = "127.0.0.1"\nport = {upstream}\ntls = "none"\n'
            f'[http]\nport = {self.http_port}\npublic_url = "https://t.example.com"\n'
            f'[tokens]\nkeys = ["1:{"k" * 43}"]\n[log]\nformat = "json"\n'
            f'[[smtp.listen]]\naddress = "127.0.0.1"\nport = {self.port}\nallow_plain_auth = true\n'
            f"[delivery]\nretry_first = 0.2\nretry_longest = 0.2\n{settings}"
        )
        run("sender", "add", ANA, "--password-stdin", config=self.config, stdin=PASSWORD + "\n")

    async def begin(self, *before: str, **environ: str) -> bool:
        """A life, with words like strace's before its command; whether it lived to be ready."""
        command = [*before, sys.executable, "-m", "relay", "serve", "--config", str(self.config)]
        self.process = await asyncio.create_subprocess_exec(
            *command, stderr=asyncio.subprocess.PIPE, env=environment() | environ
        )
        assert self.process.stderr
        ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read(self.process.stderr, ready))
        born = asyncio.create_task(ready.wait())
        await asyncio.wait({born, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        born.cancel()
        if not ready.is_set():
            await self.process.wait()
        return ready.is_set()

    async def _read(self, stream: asyncio.StreamReader, ready: asyncio.Event) -> None:
        with self._log.open("ab") as log:
            while line := await stream.readline():
                log.write(line)
                if b'"ready"' in line:
                    ready.set()

    async def end(self, seconds: float) -> bool:
        """Waits for its death, or brings it about; whether it died by itself."""
        assert self.process
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            return False
        finally:
            await self._reading
        return True

    async def stop(self) -> int:
        assert self.process
        self.process.terminate()
        code = await self.process.wait()
        await self._reading
        return code

    def queue(self, *words: str) -> str:
        return run("queue", *words, config=self.config, check=False).stdout

    async def until_empty(self) -> None:
        """Until nothing waits in the spool; what the kills had held is released."""
        while entries := await asyncio.to_thread(self.queue, "list", "--json"):
            if any(json.loads(line)["state"] == "held" for line in entries.splitlines()):
                await asyncio.to_thread(self.queue, "retry", "--all")
            await asyncio.sleep(0.2)

    def waiting(self) -> list[int]:
        """The numbers of the mails in the spool that OK is still to get."""
        numbers = []
        for path in (self.folder / "spool").glob("[0-9a-f][0-9a-f]/*"):
            octets = path.read_bytes()
            with suppress(DamagedFile):  # nobody was promised what is not whole
                size = read_preamble(octets[:PREAMBLE])
                entry, _ = read_log(octets[PREAMBLE + size :], size)
                to = [
                    each.address for each in entry.recipients if each.ordinal in entry.state.pending
                ]
                if OK in to:
                    numbers.append(number_of(octets[PREAMBLE:]))
        return numbers

    def check_store(self) -> None:
        with closing(sqlite3.connect(self.folder / "letterbell.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def health(self) -> dict[str, Any]:
        with closing(HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/health")
            told = json.loads(connection.getresponse().read())
        assert isinstance(told, dict)
        return told
