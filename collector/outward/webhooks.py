"""One webhook at a time: POSTed as JSON, signed, to an address that a sender has chosen.

Invariants. No socket is connected to an address that `reach` refuses: the very address is judged
that it is about to be connected to, so names and redirects (none is followed) gain nothing. What
the receiver answers is looked at no further than its head. Nothing of the address is logged.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import partial
from importlib.metadata import version

import aiohttp
from aiohttp.abc import AbstractCookieJar
from yarl import URL

from collector.client import Networks
from collector.outward import reach
from collector.outward.outcomes import Failed, Outcome, Taken
from collector.outward.signature import sign

MAX_URL = 2_000  # characters
SECONDS = 20.0  # for one attempt, all in all
MAX_WAIT = 21_600.0  # seconds that a receiver may put us off
AT_ONCE = 8

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]


class AddressRefused(ValueError):  # noqa: N818 - named for what happened
    """A text that no webhook can be sent to; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Webhooks:
    """Sends them. Make it inside a running loop; `close` it when done.

    Plain HTTP is spoken into the `allowed` networks alone: what a notification says of people is
    for nobody on the way.
    """

    def __init__(self, allowed: Networks = ()) -> None:
        self._allowed = allowed
        self._sessions = {
            "https": _session(partial(_judged, allowed=allowed, check=reach.check)),
            "http": _session(partial(_judged, allowed=allowed, check=reach.check_allowed)),
        }

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def read(self, text: str) -> str:
        """The address as it is kept. Raises AddressRefused: "address", "plain", "login"."""
        try:
            url = URL(text.strip())
            port = url.port
        except ValueError:
            raise AddressRefused("address") from None
        if url.scheme not in self._sessions or not url.host or not port or len(text) > MAX_URL:
            raise AddressRefused("address")
        if url.scheme == "http" and not self._allowed:
            raise AddressRefused("plain")
        if url.user is not None or url.password is not None:
            raise AddressRefused("login")
        return str(url.with_fragment(None))

    async def look_up(self, address: str) -> Failed | None:
        """What is wrong with where the address leads just now, as far as the DNS tells."""
        url = URL(address)
        check = reach.check if url.scheme == "https" else reach.check_allowed
        try:
            async with asyncio.timeout(SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(
                    url.raw_host, url.port, type=socket.SOCK_STREAM
                )
        except (OSError, UnicodeError, TimeoutError):
            return Failed("name")
        for *_, place in found:
            try:
                check(str(place[0]), int(place[1]), self._allowed)
            except reach.Unreachable as refusal:
                return Failed(refusal.reason)
        return None

    async def post(self, address: str, secret: str, event_id: str, body: bytes) -> Outcome:
        """One attempt. The receiver knows by `event_id` what it has already."""
        url = URL(address)
        headers = sign(secret, event_id, int(time.time()), body)
        try:
            async with self._sessions[url.scheme].post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return _read_answer(answer.status, answer.headers.get("Retry-After", ""))
        except TimeoutError:
            return Failed("slow")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _read_error(error)


def show(address: str) -> str:
    """The address for people, without what in it may be secret."""
    url = URL(address)
    rest = "/…" if url.path != "/" or url.query_string else "/"
    return f"{url.origin()}{rest}"


def _session(factory: Callable[[AddressInfo], socket.socket]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=factory, limit=AT_ONCE, use_dns_cache=False, keepalive_timeout=5
        ),
        cookie_jar=_no_cookies(),
        timeout=aiohttp.ClientTimeout(total=SECONDS),
        trust_env=False,  # a proxy would connect to what we may not judge
        headers={
            "Content-Type": "application/json",
            "User-Agent": f"Letterbell/{version('letterbell')}",
        },
    )


def _no_cookies() -> AbstractCookieJar:
    return aiohttp.DummyCookieJar()


def _judged(
    found: AddressInfo, *, allowed: Networks, check: Callable[[str, int, Networks], None]
) -> socket.socket:
    """The socket for an address of aiohttp's, which connects it at once. Raises Unreachable."""
    family, kind, protocol, _, place = found
    check(str(place[0]), int(str(place[1])), allowed)
    return socket.socket(family, kind, protocol)


def _read_answer(status: int, retry_after: str) -> Outcome:
    if 200 <= status < 300:
        return Taken()
    if status == 410:
        return Failed("gone", lasting=True)
    if 300 <= status < 400:
        return Failed("redirect", str(status))
    # What this one event is answered with need not be what the next one is.
    its_own_fault = 400 <= status < 500 and status not in {401, 403, 404, 408, 429}
    return Failed("status", str(status), wait=_read_wait(retry_after), spares_others=its_own_fault)


def _read_wait(retry_after: str) -> float:
    """Seconds, RFC 9110 §10.2.3."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), MAX_WAIT)
    try:
        moment = parsedate_to_datetime(retry_after)
        return min(max(0.0, moment.timestamp() - time.time()), MAX_WAIT)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _read_error(error: Exception) -> Failed:
    cause = getattr(error, "os_error", error)
    if isinstance(cause, reach.Unreachable):
        return Failed(cause.reason)
    if isinstance(error, aiohttp.ClientConnectorDNSError | aiohttp.InvalidURL):
        return Failed("name")
    if isinstance(error, aiohttp.ClientSSLError):
        return Failed("tls")
    return Failed("unreachable")
