"""A relay of node's smtp-server and nodemailer, the programs that most of node's mail goes by."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from running import free_ports, started

from peers import modules
from peers.server import Server

HERE = Path(__file__).parent


@contextmanager
def forwarding(folder: Path, next_hop: int, connections: int) -> Iterator[Server]:
    """It forwards while the client waits, over a pool of connections."""
    node = modules.node()
    [port] = free_ports(1)
    command = [node, HERE / "forward.js", modules.HOME, port, next_hop, connections]
    with started(command, port, folder / "log") as pid:
        yield Server(port, pid)
