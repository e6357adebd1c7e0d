"""What is measured: a sink, and `letterbell serve` with a store and senders of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PASSWORD = "correct horse battery"
# Senders, and what they were added with.
TRACKED, UNTRACKED, EACH = "tracked@example.com", "untracked@example.com", "each@example.com"
SENDERS = {TRACKED: [], UNTRACKED: ["--no-opens", "--no-clicks"], EACH: ["--per-recipient"]}
COMMAND = [sys.executable, "-m", "relay"]

CONFIG = """
[smtp]
{limits}
[[smtp.listen]]
port = {smtp}
allow_plain_auth = true
[upstream]
host = "{host}"
port = {sink}
tls = "none"
connections = {connections}
[http]
port = {http}
public_url = "https://t.example.com"
[tokens]
keys = ["1:{key}"]
[log]
format = "json"
"""
# Lines of [smtp] for more connections than one machine has mostly.
CROWDED = "max_connections = 5000\nmax_connections_per_address = 5000"
SPOOLED = """
from relay import cli, delivery
delivery.MAX_INLINE_COPIES = 0
cli.main()
"""


@contextmanager
def sink(
    port: int,
    *,
    address: str = "127.0.0.1",
    pipelining: bool = True,
    within: Sequence[str] = (),
) -> Iterator[None]:
    """A sink; `within` are words before its command, such as those of another network."""
    options = ["--address", address, *([] if pipelining else ["--no-pipelining"])]
    process = subprocess.Popen(
        [*within, sys.executable, str(HERE / "sink.py"), str(port), *options]
    )
    try:
        wait_for(port, address)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def relay(
    folder: Path,
    ports: list[int],
    *,
    connections: int = 10,
    limits: str = "",
    spooled: bool = False,
    upstream: str = "127.0.0.1",
) -> Iterator[int]:
    """A relay at the last two of three ports (SMTP, HTTP), its sink at the first; its process id.

    `connections` go upstream at most, `limits` are lines of [smtp], `upstream` is where the sink
    is. With `spooled` each mail goes as one of many copies does: to the disk first, to upstream
    once its client has its answer.
    """
    config = write_config(folder, ports, connections=connections, limits=limits, upstream=upstream)
    add_senders(config)
    command = [sys.executable, "-c", SPOOLED] if spooled else COMMAND
    with started([*command, "serve", "--config", config], ports[1], folder / "log") as pid:
        yield pid


def write_config(
    folder: Path,
    ports: list[int],
    *,
    connections: int = 10,
    limits: str = "",
    upstream: str = "127.0.0.1",
) -> Path:
    config = folder / "letterbell.toml"
    config.touch(0o600)
    config.write_text(
        CONFIG.format(
            host=upstream,
            sink=ports[0],
            smtp=ports[1],
            http=ports[2],
            key="k" * 43,
            connections=connections,
            limits=limits,
        )
    )
    return config


def add_senders(config: Path) -> None:
    for login, toggles in SENDERS.items():
        add = ["sender", "add", login, "--address", "ana@example.com", "--password-stdin"]
        subprocess.run(
            [*COMMAND, *add, *toggles, "--config", str(config)],
            input=PASSWORD + "\n",
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def serving(config: Path, port: int) -> Iterator[int]:
    """`letterbell serve` from when it listens on the port; its process id. Its log: beside."""
    with started([*COMMAND, "serve", "--config", config], port, config.parent / "log") as pid:
        yield pid


@contextmanager
def started(command: Sequence[object], port: int, log: Path) -> Iterator[int]:
    """A server's process id, once it listens; what it prints goes to a file."""
    with log.open("w") as lines:
        process = subprocess.Popen([*map(str, command)], stdout=lines, stderr=lines)
        try:
            wait_for(port)
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def wait_for(port: int, address: str = "127.0.0.1") -> None:
    for _ in range(200):
        try:
            socket.create_connection((address, port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nothing listens on {address} port {port}")
