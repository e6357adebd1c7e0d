"""What our relay and other mail servers take of the machine's memory: see README.md.

Each is measured alone: what a connection costs that says EHLO and no more, then one mail of 25 MiB
and ten at once, a letter with a file.
"""

import argparse
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from comparison import CONTESTANTS, Contestant
from memory import SIZE, Row, attachment, letter
from processes import memory_kib
from rounds import measure
from running import free_ports, sink

CONNECTIONS = 20
SETTLED = 3  # seconds until what a start has left over is given back
PAUSE = 0.02  # seconds between two looks at the memory


class Peak:
    """The most memory that a process and those below it had while this was entered."""

    def __init__(self, pid: int) -> None:
        self.kib = 0
        self._pid = pid
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(PAUSE):
            self.kib = max(self.kib, memory_kib(self._pid))

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()


def main() -> None:
    options = read_options()
    content = Row("letter and file", attachment(), 1, header=letter()).content(options.size)
    print(
        "| server | KiB a connection | MiB without | 1 mail, s | CPU s | MiB at most "
        "| 10 mails, s | CPU s/mail | MiB at most |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for each in CONTESTANTS:
        if options.server in each.name:
            cells = [*weigh_connections(each, options.idle), *weigh_mails(each, content)]
            if cells:
                print(f"| {each.name} | {' | '.join(cells)} |", flush=True)


def weigh_connections(contestant: Contestant, count: int) -> Iterator[str]:
    """KiB for each of so many, and MiB without them."""
    [port] = free_ports(1)
    with sink(port), contestant.run(port, CONNECTIONS) as server:
        if server:
            with standing(server.port, count // 5):
                time.sleep(SETTLED)
                before = memory_kib(server.pid)
                with standing(server.port, count):
                    yield f"{(memory_kib(server.pid) - before) / count:.0f}"
            yield f"{before / 1024:.0f}"


def weigh_mails(contestant: Contestant, content: bytes) -> Iterator[str]:
    """For one, and for ten at once: seconds, seconds of the processor, the most MiB."""
    [port] = free_ports(1)
    with sink(port), contestant.run(port, CONNECTIONS) as server:
        for mails in (1, 10) if server else ():
            task = contestant.task(server, content, connections=mails, mails=mails)
            with Peak(server.pid) as peak:
                result = measure(task, sink=port, pid=server.pid)
            yield from (f"{mails / result.rate:.1f}", f"{result.cpu_ms / 1000:.2f}")
            yield f"{peak.kib / 1024:.0f}"


@contextmanager
def standing(port: int, count: int) -> Iterator[None]:
    """So many connections that have said EHLO and heard the answer."""
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            with connection.makefile("rwb") as stream:
                stream.readline()
                stream.write(b"EHLO bench.example.com\r\n")
                stream.flush()
                while stream.readline()[3:4] == b"-":
                    pass
        yield


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="octets of a mail")
    parser.add_argument("--server", default="", help="only those with this in their names")
    parser.add_argument("--idle", type=int, default=500, help="connections that say EHLO")
    return parser.parse_args()


if __name__ == "__main__":
    main()
