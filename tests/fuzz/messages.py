"""Coverage-guided mail: mutates messages towards code not yet reached, and asks the invariants.

    make fuzz [SECONDS=600]

Begins with our golden mails, whole and as bare HTML, and with what earlier runs found worth keeping
(build/fuzz/found). An input that begins with a digit is HTML, put into a mail in the encoding that
the digit stands for, so that mutations need not keep a header whole.

What breaks an invariant is told, and kept as build/fuzz/crash-…, to be read and to become a test:
`python tests/fuzz/messages.py build/fuzz/crash-…` runs one input again. Needs atheris, which is
there for CPython on Linux.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

with atheris.instrument_imports(include=["rewriter"]):
    import rewriter  # noqa: F401 - first imported here, so that it is instrumented

from invariants import FOOTER, check  # noqa: E402 - only behind the instrumented import
from mails import BOTH, mail  # noqa: E402

from rewriter import Tracking  # noqa: E402

LONGEST = 8_192  # octets of an input
CORPUS = ROOT / "tests" / "corpus"
KEPT = ROOT / "build" / "fuzz"
ENCODINGS = {b"0": "8bit", b"1": "quoted-printable", b"2": "base64"}


def ask(data: bytes) -> None:
    """Holds one input against the invariants; its last byte also chooses what is wished for."""
    wish = data[-1] if data else 0
    tracking = Tracking(
        opens=not wish & 1,
        clicks=not wish & 4,  # both for a message that ends with a line
        own_hosts=BOTH.own_hosts,
        text_links=bool(wish & 16),
        wrap_url_text=bool(wish & 32),
        footer=FOOTER if wish & 64 else "",
    )
    encoding = ENCODINGS.get(data[:1])
    check(mail(data[1:], encoding) if encoding else data, tracking)


def seeds() -> Iterator[bytes]:
    """The golden mails, and the HTML in them for each encoding."""
    for path in sorted(CORPUS.glob("*.eml")):
        raw = path.read_bytes()
        yield raw
        for part in message_from_bytes(raw).walk():
            if part.get_content_type() == "text/html":
                html = part.get_payload(decode=True)
                assert isinstance(html, bytes)
                yield from (digit + html for digit in ENCODINGS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("inputs", nargs="*", help="run these, once, instead")
    options = parser.parse_args()
    logging.disable()  # bs4 tells of undecodable text
    folders = [KEPT / "found", KEPT / "seeds"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (KEPT / "seeds" / f"{number:03}").write_bytes(seed)
    arguments = [
        f"-max_total_time={options.seconds}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={KEPT}/",
        f"-dict={Path(__file__).with_name('tokens.dict')}",
        "-timeout=30",  # seconds for one input: it hangs
    ]
    atheris.Setup([sys.argv[0], *arguments, *(options.inputs or map(str, folders))], ask)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
