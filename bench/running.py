"""What is measured: a sink, and `letterbell serve` with a store and senders of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PASSWORD = "correct horse battery"
TRACKED, UNTRACKED = "tracked@example.com", "untracked@example.com"
TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """
[smtp]
{limits}
[[smtp.listen]]
port = {smtp}
allow_plain_auth = true
[upstream]
host = "127.0.0.1"
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


@contextmanager
def sink(port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, HERE / "sink.py", str(port)])
    try:
        wait_for(port)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def relay(
    folder: Path, ports: list[int], *, connections: int = 10, limits: str = ""
) -> Iterator[int]:
    """A relay at the last two of three ports (SMTP, HTTP), its sink at the first; its process id.

    `connections` go upstream at most, `limits` are lines of [smtp].
    """
    config = folder / "letterbell.toml"
    config.touch(0o600)
    config.write_text(
        CONFIG.format(
            sink=ports[0],
            smtp=ports[1],
            http=ports[2],
            key="k" * 43,
            connections=connections,
            limits=limits,
        )
    )
    command = [sys.executable, "-m", "relay"]
    for login, toggles in ((TRACKED, []), (UNTRACKED, ["--no-opens", "--no-clicks"])):
        add = ["sender", "add", login, "--address", "ana@example.com", "--password-stdin"]
        subprocess.run(
            [*command, *add, *toggles, "--config", str(config)],
            input=PASSWORD + "\n",
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with (folder / "log").open("w") as log:
        serve = [*command, "serve", "--config", str(config)]
        process = subprocess.Popen(serve, stderr=log)
        try:
            wait_for(ports[1])
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid: int, which: str) -> int:
    """A process's memory: "RSS" now, "HWM" at its highest."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith(f"Vm{which}:")]
    return int(line.split()[1]) // 1024


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nothing listens on port {port}")
