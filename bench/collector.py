"""How fast hits are answered and recorded here, beside a bare aiohttp handler and nginx.

The collector is `letterbell serve` as shipped, its store on the disk; every hit that it answers is
looked for in the store afterwards. Rounds alternate, medians are told: see README.md.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.append(sys.path.pop(0))  # behind the packages: this file is not their collector

import audience
import fetching
import uvloop
from processes import cpu_seconds, rss_mib
from running import HERE, free_ports, serving, wait_for, write_config

from collector.tokens import Tokens
from relay.config import load
from relay.descriptors import raise_limit

KINDS = {"open": "pixel", "click": "redirect"}
TARGET = (audience.TARGET % 7).decode()  # of the redirects that are no hits
REQUESTS = 20_000  # different ones of a kind

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /o/ {{ empty_gif; }}
    location /c/ {{ return 302 {target}; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """What is measured: where it listens, its process."""

    name: str
    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Round:
    """What wrk saw, in milliseconds, and what each request cost the server, in microseconds."""

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float


def main() -> None:
    options = read_options()
    require("wrk", "nginx")
    raise_limit()
    ports = free_ports(5)
    with tempfile.TemporaryDirectory(prefix="letterbell-bench-") as name:
        folder = Path(name)
        config = write_config(folder, ports)
        settings = load(config)
        ids = asyncio.run(audience.send_mails(settings.store.open_url, options.messages))
        tokens = Tokens(settings.tokens.parsed)
        asked = {kind: audience.ask_for(kind, ids, tokens, REQUESTS) for kind in KINDS}
        for kind, requests in asked.items():
            (folder / kind).write_text("".join(each.line for each in requests))
        with (
            nginx(folder, ports[3]) as nginx_pid,
            bare(ports[4]) as bare_pid,
            serving(config, ports[2]) as pid,
        ):
            servers = (
                Server("nginx", ports[3], nginx_pid),
                Server("bare aiohttp", ports[4], bare_pid),
                Server("collector", ports[2], pid),
            )
            print(
                f"{options.connections} connections of wrk, {options.messages} messages, medians of"
                f" {options.rounds} rounds of {options.seconds:g} s, {os.cpu_count()} cores\n"
            )
            answered, rates = compare(servers, folder, options)
            heads = {kind: [each.head for each in requests] for kind, requests in asked.items()}
            answered += uvloop.run(load_by_half(servers[2], heads, rates, options))
            print(f"\nRSS of the collector: {rss_mib(pid, 'HWM')} MiB at most")
            dropped = count_drops(ports[2])
        check(folder, answered, dropped, options)


def compare(
    servers: tuple[Server, ...], folder: Path, options: argparse.Namespace
) -> tuple[int, dict[str, float]]:
    """The first table: all servers in turn, round by round. The hits that the collector answered,
    and its rates by kind."""
    print(
        "| what | server | req/s | of bare aiohttp | of nginx | CPU µs/req | p50 ms | p99 ms |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    answered, rates = 0, {}
    for kind, what in KINDS.items():
        rounds: dict[str, list[Round]] = {server.name: [] for server in servers}
        for _ in range(options.rounds):
            for server in servers:
                rounds[server.name].append(drive(server, folder / kind, options))
        medians = {name: median(each) for name, each in rounds.items()}
        for name, each in medians.items():
            of_bare, of_nginx = (
                each.rate / medians[other].rate for other in ("bare aiohttp", "nginx")
            )
            print(
                f"| {what} | {name} | {each.rate:,.0f} | {of_bare:.2f} | {of_nginx:.2f} "
                f"| {each.cpu:.0f} | {each.p50:.1f} | {each.p99:.1f} |",
                flush=True,
            )
        answered += sum(each.requests for each in rounds["collector"])
        rates[kind] = medians["collector"].rate
    return answered, rates


def drive(server: Server, requests: Path, options: argparse.Namespace) -> Round:
    """One round of wrk."""
    spent = cpu_seconds(server.pid)
    command = [
        *("wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds:g}s", "--timeout", "10s"),
        *("-s", str(HERE / "wrk.lua"), f"http://127.0.0.1:{server.port}/", "--", str(requests)),
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seen = json.loads(told.splitlines()[-1])
    if seen["refused"] or seen["failed"]:
        sys.exit(f"{server.name}: {seen['refused']} refused, {seen['failed']} failed of {seen}")
    requests_made = seen["requests"]
    spent = cpu_seconds(server.pid) - spent
    return Round(
        requests_made,
        requests_made / seen["seconds"],
        seen["p50"],
        seen["p99"],
        spent * 1e6 / requests_made,
    )


def median(rounds: list[Round]) -> Round:
    return Round(
        *(
            statistics.median(getattr(each, name) for each in rounds)
            for name in ("requests", "rate", "p50", "p99", "cpu")
        )
    )


async def load_by_half(
    server: Server,
    heads: dict[str, list[bytes]],
    rates: dict[str, float],
    options: argparse.Namespace,
) -> int:
    """The second table: at half of the rate, alone and beside a crowd of slow connections. The hits
    that were answered."""
    print(
        "\n| what | at req/s | slow connections | p50 ms | p99 ms |\n|---|---|---|---|---|",
        flush=True,
    )
    answered = 0
    for kind, what in KINDS.items():
        for slow in (0, options.slow):
            async with fetching.crowd(server.port, slow):
                result = await fetching.fetch(
                    server.port,
                    heads[kind],
                    rate=rates[kind] / 2,
                    seconds=options.seconds * 2,
                    connections=options.connections,
                )
            if result.lost:
                sys.exit(f"{result.lost} requests were never answered")
            answered += len(result.latencies)
            print(
                f"| {what} | {rates[kind] / 2:,.0f} | {slow} | {result.percentile(0.5):.1f} "
                f"| {result.percentile(0.99):.1f} |",
                flush=True,
            )
    return answered


def check(folder: Path, answered: int, dropped: int, options: argparse.Namespace) -> None:
    """Every hit that was answered is in the store, or was told as dropped. wrk leaves with
    requests on their way: those may be there besides."""
    with sqlite3.connect(folder / "letterbell.db") as database:
        [stored] = database.execute("SELECT count(*) FROM hit").fetchone()
        [counted] = database.execute(
            "SELECT sum(raw_open_count + raw_click_count) FROM message"
        ).fetchone()
    on_their_way = options.connections * options.rounds * len(KINDS)
    print(f"answered: {answered:,}; stored: {stored:,}; told as dropped: {dropped:,}")
    if not answered <= stored + dropped <= answered + on_their_way:
        sys.exit("these do not agree: hits were lost, or counted twice")
    if counted != stored:
        sys.exit(f"the messages' own counts say {counted:,}")


def count_drops(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as metrics:
        lines = metrics.read().decode().splitlines()
    [line] = [line for line in lines if line.startswith("letterbell_hits_dropped_total ")]
    return int(float(line.split()[1]))


@contextmanager
def nginx(folder: Path, port: int) -> Iterator[int]:
    """Debian's, with one process and a configuration of its own."""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, target=TARGET))
    with started(["nginx", "-p", str(folder), "-c", str(config)], port) as pid:
        yield pid


@contextmanager
def bare(port: int) -> Iterator[int]:
    with started([sys.executable, str(HERE / "bare.py"), str(port), TARGET], port) as pid:
        yield pid


@contextmanager
def started(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command)
    try:
        wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def require(*programs: str) -> None:
    if missing := [program for program in programs if not shutil.which(program)]:
        names = " and ".join(missing)
        sys.exit(f"{names} missing here: apt-get install {' '.join(missing)} (on Debian)")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each round")
    parser.add_argument("--slow", type=int, default=1000, help="connections that trickle")
    return parser.parse_args()


if __name__ == "__main__":
    main()
