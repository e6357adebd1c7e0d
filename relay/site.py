"""The parts that every Letterbell is made of, put together: what `serve` and `demo` share.

A flat list of constructors. It receives values, not settings; who opens a site brings the doors to
it (listeners, signals) and what stands round it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from collector.app import build_app
from collector.client import Networks
from collector.consent import DEFAULT_MODE, Mode
from collector.consents import Consents
from collector.enrolment import ALL_ON, Enrolment
from collector.feed import Feed
from collector.keeping import DEFAULT, Keeping
from collector.logins import OURS, Logins
from collector.outward.parts import Outward
from collector.outward.ways import ALL_WAYS, Ways
from collector.pages.telling import Words
from collector.presence import Presence
from collector.recorder import Recorder
from collector.retention import FOR_EVER, Ages, Retention
from collector.senders import Senders
from collector.servers import DEFAULT as UNSAID
from collector.servers import Servers
from collector.signs import Signs
from collector.stats import Stats
from collector.store import Store
from collector.tokens import Key, Tokens
from collector.verdict import EARLY_CLICK_MS
from relay.alarms import Alarms
from relay.controls import CONTROL_DOMAIN
from relay.custody import Clock, Custody
from relay.delivery import Delivery, WhenAway
from relay.drafts import Drafts
from relay.letters import Letters
from relay.orders import Orders, obey
from relay.pipeline import Pipeline
from relay.queue import Queue
from relay.records import Records
from relay.reports import Reports
from relay.rewriting import OFF, Rewriting
from relay.schedule import Pace
from relay.signing import Signing
from relay.spool import Spool
from relay.upstream import UpstreamRoute
from relay.upstreams import Upstreams
from rewriter import Tracking, read_label

STOP_SECONDS = 10.0  # for attempts that run, once no mail comes in any more
DEFAULT_PACE = Pace()
UNSIGNED = Signing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running site: `pipeline` takes mail and `drafts` the mail to come, `delivery` has it leave,
    `app` answers HTTP, `senders` says who is who."""

    senders: Senders
    upstreams: Upstreams
    pipeline: Pipeline
    delivery: Delivery
    queue: Queue
    custody: Custody
    reports: Reports
    drafts: Drafts
    tokens: Tokens
    recorder: Recorder
    retention: Retention
    outward: Outward
    app: web.Application

    def change_delivery(self, *, pace: Pace, inline_timeout: float, when_away: WhenAway) -> None:
        """From now on mail is tried at this pace, its clients wait so long."""
        self.delivery.pace = self.custody.pace = pace
        self.reports.lifetime = pace.lifetime
        self.delivery.inline_timeout = inline_timeout
        self.delivery.when_away = when_away

    def change_signs(self, signs: Signs) -> None:
        """From now on hits are judged by these."""
        self.recorder.signs = signs

    def change_keeping(self, keeping: Keeping, ages: Ages) -> None:
        """From now on so much is kept of a hit, for so long; what is kept already only ages."""
        self.recorder.keeping = keeping
        self.retention.ages = ages

    def change_routes(self, routes: Sequence[UpstreamRoute]) -> None:
        """From now on mail goes by these, what waits as well."""
        self.upstreams.change(routes)
        self.queue.reroute()


@asynccontextmanager
async def open_site(
    *,
    store_url: str,
    keys: Sequence[Key],
    routes: Sequence[UpstreamRoute],
    drafts: Drafts,
    hostname: str,
    public_url: str,
    spool: Spool,
    signing: Signing = UNSIGNED,
    pace: Pace = DEFAULT_PACE,
    inline_timeout: float = 20.0,
    when_away: WhenAway = "queue",
    trusted_proxies: Networks = (),
    metrics_from: Networks = (),
    tracking: Tracking = OFF,
    detrack_quotes: bool = True,
    keep_snippet: bool = True,
    control_domain: bytes = CONTROL_DOMAIN,
    show_client: bool = False,
    signs: Signs | None = None,
    presence: Presence | None = None,
    early_click: float = EARLY_CLICK_MS / 1000,
    consent: Mode = DEFAULT_MODE,
    keeping: Keeping = DEFAULT,
    ages: Ages = FOR_EVER,
    enrolment: Enrolment = ALL_ON,
    servers: Servers = UNSAID,
    sign_profile: Callable[[bytes], bytes] = bytes,
    logins: Logins = OURS,
    ways: Ways = ALL_WAYS,
    digest_from: str | None = None,
) -> AsyncIterator[Site]:
    """Opens the parts in order and closes them in reverse.

    Mails of a day's notifications are from `digest_from`, else from no-reply at `hostname`.
    Raises `StoreError` where the store cannot be used.
    """
    store = await Store.open(store_url)
    senders = Senders(store)
    consents = Consents(store, consent)
    tokens = Tokens(keys)
    feed = Feed()
    presence = presence or Presence(tuple(trusted_proxies))
    recorder = Recorder(
        store,
        feed,
        signs=signs,
        presence=presence,
        early_click=early_click,
        keeping=keeping,
        consent=consent,
    )
    retention = Retention(store, ages)
    outward = Outward(store, keys, Words(public_url), public_url=public_url, ways=ways)
    upstreams = Upstreams(routes)
    rewriting = Rewriting(
        tokens=tokens,
        public_url=public_url,
        drafts=drafts,
        tracking=tracking,
        detrack_quotes=detrack_quotes,
        keep_snippet=keep_snippet,
    )
    alarms = Alarms()
    if spool.aside:
        alarms.sound(
            "damaged",
            f"{spool.aside} damaged files are in {spool.folder}/aside",
            "look at what they hold, remove them, and restart",
        )
    drafts.on_room = partial(_watch_room, alarms)
    records = Records(store, feed)
    reports = Reports(
        rewriting=rewriting, signing=signing, hostname=hostname, lifetime=pace.lifetime
    )
    custody = Custody(
        spool=spool,
        reporter=reports,
        record=records.note,
        pace=pace,
        clock=Clock(),
    )
    queue = Queue(spool=spool, lane_of=upstreams.lane, custody=custody, alarms=alarms)
    delivery = Delivery(
        upstreams=upstreams,
        spool=spool,
        queue=queue,
        alarms=alarms,
        pace=pace,
        record=records.post,
        reporter=reports,
        inline_timeout=inline_timeout,
        when_away=when_away,
    )
    pipeline = Pipeline(
        store=store,
        senders=senders,
        consents=consents,
        rewriting=rewriting,
        signing=signing,
        delivery=delivery,
        feed=feed,
        presence=presence,
        alarms=alarms,
        hostname=hostname,
        control_domain=control_domain,
        show_client=show_client,
    )
    letters = Letters(
        outward=outward,
        spool=spool,
        queue=queue,
        signing=signing,
        hostname=hostname,
        mail_from=digest_from or f"no-reply@{hostname}",
        settings_url=f"{public_url}/settings/notifications",
    )
    app = build_app(
        store=store,
        senders=senders,
        consents=consents,
        tokens=tokens,
        recorder=recorder,
        stats=Stats(store),
        feed=feed,
        read_label=read_label,
        public_url=public_url,
        trusted_proxies=trusted_proxies,
        presence=presence,
        retention=retention,
        servers=servers,
        sign_profile=sign_profile,
        logins=logins,
        metrics_from=metrics_from,
        alarms=lambda: alarms.sounding,
        queue=queue,
        enrolment=enrolment,
        outward=outward,
        secure_cookies=public_url.startswith("https:"),
    )
    await records.take_up(spool.entries)
    loop = asyncio.get_running_loop()
    running = loop.create_task(queue.run())
    obeying = loop.create_task(obey(Orders(spool.folder), queue))
    retaining = loop.create_task(retention.run())
    writing = loop.create_task(letters.run()) if ways.digest else None
    outward.run()
    try:
        yield Site(
            senders=senders,
            upstreams=upstreams,
            pipeline=pipeline,
            delivery=delivery,
            queue=queue,
            custody=custody,
            reports=reports,
            drafts=drafts,
            tokens=tokens,
            recorder=recorder,
            retention=retention,
            outward=outward,
            app=app,
        )
    finally:
        obeying.cancel()
        retaining.cancel()
        if writing:
            writing.cancel()
            await asyncio.wait({writing})
        await outward.close()
        await queue.stop(STOP_SECONDS)
        await running
        upstreams.close()
        await recorder.close()
        senders.close()
        await store.close()


def _watch_room(alarms: Alarms, is_there: bool) -> None:
    if is_there:
        alarms.clear("room")
    else:
        alarms.sound(
            "room",
            "the disk has less room than delivery.min_free: no mail is taken",
            "make room: `letterbell check` tells where",
        )
