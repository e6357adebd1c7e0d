"""A collector over a real store, on a real port, with mails and hits at the times one likes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer

from collector.app import build_app
from collector.consents import Consents
from collector.feed import Feed
from collector.hits import Hit, store_hits
from collector.keeping import DEFAULT, Keeping
from collector.outward.parts import Outward
from collector.outward.ways import ALL_WAYS, Ways
from collector.pages.telling import Words
from collector.recorder import Recorder
from collector.retention import FOR_EVER, Ages, Retention
from collector.senders import Sender, Senders
from collector.stats import Stats
from collector.store import Outcome, Sent, SentLink, Store
from collector.tokens import Key, Tokens, mint_message_id
from collector.verdict import Verdict
from rewriter import read_label

SENT_MS = 1_700_000_000_000
WHOLE = Keeping(agents="full")
TOKENS = Tokens([Key(0, bytes(32))])


@dataclass(slots=True)
class Site:
    """The running site, and how its mails come about."""

    store: Store
    senders: Senders
    consents: Consents
    feed: Feed
    outward: Outward
    url: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def add_mail(
        self,
        sender: Sender,
        subject: str = "Hello",
        recipients: tuple[str, ...] = ("ben@example.net",),
        links: tuple[SentLink, ...] = (SentLink(0, "https://example.com/plans", "<b>Plans</b>"),),
        *,
        at_ms: int = SENT_MS,
        tracked: bool = True,
        reason: str | None = None,
        per_recipient: bool = False,
        shared_reason: str | None = None,
        **told: Any,
    ) -> int:
        number = next(self._numbers)
        message_id = mint_message_id(at_ms + number, number)
        await self.store.record_sent(
            Sent(
                message_id=message_id,
                sender_id=sender.id,
                sent_at_ms=at_ms,
                mail_from=sender.login,
                recipients=recipients,
                subject=subject,
                message_id_header=f"<{number}@example.com>",
                opens=tracked,
                clicks=tracked,
                links=links if tracked else (),
                untracked_reason=reason,
                per_recipient=per_recipient,
                shared_reason=shared_reason,
                **told,
            )
        )
        self.feed.publish(sender.id, message_id)
        return message_id

    async def deliver(
        self,
        sender: Sender,
        message_id: int,
        reply: str,
        state: str,
        *,
        at_ms: int = SENT_MS + 500,
    ) -> None:
        outcome = Outcome(at_ms=at_ms, state=state, reply=reply)  # type: ignore[arg-type]
        noted = asyncio.Event()
        self.store.record_outcome(message_id, outcome, noted.set)
        await noted.wait()
        self.feed.publish(sender.id, message_id)

    async def hit(
        self,
        sender: Sender,
        message_id: int,
        kind: str,
        *,
        at_ms: int = SENT_MS + 120_000,
        verdict: str = "person",
        rule: str = "browser",
        link: int | None = None,
        agent: str = "Mozilla/5.0",
        recipient: int = 0,
    ) -> None:
        hit = Hit(
            kind=kind,
            message_id=message_id,
            recipient=recipient,
            link=link,
            at_ms=at_ms,
            method="GET",
            agent=agent,
            purpose="",
            address=None,
        )
        judged = Verdict(verdict, rule, 1.0)
        store = partial(store_hits, hits=[hit], judge=lambda *_: judged, keeping=WHOLE)
        await self.store.write(store)
        self.feed.publish(sender.id, message_id)


@asynccontextmanager
async def open_site(
    folder: Path,
    *,
    store_url: str | None = None,
    keeping: Keeping = DEFAULT,
    ages: Ages = FOR_EVER,
    ways: Ways = ALL_WAYS,
    **told: Any,
) -> AsyncIterator[Site]:
    """The running site, its store in `folder` or where it is told; `told` is more for build_app.

    Nothing leaves it but what a test asks its courier for.
    """
    store = await Store.open(store_url or f"sqlite:///{folder / 'letterbell.db'}")
    senders, consents, feed = Senders(store), Consents(store), Feed()
    recorder = Recorder(store, feed, keeping=keeping)
    public_url = "http://127.0.0.1"
    outward = Outward(
        store, [Key(0, bytes(32))], Words(public_url), public_url=public_url, ways=ways
    )
    app = build_app(
        store=store,
        senders=senders,
        consents=consents,
        tokens=TOKENS,
        recorder=recorder,
        stats=Stats(store),
        feed=feed,
        read_label=read_label,
        public_url=public_url,
        outward=outward,
        trusted_proxies=(),
        metrics_from=(),
        secure_cookies=False,
        retention=Retention(store, ages),
        **told,
    )
    async with TestServer(app) as server:
        yield Site(store, senders, consents, feed, outward, str(server.make_url("")).rstrip("/"))
    await outward.close()
    await recorder.close()
    senders.close()
    await store.close()
