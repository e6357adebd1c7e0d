"""What `letterbell check` looks at: each check yields its findings, and a problem names its mend.

Nothing is changed, and nothing is made but an empty PostgreSQL database's tables. So it may run
beside the relay and as anybody.
"""

import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from collector.databases import find_database
from collector.errors import StoreError
from collector.postgres import Postgres
from collector.senders import Senders
from collector.signs import UnusableSigns, read_signs
from collector.store import Store
from relay.certificate import read_certificate
from relay.descriptors import allowed, needed
from relay.disks import disk_kind
from relay.listener import bind
from relay.loopback import is_loopback
from relay.problems import bind_mend
from relay.publication import LookupFailed, objection, published
from relay.settings import Settings
from relay.signing_key import UnusableKey
from relay.spool import files_aside
from relay.tls import Unusable
from relay.upstream import UpstreamError, UpstreamHost, UpstreamRoute
from relay.upstreams import Upstreams

EXPIRES_SOON = 14  # days
FORGETFUL = {
    "tmpfs": "what is queued would not survive the machine's next start",
    "ramfs": "what is queued would not survive the machine's next start",
    "overlay": "what is queued would be gone with the container",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, in a line."""

    level: Literal["ok", "note", "warning", "problem"]
    text: str


async def check_store(settings: Settings) -> AsyncIterator[Finding]:
    """Opens the store that is there."""
    path = settings.store.file
    if path and not path.exists():
        if path.parent.is_dir() and os.access(path.parent, os.W_OK):
            yield Finding("ok", f"store: {path} will be made")
        else:
            yield Finding("problem", f"store: {path.parent} is no folder that can be written to")
        return
    if path and path.stat().st_mode & stat.S_IRWXO:
        yield Finding("warning", f"store: {path} is open to everyone: chmod o= {path}")
    try:
        database = find_database(settings.store.open_url)
        if isinstance(database, Postgres) and database.doubt:
            yield Finding("warning", f"store: {database.doubt}")
        store = await Store.open(settings.store.open_url)
        try:
            await store.check()
        finally:
            await store.close()
        yield Finding("ok", f"store: {database.where} opens and takes writes")
    except StoreError as error:
        yield Finding("problem", f"store: {error}")


async def check_spool(settings: Settings) -> AsyncIterator[Finding]:
    """Whether mail in our custody can be kept, and is safe there."""
    folder = settings.spool
    there = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    if not there.is_dir() or not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            "problem",
            f"delivery.spool: {there} is no folder that can be written to: "
            "set delivery.spool to one of this user's",
        )
        return
    kind = disk_kind(there)
    if kind in FORGETFUL:
        mend = "set delivery.spool to a folder on a disk that stays"
        yield Finding(
            "warning", f"delivery.spool: {there} is on {kind}, so that {FORGETFUL[kind]}: {mend}"
        )
    disk = os.statvfs(there)
    free, floor = disk.f_bavail * disk.f_frsize, settings.delivery.min_free
    if free < floor:
        yield Finding(
            "problem",
            f"delivery.min_free: {there} has {free} bytes left of {floor}, so that no mail is "
            "taken: make room, or lower it",
        )
    if there != folder:
        yield Finding("ok", f"delivery.spool: {folder} will be made")
        return
    if folder.stat().st_mode & stat.S_IRWXO:
        yield Finding("warning", f"delivery.spool: {folder} is open to everyone: chmod o= {folder}")
    if aside := files_aside(folder):
        yield Finding(
            "warning",
            f"delivery.spool: {aside} damaged files are in {folder}/aside: look at what they hold, "
            "and remove them",
        )
    yield Finding("ok", f"delivery.spool: {folder} can be written to")


async def check_networks(settings: Settings) -> AsyncIterator[Finding]:
    """Whether each network that needs no login has a sender."""
    path = settings.store.file
    if not settings.auth.network or (path and not path.exists()):
        return
    try:
        store = await Store.open(settings.store.open_url)
    except StoreError:  # told of by check_store
        return
    senders = Senders(store)
    try:
        for each in settings.auth.network:
            found = await senders.find(each.sender)
            if found is None:
                mend = f"letterbell sender add {each.sender}"
                text = f"auth.network: {each.network} has no sender {each.sender!r}: {mend}"
                yield Finding("problem", text)
            elif not found.enabled:
                mend = f"letterbell sender set {each.sender} --enable"
                text = f"auth.network: {each.network}: {each.sender!r} is disabled: {mend}"
                yield Finding("warning", text)
            else:
                yield Finding("ok", f"auth.network: {each.network} sends as {found.login}")
    finally:
        senders.close()
        await store.close()


async def check_ports(settings: Settings) -> AsyncIterator[Finding]:
    """Takes every address for a moment."""
    bound = [each for each in settings.smtp.listen if each.socket is None]
    wanted = [("smtp.listen", each.address, each.port) for each in bound]
    for name, address, port in [*wanted, ("http", settings.http.address, settings.http.port)]:
        where = f"{name}: {address} port {port}"
        try:
            for sock in bind(address, port):
                sock.close()
            yield Finding("ok", f"{where} can be had")
        except OSError as error:
            yield Finding("problem", f"{where}: {bind_mend(error)}")


async def check_listeners(settings: Settings) -> AsyncIterator[Finding]:
    """What of [[smtp.listen]] is allowed, and seldom what was meant."""
    for each in settings.smtp.listen:
        if each.socket is not None:
            yield Finding("note", f"smtp.listen: socket {each.socket!r} comes from systemd")
        for network in each.proxies:
            if not network.prefixlen:
                yield Finding(
                    "warning",
                    f"smtp.listen: proxies = {network} lets everyone say who they are: "
                    "name the proxies' own addresses",
                )
        if each.proxies and each.tls == "none":
            yield Finding(
                "warning",
                "smtp.listen: behind proxies nobody of another machine can log in without TLS: "
                'use tls = "starttls" or "implicit", and let the proxy pass it through',
            )


async def check_files(settings: Settings) -> AsyncIterator[Finding]:
    """Whether so many connections can be open at once."""
    connections = settings.smtp.max_connections
    wanted = needed(connections=connections, upstream=settings.upstream.all_connections)
    if wanted > allowed():
        yield Finding(
            "warning",
            f"smtp.max_connections: {connections} of them may have {wanted} files open, and "
            f"{allowed()} are allowed: raise LimitNOFILE= (ulimit -n), or lower it",
        )


async def check_certificate(settings: Settings) -> AsyncIterator[Finding]:
    """Loads the certificate and shakes hands with it, by the name that mail programs are told."""
    smtp, told = settings.smtp, settings.servers.smtp
    name = settings.hostname if told.security == "none" else told.host
    if smtp.certificate is None or smtp.key is None:
        return
    try:
        found = read_certificate(smtp.certificate, smtp.key, name)
    except Unusable as unusable:
        yield Finding("problem", f"smtp.certificate: {unusable}")
        return
    left = f"smtp.certificate: {smtp.certificate} lasts for {found.days_left} days"
    if found.days_left < EXPIRES_SOON:
        yield Finding("warning", f"{left}: renew it, then send SIGHUP")
    else:
        yield Finding("ok", left)
    if found.objection:
        yield Finding(
            "warning",
            f"smtp.certificate: mail programs will not trust it as {name}: {found.objection}",
        )


async def check_connect(settings: Settings) -> AsyncIterator[Finding]:
    """What senders are told to connect to, and whether a password may go there."""
    smtp = settings.servers.smtp
    where = f"connect: mail programs are told {smtp.host} port {smtp.port}"
    if smtp.security == "none" and not is_loopback(smtp.host) and not settings.auth.network:
        yield Finding(
            "warning",
            f"{where} without TLS, where no password is taken: listen with tls, or set "
            "connect.smtp_security to what a proxy speaks",
        )
    elif is_loopback(smtp.host):
        yield Finding("note", f"{where}, which only this machine can reach")
    else:
        yield Finding("ok", f"{where} ({smtp.security})")


async def check_public_url(settings: Settings) -> AsyncIterator[Finding]:
    """Whether recipients can use what stands in their mail, and unseen by others."""
    url = settings.http.public_url
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        yield Finding("warning", f"http.public_url: only this machine can reach {url}")
    elif parts.scheme == "http":
        yield Finding(
            "warning",
            f"http.public_url: {url} is plain http, so that others on the way see who reads what, "
            "and the page's passwords: put a proxy with TLS before it, and use https",
        )
    else:
        yield Finding("ok", f"http.public_url: {url}")


async def check_tracking(settings: Settings) -> AsyncIterator[Finding]:
    """What filters and mail programs think of pixels (measured with SpamAssassin) and links."""
    if settings.tracking.opens:
        yield Finding(
            "note",
            "tracking.opens: in HTML mail without any image the pixel costs 1.5 SpamAssassin "
            "points on average, in mail with an image none",
        )
    if settings.tracking.wrap_url_text:
        yield Finding(
            "note",
            "tracking.wrap_url_text: mail programs and filters warn of links that show one address "
            "and lead to another",
        )


async def check_verdict(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the lists that tell people from machines can be read."""
    folder = settings.verdict.data
    try:
        signs = read_signs(folder)
    except UnusableSigns as unusable:
        yield Finding("problem", f"verdict.data: {unusable}")
        return
    if folder is not None:
        yield Finding(
            "ok", f"verdict.data: {folder} is read; the oldest table is of {signs.oldest}"
        )


async def check_upstream(settings: Settings) -> AsyncIterator[Finding]:
    """Connects to each host of each route, goes over to TLS and logs in."""
    for route in settings.upstream.routes(settings.hostname):
        whose = f" (for {', '.join(route.senders)})" if route.senders else ""
        for host in route.hosts:
            yield await _check_host(host, whose)
            if host.tls == "none" and not is_loopback(host.host):
                yield Finding(
                    "warning", f"upstream: mail goes to {host.where} in clear: set upstream.tls"
                )


async def _check_host(host: UpstreamHost, whose: str) -> Finding:
    upstreams = Upstreams([UpstreamRoute.to(host)])
    try:
        await upstreams.lane(b"").check()
    except UpstreamError as error:
        return Finding("problem", f"upstream{whose}: {error}")
    as_whom = f" as {host.user}" if host.user else ""
    return Finding(
        "ok", f"upstream{whose}: {host.host} port {host.port} takes our session{as_whom}"
    )


async def check_dkim(settings: Settings) -> AsyncIterator[Finding]:
    """Reads each key, and looks for its public half in the DNS."""
    for number, each in enumerate(settings.dkim.key):
        try:
            key = each.read()
            wrong = objection(key, await published(key.name))
        except UnusableKey as unusable:
            yield Finding("problem", f"dkim.key[{number}].file: {unusable}")
        except LookupFailed as failed:
            yield Finding("warning", f"dkim: {failed}: see that this machine can ask the DNS")
        else:
            if wrong:
                mend = f"mail is signed in vain; publish {key.zone_entry}"
                yield Finding("problem", f"dkim: {key.name} {wrong}: {mend}")
            else:
                yield Finding("ok", f"dkim: {key.name} is in the DNS")


CHECKS = (
    check_store,
    check_spool,
    check_networks,
    check_ports,
    check_listeners,
    check_files,
    check_certificate,
    check_connect,
    check_upstream,
    check_dkim,
    check_public_url,
    check_tracking,
    check_verdict,
)
