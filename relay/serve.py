"""`serve`: a site with its doors open, until a signal closes them.

On SIGTERM or SIGINT it stops listening, lets the mail that is on its way arrive (at most
`DRAIN_SECONDS`), keeps what upstream has not answered, stores the hits that are waiting, and
returns. On SIGHUP it reads the certificate and the settings again.
"""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiohttp import web

from collector.app import build_runner
from collector.enrolment import Enrolment
from collector.logins import Logins
from collector.signs import Signs, UnusableSigns, read_signs
from relay.auth import Accounts, Auth, Authority
from relay.certificate import read_certificate
from relay.connections import Connections
from relay.drafts import Drafts
from relay.guard import Guard
from relay.listener import bind, listen
from relay.loopback import is_loopback
from relay.networks import Networks
from relay.passthrough import PassThrough
from relay.problems import ConfigError, Problem, bind_mend
from relay.profile_signature import sign_profile
from relay.rates import Rates
from relay.reloading import Reloading
from relay.schedule import Pace
from relay.sealing import Seal
from relay.service import Door, Service, Submission
from relay.settings import ListenSettings, Settings, SmtpSettings
from relay.signing import Signing
from relay.signing_key import SigningKey, UnusableKey
from relay.site import Site, open_site
from relay.spool import Spool, SpoolError
from relay.tls import Tls, Unusable

log = structlog.get_logger()

DRAIN_SECONDS = 30.0

Handed = dict[str, list[socket.socket]]


async def serve(
    settings: Settings,
    handed: Handed | None = None,
    *,
    reread: Callable[[], Settings] | None = None,
) -> None:
    """Runs until SIGTERM or SIGINT. `handed` are sockets that listeners call theirs by name;
    `reread` reads the settings again and may block.

    Raises `ConfigError` where an address or certificate cannot be used, `StoreError` where the
    store cannot.
    """
    stopped = asyncio.Event()
    reloading = Reloading()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reloading.ask)
    async with AsyncExitStack() as stack:
        seal = Seal(settings.tokens.parsed)
        spool = await _open_spool(settings, seal)
        stack.callback(spool.close)
        signing = Signing(await asyncio.to_thread(signing_keys, settings))
        site = await stack.enter_async_context(
            open_site(
                store_url=settings.store.open_url,
                keys=settings.tokens.parsed,
                routes=settings.upstream.routes(settings.hostname),
                drafts=Drafts(
                    settings.folder,
                    floor=settings.delivery.min_free,
                    spool=settings.spool,
                ),
                hostname=settings.hostname,
                public_url=settings.http.public_url,
                trusted_proxies=settings.http.trusted_proxies,
                metrics_from=settings.http.metrics_from,
                tracking=settings.tracking.parsed,
                detrack_quotes=settings.tracking.detrack_quotes,
                keep_snippet=settings.tracking.keep_snippet,
                control_domain=settings.tracking.control_domain.encode(),
                consent=settings.tracking.consent,
                show_client=settings.smtp.show_client,
                keeping=settings.hits.parsed,
                ages=settings.retention.parsed,
                enrolment=enrolment(settings),
                servers=settings.servers,
                sign_profile=_sign_profile(settings.smtp),
                logins=logins(settings),
                ways=settings.notify.parsed,
                digest_from=settings.digest_from,
                spool=spool,
                signing=signing,
                pace=pace(settings),
                inline_timeout=settings.delivery.inline_timeout,
                when_away=settings.delivery.when_upstream_is_away,
                signs=await asyncio.to_thread(signs, settings),
            )
        )
        if reread:
            reloading.add("settings", partial(_reload_settings, site, signing, seal, reread))
        await _open_collector(stack, site, settings)
        await _open_relay(stack, site, settings, reloading, handed or {})
        stack.callback(loop.create_task(reloading.run()).cancel)
        log.info("ready")
        await stopped.wait()
        log.info("stopping")
        site.delivery.hurry()
    log.info("stopped")


def pace(settings: Settings) -> Pace:
    """[delivery]'s times as the queue takes them."""
    delivery = settings.delivery
    return Pace(
        first=delivery.retry_first,
        longest=delivery.retry_longest,
        lifetime=delivery.lifetime,
        delay=delivery.delay_notice,
    )


def enrolment(settings: Settings) -> Enrolment:
    """What [tracking] gives new senders."""
    tracking = settings.tracking
    return Enrolment(
        opens=tracking.opens,
        clicks=tracking.clicks,
        per_recipient=tracking.per_recipient,
    )


def logins(settings: Settings) -> Logins:
    """[auth] as senders' pages tell it."""
    auth = settings.auth
    return Logins(are_ours=auth.mode == "accounts", app_passwords_only=auth.app_passwords_only)


def signing_keys(settings: Settings) -> list[SigningKey]:
    """[[dkim.key]] with what is in the files. Raises ConfigError."""
    keys = []
    for number, each in enumerate(settings.dkim.key):
        try:
            keys.append(each.read())
        except UnusableKey as unusable:
            raise ConfigError(None, Problem(f"dkim.key[{number}].file", str(unusable))) from None
    return keys


def signs(settings: Settings) -> Signs:
    """What agents and networks are called, with verdict.data over it. Raises ConfigError."""
    try:
        return read_signs(settings.verdict.data)
    except UnusableSigns as unusable:
        what = f"verdict.data: {unusable.file} {unusable.problem}"
        raise ConfigError(None, Problem(what, unusable.mend)) from None


async def _open_spool(settings: Settings, seal: Seal) -> Spool:
    open_spool = partial(
        Spool.open,
        settings.spool,
        min_free=settings.delivery.min_free,
        sealer=seal,
    )
    try:
        return await asyncio.to_thread(open_spool)
    except SpoolError as error:
        raise ConfigError(None, Problem(f"delivery.spool: {error.problem}", error.mend)) from None


def _sign_profile(smtp: SmtpSettings) -> Callable[[bytes], bytes]:
    if smtp.certificate is None or smtp.key is None:
        return bytes
    return partial(sign_profile, smtp.certificate, smtp.key)


def _authority(site: Site, settings: Settings) -> Authority:
    auth, tracking = settings.auth, settings.tracking
    if auth.mode == "accounts":
        return Accounts(site.senders, app_passwords_only=auth.app_passwords_only)
    return PassThrough(
        site.senders,
        site.upstreams,
        addresses=auth.addresses,
        opens=tracking.opens,
        clicks=tracking.clicks,
        per_recipient=tracking.per_recipient,
    )


def _networks(site: Site, settings: Settings) -> Networks:
    return Networks(site.senders, [(each.network, each.sender) for each in settings.auth.network])


async def _open_collector(stack: AsyncExitStack, site: Site, settings: Settings) -> None:
    runner = build_runner(site.app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    address, port = settings.http.address, settings.http.port
    try:
        await web.TCPSite(runner, address, port).start()
    except OSError as error:
        raise _unusable("http", address, port, error) from None
    for taken in runner.addresses:
        log.info("collector listens", address=taken[0], port=taken[1])


async def _open_relay(
    stack: AsyncExitStack, site: Site, settings: Settings, reloading: Reloading, handed: Handed
) -> None:
    smtp = settings.smtp
    connections = Connections(
        limit=smtp.max_connections, limit_per_address=smtp.max_connections_per_address
    )
    service = Service(
        submission=Submission(
            hostname=settings.hostname,
            max_size=smtp.max_size,
            max_recipients=smtp.max_recipients,
            bare_newline=smtp.bare_newline,
            idle_timeout=smtp.idle_timeout,
            control_domain=settings.tracking.control_domain.encode(),
            greeting_delay=smtp.greeting_delay,
        ),
        auth=Auth(_authority(site, settings), Guard(), _networks(site, settings)),
        accept=site.pipeline.accept,
        connections=connections,
        drafts=site.drafts,
        rates=Rates(messages=smtp.max_messages_per_hour, recipients=smtp.max_recipients_per_hour),
    )
    stack.push_async_callback(connections.drain, DRAIN_SECONDS)
    tls = _tls(smtp)
    if tls:
        reloading.add("certificate", partial(_reload_certificate, tls, settings.hostname))
    for each in smtp.listen:
        try:
            listener = listen(_sockets(each, handed), service, _door(each, tls))
        except OSError as error:
            raise _unusable("smtp.listen", each.address, each.port, error) from None
        stack.callback(listener.close)
        for taken in listener.sockets:
            log.info("relay listens", address=taken.getsockname()[0], port=taken.getsockname()[1])
    for name, unused in handed.items():
        log.warning("a socket is not used", name=name, mend="name it in a [[smtp.listen]] table")
        for sock in unused:
            sock.close()


def _sockets(listener: ListenSettings, handed: Handed) -> list[socket.socket]:
    """Bound as the listener says, or taken from those that were handed over."""
    name = listener.socket
    if name is None:
        return bind(listener.address, listener.port)
    if name not in handed:
        names = ", ".join(map(repr, handed)) or "none"
        mend = f"start by a socket unit with FileDescriptorName={name} (handed over: {names})"
        raise ConfigError(None, Problem(f"smtp.listen: there is no socket {name!r}", mend))
    sockets = handed.pop(name)
    for address in (sock.getsockname()[0] for sock in sockets):
        if listener.allow_plain_auth and not is_loopback(address):
            mend = f"with allow_plain_auth passwords would go to {address} in clear"
            raise ConfigError(None, Problem(f"smtp.listen: socket {name!r}", mend))
    return sockets


def _tls(smtp: SmtpSettings) -> Tls | None:
    """The certificate that all listeners share; None if none of them speaks TLS."""
    spoken = any(each.tls != "none" for each in smtp.listen)
    if not spoken or smtp.certificate is None or smtp.key is None:
        return None
    try:
        return Tls(smtp.certificate, smtp.key)
    except Unusable as unusable:
        raise ConfigError(None, Problem("smtp.certificate", str(unusable))) from None


_RELOADED = "delivery, upstream, dkim, tokens, verdict, hits, retention"


async def _reload_settings(
    site: Site, signing: Signing, seal: Seal, reread: Callable[[], Settings]
) -> dict[str, object]:
    """The whole file has to be right; what may not change while the relay runs stays as it is."""
    settings = await asyncio.to_thread(reread)
    new_signs = await asyncio.to_thread(signs, settings)
    signing.change(await asyncio.to_thread(signing_keys, settings))
    site.change_signs(new_signs)
    site.change_keeping(settings.hits.parsed, settings.retention.parsed)
    site.tokens.change(settings.tokens.parsed)
    seal.change(settings.tokens.parsed)
    site.outward.change_keys(settings.tokens.parsed)
    delivery = settings.delivery
    site.change_delivery(
        pace=pace(settings),
        inline_timeout=delivery.inline_timeout,
        when_away=delivery.when_upstream_is_away,
    )
    site.change_routes(settings.upstream.routes(settings.hostname))
    return {"changed": _RELOADED, "mend": "for all else, restart"}


async def _reload_certificate(tls: Tls, hostname: str) -> dict[str, object]:
    """Judged first, as a client would, and off the loop: that takes two handshakes."""
    try:
        found = await asyncio.to_thread(read_certificate, tls.certificate, tls.key, hostname)
        tls.reload()
    except Unusable as unusable:
        raise ConfigError(None, Problem("smtp.certificate", str(unusable))) from None
    return {"days_left": found.days_left, "objection": found.objection}


def _door(listener: ListenSettings, tls: Tls | None) -> Door:
    return Door(
        tls=None if listener.tls == "none" else tls,
        implicit=listener.tls == "implicit",
        allow_plain_auth=listener.allow_plain_auth,
        proxies=listener.proxies,
    )


def _unusable(name: str, address: str, port: int, error: OSError) -> ConfigError:
    return ConfigError(None, Problem(f"{name}: {address} port {port}", bind_mend(error)))
