"""Haraka, one process: it forwards while the client waits (queue/smtp_forward), plain or with a
plugin of ours that rewrites (tracking.js)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from running import free_ports, started

from peers import modules
from peers.server import Server

HERE = Path(__file__).parent
# Over the files that it comes with.
CONFIG = {
    "me": "peer.example.com\n",
    "smtp.ini": "listen=127.0.0.1:{port}\n",
    "smtp_forward.ini": "host=127.0.0.1\nport={next_hop}\n",
    "log.ini": "level=notice\nformat=default\n",
    "host_list": "example.org\n",
    "plugins": "{plugins}\n",
}
PLUGINS = ("rcpt_to.in_host_list", "queue/smtp_forward")


@contextmanager
def plain(folder: Path, next_hop: int, connections: int) -> Iterator[Server]:
    with _running(folder, next_hop, PLUGINS) as server:
        yield server


@contextmanager
def rewriting(folder: Path, next_hop: int, connections: int) -> Iterator[Server]:
    (folder / "plugins").mkdir()
    shutil.copy(HERE / "tracking.js", folder / "plugins")
    with _running(folder, next_hop, ("tracking", *PLUGINS)) as server:
        yield server


@contextmanager
def _running(folder: Path, next_hop: int, plugins: tuple[str, ...]) -> Iterator[Server]:
    node = modules.node()
    [port] = free_ports(1)
    home = modules.HOME / "node_modules" / "Haraka"
    shutil.copytree(home / "config", folder / "config")
    for name, text in CONFIG.items():
        values = {"port": port, "next_hop": next_hop, "plugins": "\n".join(plugins)}
        (folder / "config" / name).write_text(text.format(**values))
    with started([node, home / "bin" / "haraka", "-c", folder], port, folder / "log") as pid:
        yield Server(port, pid)
