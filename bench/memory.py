"""How much memory and time mails of 25 MiB take, by their lines' shape and how many come at once.

Each row has a relay of its own, `letterbell serve` as shipped, so that its highest memory is the
row's: see README.md.
"""

import argparse
import base64
import random
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import load
import newsletter
import uvloop
from processes import cpu_seconds, rss_mib
from running import (
    PASSWORD,
    TRACKED,
    UNTRACKED,
    free_ports,
    relay,
    sink,
)

SIZE = 25 * 2**20 - 1000  # octets of a mail, as it is measured against smtp.max_size
HEADER = b"From: ana@example.com\r\nSubject: large\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `unit` fills the mail, as it goes over the wire."""

    shape: str
    unit: bytes
    mails: int
    login: str = UNTRACKED
    header: bytes = HEADER

    def content(self, size: int) -> bytes:
        plain = len(re.sub(rb"\r\n\.?|\r|\n", b"\r\n", self.unit))
        return self.header + self.unit * ((size - len(self.header)) // plain) + b"\r\n"


def attachment() -> bytes:
    """Lines of base64, as most of large mail is."""
    octets = random.Random(25).randbytes(57 * 1000)
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def letter() -> bytes:
    """The newsletter's HTML and the begin of a file with it."""
    outer = newsletter.HEADER + 'Content-Type: multipart/mixed; boundary="="\r\n\r\n--=\r\n'
    html = newsletter.newsletter()[len(newsletter.HEADER) :]
    file = b"\r\n--=\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return outer.encode() + html + file


ROWS = (
    Row("lines of 76", attachment(), 1),
    Row("lines of 3", b"a\r\n", 1),
    Row("lines of dots", b"..\r\n", 1),
    Row("lines ended by LF", b"a\n", 1),
    Row("lines ended by CR", b"a\r", 1),
    Row("lines of 1 MiB", b"a" * (2**20 - 2) + b"\r\n", 1),
    Row("one line", b"a" * 2**16, 1),
    Row("lines of 76", attachment(), 10),
    Row("lines of 76", attachment(), 100),
    Row("lines of 3", b"a\r\n", 100),
    Row("letter and file, tracked", attachment(), 1, TRACKED, letter()),
    Row("letter and file, tracked", attachment(), 10, TRACKED, letter()),
    Row("letter and file, tracked", attachment(), 100, TRACKED, letter()),
)


def main() -> None:
    options = read_options()
    print("| mails at once | shape | CPU s/mail | s in all | MiB before | at most | after |")
    print("|---|---|---|---|---|---|---|")
    for row in ROWS:
        if row.mails <= options.most and options.shape in row.shape:
            print(measure(row, options.size), flush=True)


def measure(row: Row, size: int) -> str:
    ports = free_ports(3)
    with (
        tempfile.TemporaryDirectory(prefix="letterbell-bench-") as folder,
        sink(ports[0]),
        relay(Path(folder), ports) as pid,
    ):
        before = rss_mib(pid, "RSS")
        spent, began = cpu_seconds(pid), time.perf_counter()
        task = load.Load(
            port=ports[1],
            content=row.content(size),
            login=(row.login, PASSWORD),
            connections=row.mails,
            mails=row.mails,
            warm_up=0,
        )
        uvloop.run(load.run(task, warmed_up=lambda: None))
        spent, took = cpu_seconds(pid) - spent, time.perf_counter() - began
        return (
            f"| {row.mails} | {row.shape} | {spent / row.mails:.2f} | {took:.1f} | {before} "
            f"| {rss_mib(pid, 'HWM')} | {rss_mib(pid, 'RSS')} |"
        )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="octets of a mail")
    parser.add_argument("--most", type=int, default=100, help="mails at once")
    parser.add_argument("--shape", default="", help="only rows with this in their shape")
    return parser.parse_args()


if __name__ == "__main__":
    main()
