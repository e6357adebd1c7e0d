"""Our relay beside other mail servers on this machine, in one run: see README.md.

All of them run from begin to end, and idle while another one is measured. Rounds go through all in
turn, medians are told.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import load
import newsletter
from peers import haraka, node, postfix
from peers.server import Missing, Server, Start
from rounds import Round, measure
from running import CROWDED, PASSWORD, TRACKED, UNTRACKED, free_ports, relay, sink

MAILS = {"newsletter 30 kB": newsletter.newsletter(), "text 4 kB": newsletter.text()}


@contextmanager
def ours(
    folder: Path, next_hop: int, connections: int, *, spooled: bool = False
) -> Iterator[Server]:
    """A start like those of the peers."""
    ports = [next_hop, *free_ports(2)]
    with relay(folder, ports, connections=connections, limits=CROWDED, spooled=spooled) as pid:
        yield Server(ports[1], pid)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server by the name that the tables have for it; `login` is who sends, where one must."""

    name: str
    start: Start
    login: str | None = None

    @contextmanager
    def run(self, next_hop: int, connections: int) -> Iterator[Server | None]:
        """None where it cannot be started on this machine, which is told."""
        with (
            tempfile.TemporaryDirectory(prefix="letterbell-bench-") as folder,
            ExitStack() as stack,
        ):
            start = self.start(Path(folder), next_hop, connections)
            try:
                server = stack.enter_context(start)
            except Missing as missing:
                print(f"without {self.name}: {missing}", file=sys.stderr)
                server = None
            yield server

    def task(self, server: Server, content: bytes, *, connections: int, mails: int) -> load.Load:
        """So many mails, after a tenth of that to warm up."""
        return load.Load(
            port=server.port,
            content=content,
            login=(self.login, PASSWORD) if self.login else None,
            connections=connections,
            mails=mails,
            warm_up=mails // 10,
        )


CONTESTANTS = (
    Contestant("Letterbell", ours, TRACKED),
    Contestant("the same, all spooled", partial(ours, spooled=True), TRACKED),
    Contestant("the same, tracking off", ours, UNTRACKED),
    Contestant("Haraka, rewriting", haraka.rewriting),
    Contestant("Haraka", haraka.plain),
    Contestant("Postfix", postfix.queueing),
    Contestant("smtp-server + nodemailer", node.forwarding),
)


def compare(options: argparse.Namespace) -> None:
    print(f"{options.connections} connections, {options.mails} mails a round,")
    print(f"medians of {options.rounds} rounds, {os.cpu_count()} cores\n")
    print(
        "| mail | server | mails/s | CPU ms/mail | p50 ms | p99 ms | kB to the sink "
        "| Letterbell : it | all spooled : it |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    [port] = free_ports(1)
    with sink(port), ExitStack() as stack:
        servers = [
            (each, server)
            for each in CONTESTANTS
            if (server := stack.enter_context(each.run(port, options.connections)))
        ]
        for mail, content in MAILS.items():
            for line in compare_mail(content, servers, port, options):
                print(f"| {mail} | {line} |", flush=True)


def compare_mail(
    content: bytes,
    servers: Sequence[tuple[Contestant, Server]],
    sink_port: int,
    options: argparse.Namespace,
) -> Iterator[str]:
    """All in turn, round by round; the lines of the table, from the second column on."""
    rounds: dict[str, list[Round]] = {each.name: [] for each, _ in servers}
    for _ in range(options.rounds):
        for each, server in servers:
            task = each.task(server, content, connections=options.connections, mails=options.mails)
            rounds[each.name].append(measure(task, sink=sink_port, pid=server.pid))
    medians = {name: Round.median(each) for name, each in rounds.items()}
    inline, spooled, *_ = medians.values()
    for name, median in medians.items():
        yield (
            f"{name} | {median.rate:,.0f} | {median.cpu_ms:.2f} | {median.p50:.1f} "
            f"| {median.p99:.1f} | {median.octets / 1000:.1f} "
            f"| {inline.rate / median.rate:.2f} | {spooled.rate / median.rate:.2f}"
        )
