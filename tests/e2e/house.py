"""The real processes of an end-to-end test: `letterbell serve`, its commands, its upstream.

Each process is awaited by the lines that it prints; nothing sleeps.
"""

import http.client
import json
import os
import queue
import smtplib
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import trustme
from logs import keep

HERE = Path(__file__).parent
PATIENCE = 30  # seconds that a process may take to say what is waited for
BASE = "https://t.example.com"
PASSWORD = "correct horse battery"
ANA, BOB = "ana@example.com", "bob@example.com"

Event = dict[str, Any]


class Running:
    """A process whose lines on one stream are waited for; `log` is where they are kept."""

    def __init__(
        self,
        *command: str | Path,
        stream: str = "stdout",
        log: IO[str] | None = None,
        **popen: Any,
    ) -> None:
        self._log = log
        pipes = {stream: subprocess.PIPE}
        self.process = subprocess.Popen([*map(str, command)], text=True, **pipes, **popen)
        source: IO[str] | None = getattr(self.process, stream)
        assert source is not None
        self.lines: list[str] = []
        self._news: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._reader.start()

    def _read(self, source: IO[str]) -> None:
        with source, self._log or nullcontext():
            for line in source:
                self.lines.append(line.rstrip("\n"))
                self._news.put(line.rstrip("\n"))
                if self._log:
                    self._log.write(line)
        self._news.put(None)

    def wait_for(self, wanted: Callable[[str], bool]) -> str:
        """The next line that is wanted. Lines before it are taken, and stay in `lines`."""
        while (line := self._news.get(timeout=PATIENCE)) is not None:
            if wanted(line):
                return line
        raise AssertionError(f"it ended with {self.process.wait()}: {self.lines}")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Kept:
    """A mail as the upstream got it."""

    content: bytes
    mail_from: str
    recipients: list[str]
    tls: bool
    login: bool
    dsn: list[str]


class Sink(Running):
    """sink.py; `next_mail` gives the mails in the order in which they came."""

    def __init__(self, folder: Path, *options: str | Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(sys.executable, HERE / "sink.py", folder, *options)
        self.port = int(self.wait_for(str.isdigit))

    def next_mail(self) -> Kept:
        told = json.loads(self.wait_for(lambda line: line.startswith("{")))
        content = Path(told.pop("path")).read_bytes()
        return Kept(content=content, **told)


class Letterbell(Running):
    """`letterbell serve` with the settings given, on ports that the system chooses.

    It logs at DEBUG into a file, in which tests/logs.py finds no secret after the last test.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder = folder
        self.config = folder / "letterbell.toml"
        if not self.config.exists():
            self.config.touch(0o600)
        self.config.write_text(settings)
        super().__init__(
            *letterbell("serve", "--config", self.config),
            stream="stderr",
            log=keep("serve"),
            env=environment() | {"LETTERBELL_LOG__LEVEL": "debug"},
        )
        self.wait_for(lambda line: '"ready"' in line)
        self.http_port = self.events("collector listens")[0]["port"]
        self.smtp_ports = [event["port"] for event in self.events("relay listens")]

    def events(self, name: str) -> list[Event]:
        read = (json.loads(line) for line in self.lines)
        return [event for event in read if event["event"] == name]

    def add_sender(self, login: str, *options: str) -> None:
        run("sender", "add", login, *options, "--password-stdin", config=self.config)

    @contextmanager
    def smtp(self, login: str = ANA, password: str = PASSWORD) -> Iterator[smtplib.SMTP]:
        """A session on the first listener, logged in."""
        with smtplib.SMTP("127.0.0.1", self.smtp_ports[0], timeout=PATIENCE) as client:
            client.login(login, password)
            yield client

    @contextmanager
    def http(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE)
        with closing(connection):
            yield connection

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the store holds."""
        with closing(sqlite3.connect(self.folder / "letterbell.db")) as connection:
            return connection.execute(query, values).fetchall()


def fetch(
    connection: http.client.HTTPConnection, url: str, agent: str = "curl/8.0"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """GETs a URL of the mail from the relay: status, header, body."""
    assert url.startswith(BASE)
    connection.request("GET", url.removeprefix(BASE), headers={"User-Agent": agent})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def letterbell(*arguments: str | Path) -> tuple[str | Path, ...]:
    return (sys.executable, "-m", "relay", *arguments)


def environment() -> dict[str, str]:
    """This process's, without settings of ours."""
    return {k: v for k, v in os.environ.items() if not k.startswith("LETTERBELL_")}


def run(
    *arguments: str | Path, config: Path, stdin: str = PASSWORD + "\n", check: bool = True
) -> subprocess.CompletedProcess[str]:
    """A command of letterbell, to its end."""
    return subprocess.run(
        [*map(str, letterbell(*arguments, "--config", config))],
        input=stdin,
        capture_output=True,
        text=True,
        check=check,
        env=environment(),
        timeout=PATIENCE,
    )


def settings(upstream: str, smtp: str = "") -> str:
    """A config with the tables [upstream] and [smtp] as given, free ports, logs as JSON."""
    listen = '[[smtp.listen]]\naddress = "127.0.0.1"\nport = 0\nallow_plain_auth = true\n'
    return f"""
[upstream]
host = "127.0.0.1"
{upstream}
[smtp]
{smtp or listen}
[http]
port = 0
public_url = "{BASE}"
[tokens]
keys = ["1:{"k" * 43}"]
[log]
format = "json"
"""


@dataclass(frozen=True)
class Certificates:
    """PEM files of a throw-away authority, by default for `localhost` and 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, *names: str, authority: trustme.CA | None = None) -> Self:
        authority = authority or trustme.CA()
        issued = authority.issue_cert(*(names or ("localhost", "127.0.0.1")))
        files = cls(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
        authority.cert_pem.write_to_path(files.authority)
        issued.cert_chain_pems[0].write_to_path(files.certificate)
        issued.private_key_pem.write_to_path(files.key)
        files.key.chmod(0o600)
        return files


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
