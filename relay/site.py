"""The parts that every Letterbell is made of, put together: what `serve` and `demo` share.

A flat list of constructors. It receives values, not settings; who opens a site brings the doors to
it (listeners, signals) and what stands round it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from collector.app import build_app
from collector.client import Networks
from collector.feed import Feed
from collector.recorder import Recorder
from collector.senders import Senders
from collector.stats import Stats
from collector.store import Store
from collector.tokens import Key, Tokens
from collector.verdict import EARLY_CLICK_MS
from relay.controls import CONTROL_DOMAIN
from relay.drafts import Drafts
from relay.pipeline import Pipeline
from relay.rewriting import OFF, Rewriting
from relay.upstream import UpstreamHost
from relay.upstreams import Upstreams
from rewriter import Tracking, read_label


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running site: `pipeline` takes mail and `drafts` the mail to come, `app` answers HTTP,
    `senders` says who is who."""

    senders: Senders
    upstreams: Upstreams
    pipeline: Pipeline
    drafts: Drafts
    app: web.Application


@asynccontextmanager
async def open_site(
    *,
    store_url: str,
    keys: Sequence[Key],
    upstream: UpstreamHost,
    drafts: Drafts,
    hostname: str,
    public_url: str,
    trusted_proxies: Networks = (),
    metrics_from: Networks = (),
    tracking: Tracking = OFF,
    detrack_quotes: bool = True,
    control_domain: bytes = CONTROL_DOMAIN,
    show_client: bool = False,
    early_click: float = EARLY_CLICK_MS / 1000,
) -> AsyncIterator[Site]:
    """Opens the parts in order and closes them in reverse.

    Raises `StoreError` where the store cannot be used.
    """
    store = await Store.open(store_url)
    senders = Senders(store)
    tokens = Tokens(keys)
    feed = Feed()
    recorder = Recorder(store, feed, early_click=early_click)
    upstreams = Upstreams(upstream)
    rewriting = Rewriting(
        tokens=tokens,
        public_url=public_url,
        drafts=drafts,
        tracking=tracking,
        detrack_quotes=detrack_quotes,
    )
    pipeline = Pipeline(
        store=store,
        senders=senders,
        rewriting=rewriting,
        upstreams=upstreams,
        feed=feed,
        hostname=hostname,
        control_domain=control_domain,
        show_client=show_client,
    )
    app = build_app(
        store=store,
        senders=senders,
        tokens=tokens,
        recorder=recorder,
        stats=Stats(store),
        feed=feed,
        read_label=read_label,
        public_url=public_url,
        trusted_proxies=trusted_proxies,
        metrics_from=metrics_from,
        secure_cookies=public_url.startswith("https:"),
    )
    try:
        yield Site(senders=senders, upstreams=upstreams, pipeline=pipeline, drafts=drafts, app=app)
    finally:
        await upstreams.close()
        await recorder.close()
        senders.close()
        await store.close()
