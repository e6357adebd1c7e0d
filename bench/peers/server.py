"""What all peers have in common: how one is started, and what is known of it then."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path


class Missing(Exception):  # noqa: N818 - named for what happened
    """A program that a peer needs is not on this machine; the text says how it gets there."""


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server that runs: its port, and the process that all of its others are below."""

    port: int
    pid: int


# Takes a folder of its own, the port of the next hop, and how many connections come and may go
# there at once. Raises Missing.
Start = Callable[[Path, int, int], AbstractContextManager[Server]]
