"""Real mail, all of it: `make corpus` rewrites every message there is and reads it a second time.

For each message, its lines ended by CRLF: no exception; nothing changed but href values and the
pixel (tests/e2e/oracle.py, which knows nothing of the rewriter, and tests/invariants.py, byte by
byte); every http(s) href that lxml sees is wrapped or left alone by a named rule. As it is: no
exception, and where its lines end with LF alone the result is the same but for that. The same for
every HTML template in each encoding.

Reads $LETTERBELL_CORPUS (or ../shared/corpora beside the checkout), the mail of CPython's own
tests, and the folders named on the command line. Exits 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from html import unescape
from pathlib import Path

from e2e.oracle import compare, normalise
from invariants import check
from lxml import etree
from mails import BOTH, Mint, mail, rules_of

from rewriter import Rewritten, Tracking, Untouched, rewrite
from rewriter.charset import decode
from rewriter.entities import decode_attribute

ROOT = Path(__file__).parents[1]
OURS = b"Received: by oracle\r\n"
ENCODINGS = ("8bit", "quoted-printable", "base64")
SHOWN = 50
COMPARED = 150  # of a URL: what is skipped is told in short
HOST = "oracle.example"  # in no mail yet
TRACKING = Tracking(opens=True, clicks=True, own_hosts={HOST})
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
WEB = re.compile(r"https?://[^/?#\\\s]", re.IGNORECASE)


@dataclass
class Tally:
    """What became of a source's messages."""

    messages: int = 0
    rewritten: int = 0
    links: int = 0
    seconds: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.messages += other.messages
        self.rewritten += other.rewritten
        self.links += other.links
        self.seconds += other.seconds
        self.reasons += other.reasons
        self.rules += other.rules
        self.faults += other.faults


def judge(path: Path) -> Tally:
    """Every form of one file."""
    tally = Tally()
    raw = path.read_bytes()
    crlf = re.sub(rb"\r?\n", b"\r\n", raw)
    try:
        if path.suffix in (".html", ".htm"):
            for encoding in ENCODINGS:
                judge_message(mail(crlf, encoding), tally)
        else:
            judge_message(crlf, tally)
            judge_newlines(raw, crlf, tally)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        tally.faults.append(f"{path}: {type(error).__name__}: {str(error)[:200]}")
    return tally


def rewritten(raw: bytes, tally: Tally) -> Rewritten | Untouched:
    started = time.perf_counter()
    result = rewrite(raw, tracking=TRACKING, links=Mint(host=HOST))
    tally.seconds += time.perf_counter() - started
    tally.messages += 1
    return result


def judge_newlines(raw: bytes, crlf: bytes, tally: Tally) -> None:
    result, same = rewritten(raw, tally), rewrite(crlf, tracking=TRACKING, links=Mint(host=HOST))
    if b"\r" not in raw and isinstance(result, Rewritten):
        assert isinstance(same, Rewritten), "it matters how lines end"
        assert result.message.replace(b"\n", b"\r\n") == same.message, "it matters how lines end"


def judge_message(raw: bytes, tally: Tally) -> None:
    result = rewritten(raw, tally)
    tally.rules.update(rules_of(result))
    if isinstance(result, Rewritten):
        tally.rewritten += 1
        tally.links += len(result.links)
        judge_edits(raw, result)
    else:
        tally.reasons[result.reason] += 1
    judge_rules(raw, result)
    check(raw, BOTH)


def judge_edits(raw: bytes, result: Rewritten) -> None:
    """Nothing has changed but what is told."""
    findings = compare(raw, OURS + result.message, f"https://{HOST}")
    mint = Mint(host=HOST)
    wanted = {mint.click(link.target, link.ordinal): link.target.decode() for link in result.links}
    assert findings.targets == wanted, "a link leads elsewhere"
    assert bool(findings.pixels) == bool(result.pixel), "a pixel is lost"


def judge_rules(raw: bytes, result: Rewritten | Untouched) -> None:
    """Every link of a part that was read is wrapped, or left alone by a rule."""
    links = result.links if isinstance(result, Rewritten) else ()
    known = {link.target.decode()[:COMPARED] for link in links}
    for skipped in result.skipped:
        known |= {goes_to(unescape(skipped.value)), goes_to(decode_attribute(skipped.value))}
    read = {part.number for part in result.parts if part.rule is None}
    for number, part in leaves(message_from_bytes(raw)):
        if number in read and part.get_content_type() == "text/html":
            for href in seen(part):
                assert href in known, f"{href} has no rule"


def leaves(entity: Message, number: str = "") -> Iterator[tuple[str, Message]]:
    """The leaves of a message as the standard library reads it, numbered as in IMAP."""
    if not entity.is_multipart():
        yield number or "1", entity
        return
    for index, part in enumerate(entity.get_payload(), 1):
        yield from leaves(part, f"{number}.{index}" if number else str(index))


def seen(part: Message) -> Iterator[str]:
    """Every http(s) href that lxml sees in a part."""
    html = decode(part.get_payload(decode=True), part.get_content_charset())
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True)
    root = etree.fromstring(f"<html>{html}".encode("utf-8", "replace"), parser)
    for element in root.iter("a", "area"):
        if WEB.match(href := goes_to(element.get("href", ""))):
            yield href


def goes_to(href: str) -> str:
    """Where a browser goes, if the host can be read; control characters are told apart by none."""
    try:
        return CONTROL.sub("", normalise(href))[:COMPARED]
    except UnicodeError:
        return ""


def sources(folders: list[Path]) -> dict[str, list[Path]]:
    """Folders of messages by their names."""
    own = Path(os.environ.get("LETTERBELL_CORPUS", ROOT.parent / "shared" / "corpora"))
    found = {str(folder): folder for folder in folders}
    found |= {"own": ROOT / "tests" / "corpus", "mail": own / "mail", "html": own / "html"}
    if (tests := importlib.util.find_spec("test")) and tests.submodule_search_locations:
        found["cpython"] = Path(tests.submodule_search_locations[0]) / "test_email" / "data"
    return {
        name: sorted(path for path in folder.rglob("*") if is_message(path))
        for name, folder in found.items()
        if folder.is_dir()
    }


def is_message(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".json", ".png", ".gif", ".jpg", ".tsv", ".au")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    totals = Tally()
    line = "{:<40} {:>8} {:>10} {:>8} {:>8} {:>7}"
    print(line.format("source", "messages", "rewritten", "links", "ms each", "faults"))
    # bs4 tells of every undecodable text there.
    with ProcessPoolExecutor(initializer=logging.disable) as pool:
        for name, paths in sources(parser.parse_args().folders).items():
            tally = Tally()
            for each in pool.map(judge, paths, chunksize=16):
                tally.add(each)
            each_ms = f"{1_000 * tally.seconds / max(1, tally.messages):.2f}"
            numbers = (tally.messages, tally.rewritten, tally.links, each_ms, len(tally.faults))
            print(line.format(name[-40:], *numbers), flush=True)
            totals.add(tally)
    print(
        "\nleft as they came:",
        *(f"\n  {count:>6} {why}" for why, count in totals.reasons.most_common()),
    )
    print(
        "\nlinks and parts left alone:",
        *(f"\n  {count:>6} {why}" for why, count in totals.rules.most_common()),
    )
    print("", *totals.faults[:SHOWN], sep="\n")
    return 1 if totals.faults or not totals.messages else 0


if __name__ == "__main__":
    sys.exit(main())
