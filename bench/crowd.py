"""What those who are slow cost those who are not: the relay's answers with and without a crowd.

Fifty connections send; beside them, in the second round, some stand idle and some bring a message
octet by octet, fast enough not to be cut off: see README.md.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import load
import newsletter
import uvloop
from processes import cpu_seconds, rss_mib
from running import (
    CROWDED,
    PASSWORD,
    TRACKED,
    UNTRACKED,
    free_ports,
    relay,
    sink,
)

ENVELOPE = b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
PIECE, EACH = b"a line that comes slowly\r\n" * 4, 0.1  # octets, and seconds from one to the next


def main() -> None:
    options = read_options()
    ports = free_ports(3)
    with (
        tempfile.TemporaryDirectory(prefix="letterbell-bench-") as folder,
        sink(ports[0]),
        relay(Path(folder), ports, limits=CROWDED) as pid,
    ):
        print("| mail | idle | trickling | mails/s | CPU ms/mail | p50 ms | p99 ms | RSS MiB |")
        print("|---|---|---|---|---|---|---|---|")
        for name, login in (("tracked", TRACKED), ("tracking off", UNTRACKED)):
            for idle, slow in ((0, 0), (options.idle, options.trickling)):
                uvloop.run(measure(name, login, idle, slow, options, ports[1], pid))


async def measure(
    name: str,
    login: str,
    idle: int,
    slow: int,
    options: argparse.Namespace,
    port: int,
    pid: int,
) -> None:
    task = load.Load(
        port=port,
        content=newsletter.newsletter(),
        login=(login, PASSWORD),
        connections=50,
        mails=options.mails,
        warm_up=options.mails // 10,
    )
    spent = cpu_seconds(pid)
    async with crowd(port, idle, slow):
        results = [await load.run(task, warmed_up=lambda: None) for _ in range(options.rounds)]
        memory = rss_mib(pid, "RSS")
    spent = (cpu_seconds(pid) - spent) * 1000 / (options.rounds * options.mails * 1.1)
    rate, p50, p99 = (
        statistics.median(each)
        for each in zip(
            *((each.rate, each.percentile(0.5), each.percentile(0.99)) for each in results),
            strict=True,
        )
    )
    print(
        f"| newsletter, {name} | {idle} | {slow} | {rate:,.0f} | {spent:.2f} | {p50:.1f} "
        f"| {p99:.1f} | {memory} |",
        flush=True,
    )


@asynccontextmanager
async def crowd(port: int, idle: int, slow: int) -> AsyncIterator[None]:
    """So many who have logged in and say nothing, so many whose message is on its way."""
    task = load.Load(port=port, content=b"", login=(UNTRACKED, PASSWORD))
    clients = [await load.connect(task) for _ in range(idle + slow)]
    trickling = [asyncio.create_task(trickle(client)) for client in clients[idle:]]
    yield
    for each in trickling:
        each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await each
    for client in clients:
        client.transport.abort()


async def trickle(client: load.Client) -> None:
    await client.ask(ENVELOPE, 3, b"354")
    client.transport.write(b"From: ana@example.com\r\n\r\n")
    while True:
        client.transport.write(PIECE)
        await asyncio.sleep(EACH)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--trickling", type=int, default=500)
    parser.add_argument("--mails", type=int, default=2000, help="mails a round")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
