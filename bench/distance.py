"""What a round trip of 50 ms between relay and upstream costs, in mails a second.

Generator and relay are near, the sink is far: each in a network namespace of its own (line.py). The
same load goes over the line as it is and with the delay, by as many connections upstream as there
are clients, to a sink that offers PIPELINING and to one that does not. Needs root.
"""

import argparse
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import line
import load
import newsletter
import uvloop
from running import PASSWORD, TRACKED, free_ports, relay, sink

MAILS = {"newsletter 30 kB, tracked": newsletter.newsletter(), "text 4 kB": newsletter.text()}

LIMITS = "max_connections_per_address = 1000"  # a round begins while the last one's are closed


@dataclass(frozen=True, slots=True)
class Case:
    """Two lines of the table are one case with and without PIPELINING."""

    mail: str
    connections: int
    pipelining: bool

    @property
    def round_trips(self) -> int:
        """Of a mail to one recipient: the envelope, then the content; or three for the envelope."""
        return 2 if self.pipelining else 4


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of some rounds; times in milliseconds."""

    rate: float
    p50: float
    p99: float


def main() -> None:
    options = read_options()
    if problem := line.missing():
        sys.exit(f"bench/distance.py: {problem}")
    with line.ends() as ends:
        ends.enter_near()
        how = "tc netem" if line.has_netem(ends) else "two TUN devices (no netem in this kernel)"
        print(f"a round trip of {options.round_trip:g} ms by {how}, {options.mails} mails a round,")
        print(f"medians of {options.rounds} rounds, {os.cpu_count()} cores\n")
        print("| mail | connections | PIPELINING | here, mails/s | p50 ms | p99 ms |", end="")
        print(" far, mails/s | p50 ms | p99 ms | of here | at most |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for mail, connections, pipelining in product(MAILS, options.connections, (True, False)):
            case = Case(mail, connections, pipelining)
            here, there = (
                measure(case, options, ends, round_trip / 1000)
                for round_trip in (0, options.round_trip)
            )
            print(row(case, here, there, options.round_trip / 1000), flush=True)


def row(case: Case, here: Measured, there: Measured, round_trip: float) -> str:
    at_most = case.connections / (case.round_trips * round_trip)
    return (
        f"| {case.mail} | {case.connections} | {'yes' if case.pipelining else 'no'} "
        f"| {here.rate:,.0f} | {here.p50:.0f} | {here.p99:.0f} "
        f"| {there.rate:,.0f} | {there.p50:.0f} | {there.p99:.0f} "
        f"| {there.rate / here.rate:.0%} | {at_most:,.0f} |"
    )


def measure(
    case: Case, options: argparse.Namespace, ends: line.Ends, round_trip: float
) -> Measured:
    """A relay and a sink of its own, at the two ends of a line."""
    ports = free_ports(3)
    task = load.Load(
        port=ports[1],
        content=MAILS[case.mail],
        login=(TRACKED, PASSWORD),
        connections=case.connections,
        mails=options.mails,
        warm_up=2 * case.connections,
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterbell-bench-")))
        stack.enter_context(line.line(ends, round_trip=round_trip))
        stack.enter_context(
            sink(ports[0], address=line.FAR, pipelining=case.pipelining, within=ends.at_far)
        )
        stack.enter_context(
            relay(folder, ports, connections=case.connections, limits=LIMITS, upstream=line.FAR)
        )
        rounds = [uvloop.run(load.run(task, warmed_up=lambda: None)) for _ in range(options.rounds)]
    return Measured(
        rate=statistics.median(each.rate for each in rounds),
        p50=statistics.median(each.percentile(0.5) for each in rounds),
        p99=statistics.median(each.percentile(0.99) for each in rounds),
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round-trip", type=float, default=50, help="milliseconds")
    parser.add_argument("--connections", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--mails", type=int, default=1000, help="a round")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
