"""`serve`: a site with its doors open, until a signal closes them.

On SIGTERM or SIGINT it stops listening, lets the mail that is on its way arrive (at most
`DRAIN_SECONDS`), stores the hits that are waiting, and returns. On SIGHUP it reads the certificate
again.
"""

import asyncio
import signal
import socket
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiohttp import web

from collector.app import build_runner
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
from relay.rates import Rates
from relay.reloading import Reloading
from relay.service import Door, Service, Submission
from relay.settings import ListenSettings, Settings, SmtpSettings
from relay.site import Site, open_site
from relay.tls import Tls, Unusable
from relay.upstream import UpstreamHost

log = structlog.get_logger()

DRAIN_SECONDS = 30.0

Handed = dict[str, list[socket.socket]]


async def serve(settings: Settings, handed: Handed | None = None) -> None:
    """Runs until SIGTERM or SIGINT. `handed` are sockets that listeners call theirs by name.

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
        site = await stack.enter_async_context(
            open_site(
                store_url=settings.store.url,
                keys=settings.tokens.parsed,
                upstream=upstream_host(settings),
                drafts=Drafts(settings.store.folder),
                hostname=settings.hostname,
                public_url=settings.http.public_url,
                trusted_proxies=settings.http.trusted_proxies,
                metrics_from=settings.http.metrics_from,
                tracking=settings.tracking.parsed,
                detrack_quotes=settings.tracking.detrack_quotes,
                control_domain=settings.tracking.control_domain.encode(),
                show_client=settings.smtp.show_client,
            )
        )
        await _open_collector(stack, site, settings)
        await _open_relay(stack, site, settings, reloading, handed or {})
        stack.callback(loop.create_task(reloading.run()).cancel)
        log.info("ready")
        await stopped.wait()
        log.info("stopping")
    log.info("stopped")


def upstream_host(settings: Settings) -> UpstreamHost:
    """[upstream] as the relay's part for it takes it."""
    upstream = settings.upstream
    password = upstream.password.get_secret_value() if upstream.password else None
    return UpstreamHost(
        host=upstream.host,
        port=upstream.port,
        hostname=settings.hostname,
        tls=upstream.tls,
        user=upstream.user,
        password=password,
        ca_file=upstream.ca_file,
        connections=upstream.connections,
        connect_timeout=upstream.connect_timeout,
        reply_timeout=upstream.reply_timeout,
        data_timeout=upstream.data_timeout,
    )


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
