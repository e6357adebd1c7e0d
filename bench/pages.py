"""How fast the list is for a sender with 100,000 mails: the server's answer, and a browser's paint.

`letterbell serve` as shipped over a store built by SQL, in which another sender's mails stand
between; chromium on the same machine, with an empty cache and with a full one. See README.md.
"""

import argparse
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.append(sys.path.pop(0))  # behind the packages: collector.py here is not theirs

import uvloop
from aiohttp import ClientSession
from playwright.async_api import Browser, async_playwright
from running import free_ports, serving, write_config

from collector.senders import Senders
from collector.store import Store
from collector.tokens import TAIL_BITS

LOGIN, OTHER = "busy@example.com", "other@example.com"
STEP_MS = 300_000  # from one mail to the next: 100,000 of one sender are not quite two years
COOKIE = "letterbell_session"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAINT = """() => new Promise(done => {
  const look = list => {
    const [found] = list.getEntriesByName("first-contentful-paint");
    if (found) done(found.startTime);
  };
  new PerformanceObserver(look).observe({type: "paint", buffered: true});
})"""

# Mail N (from 0) of :mails, two senders in turn; every third is opened, every ninth has a click.
BUILD = """
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :mails)
INSERT INTO message (id, sender_id, sent_at_ms, delivered_at_ms, state, opens, clicks,
  open_count, raw_open_count, first_open_ms, last_open_ms,
  click_count, raw_click_count, first_click_ms, last_click_ms,
  subject, snippet, recipients, mail_from, message_id_header, reply, links)
SELECT (:first_ms + n * :step << :tail) | (n & 1048575), n % 2 + 1, :first_ms + n * :step,
  :first_ms + n * :step + 400, 1, 1, 1,
  n % 3 = 0, n % 3 = 0, iif(n % 3 = 0, :first_ms + n * :step + 90000, NULL),
  iif(n % 3 = 0, :first_ms + n * :step + 90000, NULL),
  n % 9 = 0, n % 9 = 0, iif(n % 9 = 0, :first_ms + n * :step + 95000, NULL),
  iif(n % 9 = 0, :first_ms + n * :step + 95000, NULL),
  'What is new in November, number ' || n,
  'Dear reader number ' || n || ', the days are short, so here is what we have made of them since',
  '["reader' || (n % 20000) || '@example.net"]', 'busy@example.com', '<' || n || '@example.com>',
  '250 2.0.0 Ok: queued as 4XyZ' || n, :links
FROM number
"""
LINKS = "[" + ",".join(f'[{n},"https://shop.example/november/{n}","Look"]' for n in range(5)) + "]"


@dataclass(frozen=True, slots=True)
class Page:
    """An address of the list, and what it is."""

    what: str
    path: str


PAGES = (
    Page("the newest 50", "/"),
    Page("50 from the middle", "/?before={middle}"),
    Page("opened (a third)", "/?opened=yes"),
    Page("the last 7 days", "/?days=7"),
    Page("to one recipient (10 mails)", "/?to=reader42@example.net"),
    Page("not tracked (none)", "/?tracked=no"),
    Page("a word in every mail", "/?q=november"),
    Page("a word in one mail", "/?q={rare}"),
    Page("two words in none", "/?q=quixotic+knight"),
)


def main() -> None:
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="letterbell-bench-", dir=options.folder) as folder:
        uvloop.run(measure(Path(folder), options))


async def measure(folder: Path, options: argparse.Namespace) -> None:
    ports = free_ports(3)
    config = write_config(folder, ports)
    url = f"http://127.0.0.1:{ports[2]}"
    config.write_text(config.read_text().replace("https://t.example.com", url))
    database = folder / "letterbell.db"
    token = await prepare(database)
    began = time.perf_counter()
    middle = build(database, options.mails)
    size = database.stat().st_size / 2**20
    print(
        f"{options.mails:,} mails of one sender among as many of another, {size:,.0f} MiB; "
        f"built in {time.perf_counter() - began:.0f} s\n"
    )
    rare = str(options.mails - options.mails % 4)  # the number of one mail alone, of the sender
    paths = {page.what: page.path.format(middle=middle, rare=rare) for page in PAGES}
    with serving(config, ports[2]):
        await measure_answers(url, token, paths, options.rounds)
        if not options.answers:
            await measure_paint(url, token, paths, options.rounds)


async def prepare(database: Path) -> str:
    """The schema and two senders; the token of the first one's session."""
    store = await Store.open(f"sqlite:///{database}")
    senders = Senders(store)
    try:
        busy = await senders.add(LOGIN, "secret", [LOGIN])
        await senders.add(OTHER, "secret", [OTHER])
        return await senders.open_session(busy.id, 86_400)
    finally:
        senders.close()
        await store.close()


def build(path: Path, mails: int) -> int:
    """The id of a mail in the middle."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    first_ms = time.time_ns() // 1_000_000 - 3_600_000 - 2 * mails * STEP_MS
    values = {"mails": 2 * mails, "first_ms": first_ms, "step": STEP_MS, "tail": TAIL_BITS}
    database.execute(BUILD, {**values, "links": LINKS})
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    [middle] = database.execute("SELECT id FROM message ORDER BY id LIMIT 1 OFFSET ?", [mails])
    database.close()
    return int(middle[0])


async def measure_answers(url: str, token: str, paths: dict[str, str], rounds: int) -> None:
    print("| the list | the server's answer, median ms | slowest ms | kB |\n|---|---|---|---|")
    async with ClientSession(cookies={COOKIE: token}) as session:
        for what, path in paths.items():
            octets = 0

            async def read(path: str = path) -> None:
                nonlocal octets
                async with session.get(url + path, allow_redirects=False) as answer:
                    assert answer.status == 200, await answer.text()
                    octets = len(await answer.read())

            took = await time_all(read, rounds)
            slowest = max(took)
            print(
                f"| {what} | {statistics.median(took):.0f} | {slowest:.0f} | {octets / 1000:.0f} |"
            )


async def time_all(read: Callable[[], Awaitable[None]], rounds: int) -> list[float]:
    """How long each takes, in milliseconds; the first one warms up."""
    took = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        await read()
        took.append((time.perf_counter() - began) * 1000)
    return took[1:]


async def measure_paint(url: str, token: str, paths: dict[str, str], rounds: int) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("\nno chromium here: what a browser shows is not measured (Debian: chromium)")
        return
    print(
        "\n| the list | first contentful paint, cold, median ms | warm, median ms |\n|---|---|---|"
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for what, path in {**paths, "for comparison: a page of one line": "/robots.txt"}.items():
            both = [await paint(browser, url, path, token) for _ in range(rounds)]
            cold, warm = (statistics.median(each) for each in zip(*both, strict=True))
            print(f"| {what} | {cold:.0f} | {warm:.0f} |", flush=True)
        await browser.close()


async def paint(browser: Browser, url: str, path: str, token: str) -> tuple[float, float]:
    """Milliseconds from the navigation to the first text, in a fresh profile, and once more."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    await context.add_cookies([{"name": COOKIE, "value": token, "url": url}])
    page = await context.new_page()
    seen = []
    for _ in range(2):
        await page.goto(url + path, wait_until="load")
        seen.append(float(await page.evaluate(PAINT)))
        await page.goto("about:blank")
    await context.close()
    return seen[0], seen[1]


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--answers", action="store_true", help="the server's alone, no browser")
    parser.add_argument("--folder", type=Path, help="where there is room; else the usual one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
