"""Who reads the mails: requests with real tokens of many messages, by many programs."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from collector.senders import Senders
from collector.store import Outcome, Sent, Store
from collector.tokens import Tokens, mint_message_id

TARGET = b"https://www.example.com/news/2026/11/offers?utm_source=newsletter&link=%02d"
LINKS = 20
RECIPIENTS = (
    100  # of each message, each with a copy of their own: one copy for all, and clicks this
)
# fast would be a burst
SENT_AGO_MS = 3_600_000  # so that hits are judged by the whole table of rules

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_PROGRAMS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/%d.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {_WEBKIT} Chrome/%d.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/%d.0.0.0 Safari/537.36 Edg/%d.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Thunderbird/%d.0",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_%d like Mac OS X) {_APPLE}",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_%d) {_APPLE}",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; Microsoft Outlook 16.0.%d)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.%d; Pro)",
)
_FIXED = (
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "curl/8.5.0",
)
VERSIONS = range(100, 120)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a recipient's program, as it comes through a proxy."""

    path: str
    agent: str
    address: str

    @property
    def line(self) -> str:
        """As wrk.lua reads it."""
        return f"{self.path}\t{self.agent}\t{self.address}\n"

    @property
    def head(self) -> bytes:
        """As it goes over the wire."""
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: t.example.com\r\nUser-Agent: {self.agent}\r\n"
            f"X-Forwarded-For: {self.address}\r\n\r\n"
        ).encode()


def agents() -> list[str]:
    """The programs with their versions: 185 different ones."""
    spelt = [program.replace("%d", str(version)) for program in _PROGRAMS for version in VERSIONS]
    return [*spelt, *_FIXED]


def ask_for(kind: str, ids: Sequence[int], tokens: Tokens, count: int) -> list[Asked]:
    """So many requests of "open" or "click", each with a message, link, program and address."""
    draw = random.Random(kind)  # the same in every run
    programs = agents()
    return [
        Asked(
            _path(
                kind, draw.choice(ids), draw.randint(1, RECIPIENTS), draw.randrange(LINKS), tokens
            ),
            draw.choice(programs),
            f"{draw.randrange(1, 224)}.{draw.randrange(256)}.{draw.randrange(256)}.7",
        )
        for _ in range(count)
    ]


async def send_mails(store_url: str, count: int) -> list[int]:
    """Has so many messages stored, which were taken an hour ago; their ids."""
    store = await Store.open(store_url)
    senders = Senders(store)
    sender = await senders.ensure("bench", ["bench@example.com"], opens=True, clicks=True)
    assert sender
    sent_at_ms = time.time_ns() // 1_000_000 - SENT_AGO_MS
    ids = [mint_message_id(sent_at_ms, number) for number in range(count)]
    mails = [_sent(message_id, sender.id, sent_at_ms) for message_id in ids]
    await asyncio.gather(*map(store.record_sent, mails))
    for message_id in ids:
        store.record_outcome(message_id, Outcome(at_ms=sent_at_ms, state="delivered", reply="ok"))
    senders.close()
    await store.close()
    return ids


def _path(kind: str, message_id: int, recipient: int, link: int, tokens: Tokens) -> str:
    if kind == "open":
        return f"/o/{tokens.mint_open(message_id, recipient)}"
    return f"/c/{tokens.mint_click(message_id, recipient, link, TARGET % link)}"


def _sent(message_id: int, sender_id: int, at_ms: int) -> Sent:
    return Sent(
        message_id=message_id,
        sender_id=sender_id,
        sent_at_ms=at_ms,
        mail_from="bench@example.com",
        recipients=tuple(f"reader{number}@example.net" for number in range(RECIPIENTS)),
        subject="What is new in November",
        message_id_header=f"<{message_id}@example.com>",
        opens=True,
        clicks=True,
        per_recipient=True,
    )
