"""How fast the relay is on this machine: through `letterbell serve`, and straight to the sink.

One generator, one sink, the same mails; the relay is a process of its own, as shipped. Rounds
alternate, medians are told, and what counts is the ratio of one run: see README.md.
"""

import argparse
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import load
import newsletter
from comparison import compare
from processes import rss_mib
from rounds import Round, measure
from running import (
    EACH,
    PASSWORD,
    TRACKED,
    UNTRACKED,
    free_ports,
    relay,
    sink,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table."""

    name: str
    content: bytes
    login: str
    recipients: int = 1


CASES = (
    Case("newsletter 30 kB, tracked", newsletter.newsletter(), TRACKED),
    Case("the same, quoted-printable", newsletter.newsletter("quoted-printable"), TRACKED),
    Case("the same, tracking off", newsletter.newsletter(), UNTRACKED),
    Case("text 4 kB, tracking on", newsletter.text(), TRACKED),
    Case("newsletter, 10 recipients share it", newsletter.newsletter(), TRACKED, 10),
    Case("newsletter, a copy for each of 10", newsletter.newsletter(), EACH, 10),
)


def main() -> None:
    options = read_options()
    if options.peers:
        compare(options)
    else:
        compare_ways(options)


def compare_ways(options: argparse.Namespace) -> None:
    """Straight to the sink, and through the relay."""
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
            print(measure_case(case, options, ports, pid), flush=True)
        print(f"\nRSS of the relay: {rss_mib(pid, 'RSS')} MiB, at most {rss_mib(pid, 'HWM')} MiB")


def measure_case(case: Case, options: argparse.Namespace, ports: list[int], pid: int) -> str:
    """Both ways in turn, round by round; the case's line of the table."""
    straight, relayed = [], []
    for _ in range(options.rounds):
        task = load.Load(
            port=ports[0],
            content=case.content,
            recipients=case.recipients,
            connections=options.connections,
            mails=options.mails * 5,
            warm_up=options.mails // 2,
        )
        straight.append(measure(task, sink=ports[0]))
        task = replace(
            task,
            port=ports[1],
            login=(case.login, PASSWORD),
            mails=options.mails,
            warm_up=options.mails // 10,
        )
        relayed.append(measure(task, sink=ports[0], pid=pid))
    ceiling, ours = Round.median(straight).rate, Round.median(relayed)
    return (
        f"| {case.name} | {ceiling:,.0f} | {ours.rate:,.0f} | {ours.rate / ceiling:.1%} "
        f"| {ours.cpu_ms:.2f} | {ours.p50:.1f} | {ours.p99:.1f} |"
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--mails", type=int, default=2000, help="relayed mails a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--peers", action="store_true", help="beside Haraka, Postfix, and node's smtp-server"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
