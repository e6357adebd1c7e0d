"""How fast the relay is on this machine: through `letterbell serve`, and straight to the sink.

One generator, one sink, the same mails; the relay is a process of its own, as shipped. Rounds
alternate, medians are told, and what counts is the ratio of one run: see README.md.
"""

import argparse
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import load
import newsletter
import uvloop
from running import (
    PASSWORD,
    TRACKED,
    UNTRACKED,
    cpu_seconds,
    free_ports,
    relay,
    rss_mib,
    sink,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table."""

    name: str
    content: bytes
    login: str


CASES = (
    Case("newsletter 30 kB, tracked", newsletter.newsletter(), TRACKED),
    Case("the same, quoted-printable", newsletter.newsletter("quoted-printable"), TRACKED),
    Case("the same, tracking off", newsletter.newsletter(), UNTRACKED),
    Case("text 4 kB, tracking on", newsletter.text(), TRACKED),
)


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement: the load's result, and what the relay spent on it."""

    rate: float
    p50: float
    p99: float
    cpu_ms: float = 0.0


def main() -> None:
    options = read_options()
    ports = free_ports(3)
    with (
        tempfile.TemporaryDirectory(prefix="letterbell-bench-") as folder,
        sink(ports[0]),
        relay(Path(folder), ports, connections=options.connections) as pid,
    ):
        print(f"{options.connections} connections, {options.mails} mails a round,")
        print(f"medians of {options.rounds} rounds, {os.cpu_count()} cores\n")
        print(
            "| mail | straight, mails/s | relayed, mails/s | of straight | CPU ms/mail |"
            " p50 ms | p99 ms |"
        )
        print("|---|---|---|---|---|---|---|")
        for case in CASES:
            print(measure(case, options, ports, pid), flush=True)
        print(f"\nRSS of the relay: {rss_mib(pid, 'RSS')} MiB, at most {rss_mib(pid, 'HWM')} MiB")


def measure(case: Case, options: argparse.Namespace, ports: list[int], pid: int) -> str:
    """Both ways in turn, round by round; the case's line of the table."""
    straight, relayed = [], []
    for _ in range(options.rounds):
        straight.append(send(case, options, ports[0], None, None))
        relayed.append(send(case, options, ports[1], (case.login, PASSWORD), pid))
    ceiling = statistics.median(each.rate for each in straight)
    rate, p50, p99, cpu = (
        statistics.median(getattr(each, name) for each in relayed)
        for name in ("rate", "p50", "p99", "cpu_ms")
    )
    return (
        f"| {case.name} | {ceiling:,.0f} | {rate:,.0f} | {rate / ceiling:.1%} | {cpu:.2f} "
        f"| {p50:.1f} | {p99:.1f} |"
    )


def send(
    case: Case,
    options: argparse.Namespace,
    port: int,
    login: tuple[str, str] | None,
    pid: int | None,
) -> Round:
    spent = 0.0

    def warmed_up() -> None:
        nonlocal spent
        spent = -cpu_seconds(pid) if pid else 0.0

    mails = options.mails if pid else options.mails * 5
    task = load.Load(
        port=port,
        content=case.content,
        login=login,
        connections=options.connections,
        mails=mails,
        warm_up=mails // 10,
    )
    result = uvloop.run(load.run(task, warmed_up=warmed_up))
    spent += cpu_seconds(pid) if pid else 0.0
    return Round(result.rate, result.percentile(0.5), result.percentile(0.99), spent * 1000 / mails)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--mails", type=int, default=2000, help="relayed mails a round")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
