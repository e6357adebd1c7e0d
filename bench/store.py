"""How the store fares when it is large: a million messages and ten million hits on SQLite.

Built by SQL in the layout that time would give them, then measured through the collector's own
code: lists, timelines, and hits stored a second. See README.md.
"""

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path

sys.path.append(sys.path.pop(0))  # behind the packages: collector.py here is not theirs

import audience
import uvloop
from sqlalchemy import event

from collector.hits import Hit, HitMessage, store_hits
from collector.recorder import MAX_GROUP
from collector.signs import our_signs
from collector.stats import Stats
from collector.store import Store
from collector.tokens import TAIL_BITS
from collector.verdict import Facts, Verdict, judge

SIGNS = our_signs()
SENDERS = 100
LOOKS = 300  # how often each query is timed
RECENT = 0.01  # which share of the messages are recent
STEP_MS = 30_000  # from one message to the next
LAG = 2_000  # a hit falls on one of so many messages that were sent last

# Message N (from 0) of :messages, the last of them an hour ago.
BUILD_MESSAGES = """
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :messages)
INSERT INTO message (id, sender_id, sent_at_ms, delivered_at_ms, state, opens, clicks,
  open_count, raw_open_count, click_count, raw_click_count, subject, recipients, mail_from,
  message_id_header, reply, links)
SELECT :first_ms + n * :step << :tail | n & 1048575, n % :senders + 1, :first_ms + n * :step,
  :first_ms + n * :step + 400, 1, 1, 1, 0, 0, 0, 0, 'What is new in November, number ' || n,
  '["reader' || n || '@example.net"]', 'bench' || n % :senders || '@example.com',
  '<' || n || '.bench@example.com>', '2.0.0 Ok: queued as 4XyZ' || n, :links
FROM number
"""
# Hit N came when its share of the messages had been sent, on one of the last of those.
BUILD_HITS = """
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :hits),
placed(n, at) AS (
  SELECT n, max(0, n * :messages / :hits - abs(random()) % :lag) FROM number
)
INSERT INTO hit (message_id, at_ms, kind, recipient, link, verdict, rule, network, agent_id)
SELECT :first_ms + at * :step << :tail | at & 1048575,
  :first_ms + n * :messages / :hits * :step, n % 4 = 0, 0, iif(n % 4 = 0, n % 5, NULL), 1,
  'browser', substr(randomblob(3), 1), n % :agents + 1
FROM placed
"""
COUNT_HITS = """
UPDATE message SET open_count = found.opens, raw_open_count = found.opens,
  first_open_ms = iif(found.opens, found.first_ms, NULL),
  last_open_ms = iif(found.opens, found.last_ms, NULL),
  click_count = found.clicks, raw_click_count = found.clicks,
  first_click_ms = iif(found.clicks, found.first_ms, NULL),
  last_click_ms = iif(found.clicks, found.last_ms, NULL)
FROM (
  SELECT message_id, sum(kind = 0) AS opens, sum(kind = 1) AS clicks, min(at_ms) AS first_ms,
    max(at_ms) AS last_ms FROM hit GROUP BY message_id
) AS found WHERE found.message_id = message.id
"""
LINKS = "[" + ",".join(f'[{n},"{(audience.TARGET % n).decode()}","Look"]' for n in range(5)) + "]"


def main() -> None:
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="letterbell-bench-", dir=options.folder) as folder:
        uvloop.run(measure(Path(folder) / "letterbell.db", options))


async def measure(path: Path, options: argparse.Namespace) -> None:
    await (await Store.open(f"sqlite:///{path}")).close()  # the schema, by its migrations
    began = time.perf_counter()
    ids, octets, of_hit = build(path, options)
    took = time.perf_counter() - began
    print(
        f"{options.messages:,} messages, {options.hits:,} hits, {of_hit:.1f} octets a hit, "
        f"{octets / 2**20:,.0f} MiB; built in {took:.0f} s\n"
    )
    store = await Store.open(f"sqlite:///{path}")
    plans = watch(store, path) if options.explain else {}
    await measure_reads(Stats(store), ids)
    await measure_writes(store, ids, options.seconds)
    await store.close()
    for statement, plan in plans.items():
        print(f"\n{statement}\n" + "\n".join(f"    {line}" for line in plan))


def build(path: Path, options: argparse.Namespace) -> tuple[Sequence[int], int, float]:
    """The messages' ids, oldest first; how many octets the file has, and how many a hit takes."""
    database = sqlite3.connect(path, isolation_level=None)
    values = {
        "messages": options.messages,
        "hits": options.hits,
        "senders": SENDERS,
        "agents": len(audience.agents()),
        "first_ms": time.time_ns() // 1_000_000 - 3_600_000 - options.messages * STEP_MS,
        "step": STEP_MS,
        "tail": TAIL_BITS,
        "lag": min(LAG, options.messages),
        "links": LINKS,
    }
    database.execute("PRAGMA synchronous = OFF")
    database.executemany(
        "INSERT INTO sender (login, login_key, opens, clicks, sticky, enabled, created_at_ms)"
        " VALUES (:login, :login, 1, 1, 1, 1, 0)",
        [{"login": f"bench{number}"} for number in range(SENDERS)],
    )
    database.executemany(
        "INSERT INTO agent (text) VALUES (?)", [(text,) for text in audience.agents()]
    )
    database.execute(BUILD_MESSAGES, values)
    before = count_octets(database)
    database.execute(BUILD_HITS, values)
    octets = count_octets(database)
    database.execute(COUNT_HITS)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ids = [row[0] for row in database.execute("SELECT id FROM message ORDER BY id")]
    database.close()
    return ids, octets, (octets - before) / options.hits


def count_octets(database: sqlite3.Connection) -> int:
    pages, size = (
        database.execute(f"PRAGMA {each}").fetchone()[0] for each in ("page_count", "page_size")
    )
    return int(pages) * int(size)


async def measure_reads(stats: Stats, ids: Sequence[int]) -> None:
    draw = random.Random(1)
    print("| what is read | median ms | p99 ms |\n|---|---|---|")

    async def read_list() -> None:
        rows = await stats.recent(draw.randint(1, SENDERS))
        assert len(rows) == 50

    async def read_old_list() -> None:
        await stats.recent(draw.randint(1, SENDERS), before=draw.choice(ids))

    async def read_timeline() -> None:
        number = draw.randrange(len(ids))
        assert await stats.message(number % SENDERS + 1, ids[number])

    await time_it("the 50 newest of one sender, with counts", read_list)
    await time_it("50 of one sender from anywhere", read_old_list)
    await time_it("the timeline of any message", read_timeline)


async def time_it(what: str, read: Callable[[], Awaitable[None]]) -> None:
    took = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        await read()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    print(f"| {what} | {statistics.median(took):.2f} | {took[int(LOOKS * 0.99)]:.2f} |", flush=True)


async def measure_writes(store: Store, ids: Sequence[int], seconds: float) -> None:
    print("\n| hits on | stored, hits/s | ms a group |\n|---|---|---|")
    recent = ids[-max(1, int(len(ids) * RECENT)) :]
    for what, chosen in (("recent messages", recent), ("any messages", ids)):
        groups = [make_group(chosen, seed) for seed in range(20)]
        rounds, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            hits = groups[rounds % len(groups)]
            kept = await store.write(partial(store_hits, hits=hits, judge=judge_hit))
            assert len(kept.judged) == len(hits)
            rounds += 1
        print(f"| {what} | {rounds * MAX_GROUP / took:,.0f} | {took / rounds * 1000:.1f} |")


def make_group(ids: Sequence[int], seed: int) -> list[Hit]:
    """As many as the recorder stores at once."""
    draw = random.Random(seed)
    agents = audience.agents()
    return [
        Hit(
            kind="open" if draw.random() < 0.75 else "click",
            message_id=draw.choice(ids),
            recipient=0,
            link=draw.randrange(5),
            at_ms=time.time_ns() // 1_000_000,
            method="GET",
            agent=draw.choice(agents),
            purpose="",
            address=ip_address(draw.randrange(2**32)),
        )
        for _ in range(MAX_GROUP)
    ]


def judge_hit(hit: Hit, message: HitMessage) -> Verdict:
    """By all rules but the memory of bursts."""
    return judge(
        Facts(
            kind=hit.kind,
            agents=SIGNS.families(hit.agent),
            network=SIGNS.network(hit.address),
            at_ms=hit.at_ms,
            sent_at_ms=message.sent_at_ms,
            delivered_at_ms=message.delivered_at_ms,
        )
    )


def watch(store: Store, path: Path) -> dict[str, list[str]]:
    """Grows by each statement that runs, with SQLite's plan for it."""
    plans: dict[str, list[str]] = {}

    def explain(
        connection: object, cursor: object, text: str, values: object, *rest: object
    ) -> None:
        shape = text.split("IN (")[0]  # however many they are
        if shape not in plans and not text.startswith("BEGIN"):
            count = text.count("?")
            with sqlite3.connect(path) as database:
                rows = database.execute(f"EXPLAIN QUERY PLAN {text}", [None] * count).fetchall()
            plans[shape] = [row[3] for row in rows]

    for engine in (store._readers.sync_engine, store._writer._connection.engine):
        event.listen(engine, "before_cursor_execute", explain)
    return plans


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--hits", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=10, help="of storing hits, each way")
    parser.add_argument("--folder", type=Path, help="where there is room; else the usual one")
    parser.add_argument("--explain", action="store_true", help="prints SQLite's plans as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
