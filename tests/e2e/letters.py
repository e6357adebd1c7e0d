"""Mails to send: real ones of the corpora where those are, else the project's own few."""

import hashlib
import os
import re
from pathlib import Path

from e2e.house import ANA

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "corpus"
FROM = f"From: Ana <{ANA}>\r\n".encode()
FIELD = re.compile(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
# Our own mail programs' control headers go, whatever they say: not what is looked at here.
CONTROLS = re.compile(rb"(?im)^x-(track|no-track|pm-track|mailgun-track|smtpapi|msys-api)")
MAX_SIZE = 1_000_000

NEWSLETTER = (
    FROM
    + b"""\
To: bob@example.org\r
Subject: A letter\r
Message-ID: <letter@example.com>\r
Date: Mon, 02 Nov 2026 10:00:00 +0000\r
MIME-Version: 1.0\r
Content-Type: text/html; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
<html><body>\r
<p>Gr\xc3\xbc\xc3\x9fe: <a href="https://example.org/one?a=1&amp;b=2">one</a>,\r
<a href='https://example.org/two%7E'>two</a>, <a href="mailto:ana@example.com">write</a>.</p>\r
.\r
..\r
</body></html>\r
"""
)


def corpus() -> Path:
    """LETTERBELL_CORPUS, else the one beside the checkout, else our own."""
    if named := os.environ.get("LETTERBELL_CORPUS"):
        return Path(named)
    beside = ROOT.parent / "shared" / "corpora"
    return beside if beside.is_dir() else OWN


def read_letters(most: int) -> list[tuple[str, bytes]]:
    """At most so many HTML mails, always the same, each as a client would submit it."""
    folder = corpus()
    # Our own results are no letters: their links lead to a relay that never was.
    paths = [
        path for path in folder.rglob("*") if path.is_file() and path.parent != OWN / "rewritten"
    ]
    paths.sort(key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest())
    letters: list[tuple[str, bytes]] = []
    for path in paths:
        raw = path.read_bytes()
        if is_usable(raw):
            letters.append((str(path.relative_to(folder)), as_submitted(raw)))
        if len(letters) == most:
            break
    return letters


def is_usable(raw: bytes) -> bool:
    """HTML mail with a header, that may pass a relay."""
    header = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]
    return (
        b"text/html" in raw.lower()
        and re.match(rb"(From [^\n]*\n)?[!-9;-~]+:", raw) is not None
        and len(raw) <= MAX_SIZE
        and header.lower().count(b"\nreceived:") < 40
        and not CONTROLS.search(header)
    )


def without_bcc(mail: bytes) -> bytes:
    """What may leave of a submitted mail: the relay's one change to every header."""
    header, blank, body = mail.partition(b"\r\n\r\n")
    fields = FIELD.findall(header + blank[:2])
    kept = [field for field in fields if not re.match(rb"(?i)(resent-)?bcc[ \t]*:", field)]
    return b"".join(kept) + (blank[2:] + body if blank else b"")


def as_submitted(raw: bytes) -> bytes:
    """CRLF throughout, no mbox line, written by Ana, nothing else changed."""
    mail = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    if mail.startswith(b"From "):
        mail = mail.partition(b"\r\n")[2]
    header, blank, body = mail.partition(b"\r\n\r\n")
    fields = FIELD.findall(header + b"\r\n")
    kept = [field for field in fields if not re.match(rb"(?i)from[ \t]*:", field)]
    mail = FROM + b"".join(kept) + (blank[2:] + body if blank else b"")
    return mail if mail.endswith(b"\r\n") else mail + b"\r\n"
