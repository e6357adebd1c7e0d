"""How fast the rewriter is on this machine, beside what else could do its work, in one run.

For each size and transfer encoding: `rewrite` whole, `plan` and `render` alone; lxml and
BeautifulSoup, which only parse and write the decoded HTML again; the usual recipes (email and a
regular expression; mailsplit and a regular expression in node, where node is), which do the whole
mail. Then memory, a mail of 25 MB, and input that costs other parsers quadratic time. Rounds
alternate, medians are told, and what counts is the ratio of one run: see README.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import ctypes
import email.message
import email.policy
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bs4 import BeautifulSoup
from lxml import etree
from newsletter import newsletter

from rewriter import Plan, Rewritten, Tracking, plan, rewrite

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))
from pathological import KINDS  # noqa: E402 - the tests' own inputs

BOTH = Tracking(
    opens=True, clicks=True, own_hosts=frozenset({"t.example.com"}), max_html=100_000_000
)
SIZES = {"2 kB": 2_000, "30 kB": 30_000, "100 kB": 100_000, "1 MB": 1_000_000}
ENCODINGS = ("8bit", "quoted-printable", "base64")
ATTACHMENT = 18_000_000  # bytes; 25 MB as base64
MODULES = HERE.parent / "build" / "bench"
SPLITTER = "@zone-eu/mailsplit@5.4.19"

Work = Callable[[], object]


class Mint:
    """URLs as long as the collector's."""

    def click(self, target: bytes, ordinal: int) -> str:
        name = base64.urlsafe_b64encode(target).rstrip(b"=").decode()
        return f"https://t.example.com/c/{name:x<100}"

    def pixel(self) -> str:
        return "https://t.example.com/o/" + "x" * 43

    def notice(self) -> str:
        return "https://t.example.com/p/" + "x" * 43


MINT = Mint()


def document(size: int) -> bytes:
    """A newsletter's HTML of about `size` bytes, 20 links for each 30 kB."""
    html = newsletter().partition(b"\r\n\r\n")[2]
    start = html.index(b"<tr>")
    end = html.index(b"</table>\r\n</body>")
    rows = html[start:end]
    times, rest = divmod(max(0, size - (len(html) - len(rows))), len(rows))
    cut = rows.find(b"</tr>\r\n", rest) + len(b"</tr>\r\n") if rest else 0
    return html[:start] + rows * times + rows[:cut] + html[end:]


def message(html: bytes, encoding: str) -> bytes:
    """A mail of that one part."""
    if encoding == "base64":
        html = base64.encodebytes(html).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        html = re.sub(rb"(?<!\r)\n", b"\r\n", binascii.b2a_qp(html))
    head = newsletter().partition(b"Content-Type")[0]
    kind = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n"
    return head + kind.format(encoding).encode() + html


def rewritten(raw: bytes) -> Rewritten:
    result = rewrite(raw, tracking=BOTH, links=MINT)
    assert isinstance(result, Rewritten), result
    return result


def lxml_round_trip(html: bytes) -> bytes:
    return etree.tostring(etree.fromstring(html, etree.HTMLParser()), method="html")


def soup_round_trip(html: bytes) -> str:
    return str(BeautifulSoup(html, "lxml"))


def email_and_regex(raw: bytes) -> bytes:
    """The usual recipe in Python: parse, get_content, edit, set_content, as_bytes."""
    mail = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(mail, email.message.EmailMessage)
    part = mail.get_body(("html",))
    assert isinstance(part, email.message.EmailMessage)
    html = re.sub(
        r'(<a[^>]*\shref=")(http[^"]+)',
        lambda link: link[1] + MINT.click(link[2].replace("&amp;", "&").encode(), 0),
        part.get_content(),
    )
    html = html.replace("</body>", f'<img src="{MINT.pixel()}" width="1" height="1"></body>', 1)
    part.set_content(html, subtype="html")
    return mail.as_bytes()


def medians(works: dict[str, Work], rounds: int) -> dict[str, float]:
    """Milliseconds of the processor for each work, measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began = time.process_time()
            work()
            times[name].append(time.process_time() - began)
    return {name: 1_000 * statistics.median(each) for name, each in times.items()}


def time_sizes(options: argparse.Namespace) -> None:
    print(
        "| HTML | encoding | rewrite ms | plan ms | render ms | MB/s | lxml ms | bs4 ms |"
        " email ms | mailsplit ms | found and spliced, of lxml | whole, of lxml |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, size in SIZES.items():
        for encoding in ENCODINGS:
            print(f"| {name} | {encoding} | " + time_size(document(size), encoding, options) + " |")
            sys.stdout.flush()


def time_size(html: bytes, encoding: str, options: argparse.Namespace) -> str:
    """One line of the table, from the third column on."""
    raw = message(html, encoding)
    planned = plan(raw, tracking=BOTH)
    assert isinstance(planned, Plan)
    # About as long for every size; the slowest of them takes a second for 1 MB.
    rounds = max(3, options.rounds * 30_000 // max(30_000, len(html)))
    ms = medians(
        {
            "rewrite": lambda: rewritten(raw),
            "plan": lambda: plan(raw, tracking=BOTH),
            "render": lambda: planned.render(MINT, verified=True),
            "lxml": lambda: lxml_round_trip(html),
            "bs4": lambda: soup_round_trip(html),
            "email": lambda: email_and_regex(raw),
        },
        rounds,
    )
    ms["mailsplit"] = time_splitter(raw, rounds)
    speed = len(raw) / ms["rewrite"] / 1_000
    found = ms["lxml"] / (ms["plan"] + ms["render"])
    cells = [f"{ms[name]:.2f}" for name in ("rewrite", "plan")]
    cells += [f"{ms['render']:.3f}", f"{speed:.0f}"]
    cells += [f"{ms[name]:.2f}" for name in ("lxml", "bs4", "email", "mailsplit")]
    return " | ".join([*cells, f"{found:.2f}", f"{ms['lxml'] / ms['rewrite']:.2f}"])


def time_splitter(raw: bytes, rounds: int) -> float:
    """Milliseconds of mailsplit with a regular expression; nan where node or it is missing."""
    node = shutil.which("node")
    if node is None or not (MODULES / "node_modules").is_dir():
        return float("nan")
    warm = 50  # rounds in which node compiles
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        command = [node, HERE / "splitter.mjs", MODULES, file.name, str(warm + rounds)]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return statistics.median(map(float, lines[warm:]))


def fetch_splitter() -> None:
    """Puts mailsplit into build/bench, if npm is here; without it its column is nan."""
    npm = shutil.which("npm")
    if npm is None or (MODULES / "node_modules").is_dir():
        return
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", MODULES, SPLITTER]
    if subprocess.run(command, check=False).returncode:
        print("mailsplit cannot be fetched: its column stays empty", file=sys.stderr)


def big_mail() -> bytes:
    """A newsletter with an attachment, 25 MB in all."""
    octets = bytes(range(256)) * (ATTACHMENT // 256)
    attachment = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    header, _, body = message(document(30_000), "quoted-printable").partition(b"Content-Type")
    return (
        header + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type' + body +
        b"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64"
        b'\r\nContent-Disposition: attachment; filename="x"\r\n\r\n' + attachment + b"--b--\r\n"
    )  # fmt: skip


def weigh() -> None:
    """Peak memory as multiples of the message, each work in a process of its own."""
    print("| mail | rewrite ms | rewrite, peak | lxml, peak | bs4, peak | email, peak |")
    print("|---|---|---|---|---|---|")
    html = document(1_000_000)
    for encoding in ENCODINGS:
        raw = message(html, encoding)
        print(f"| 1 MB, {encoding} | {weigh_one(raw, html)} |", flush=True)
    raw = big_mail()
    print(f"| {len(raw) / 1e6:.0f} MB, 30 kB of it HTML | {weigh_one(raw, None)} |", flush=True)


def weigh_one(raw: bytes, html: bytes | None) -> str:
    works: list[Work | None] = [
        lambda: rewritten(raw),
        (lambda: lxml_round_trip(html)) if html else None,
        (lambda: soup_round_trip(html)) if html else None,
        lambda: email_and_regex(raw),
    ]
    peaks = [f"{peak(work) / len(raw):.2f}" if work else "" for work in works]
    ms = medians({"rewrite": lambda: rewritten(raw)}, 5)["rewrite"]
    return " | ".join([f"{ms:.1f}", *peaks])


def peak(work: Work) -> int:
    """Bytes by which the process grows at most while it works, what it returns included."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        ctypes.CDLL(None).malloc_trim(0)  # or the work could use what others have freed
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is used now
        kept = work()
        os.write(writer, str(memory("VmHWM") - before).encode())
        os._exit(kept is None)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        return int(answer.read())


def memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith(field + ":")]
    return int(line.split()[1]) * 1024


def time_growth(rounds: int) -> None:
    print("| pathological | octets | n, ms | 2n, ms | 4n, ms | 4n : n | peak at n, MB |")
    print("|---|---|---|---|---|---|---|")
    for name, make in KINDS.items():
        raws = [make(times) for times in (1, 2, 4)]
        works: dict[str, Work] = {
            str(n): lambda raw=raw: rewrite(raw, tracking=BOTH, links=MINT)
            for n, raw in enumerate(raws)
        }
        small, middle, large = medians(works, rounds).values()
        weight = peak(works["0"]) / 1_000_000
        print(
            f"| `{name}` | {len(raws[0]):,} | {small:.1f} | {middle:.1f} | {large:.1f}"
            f" | {large / small:.1f} | {weight:.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100, help="for 30 kB; fewer for more")
    options = parser.parse_args()
    fetch_splitter()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    weigh()
    print()
    time_sizes(options)
    print()
    time_growth(3)


if __name__ == "__main__":
    main()
