"""Access tokens for upstream (OAuth 2.0), from a command that prints one or by refreshing.

A token is kept until shortly before its end, or until upstream refuses it. Neither tokens nor
what a token server says of them goes into logs or errors: only its error code, RFC 6749 §5.2.
"""

import asyncio
import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import aiohttp
import structlog

from relay.upstream import TokenCommand, TokenOrigin, TokenRefresh, UpstreamError

log = structlog.get_logger()

TIMEOUT = 15.0  # seconds that a token may take
PAUSE = 5.0  # seconds for which a failure stands: many wait for one token
MARGIN = 60.0  # seconds before its end in which a token is not used any more
UNSAID = 300.0  # seconds for which one is kept whose end is not told

_ERROR = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[!-~]{1,8192}")


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, good for so many seconds. `refresh` takes the old one's place, if any."""

    secret: str = field(repr=False)
    seconds: float = UNSAID
    refresh: str | None = field(default=None, repr=False)


class TokenSource:
    """Gives the token of one login; who asks while one is on its way waits for that."""

    def __init__(self, origin: TokenOrigin, clock: Callable[[], float] = time.monotonic) -> None:
        self._origin = origin
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._until = 0.0
        self._failure: UpstreamError | None = None

    async def token(self) -> str:
        """One that is good. Raises UpstreamError."""
        async with self._lock:
            if self._clock() >= self._until:
                await self._renew()
            if self._failure:
                raise UpstreamError(self._failure.problem, self._failure.mend)
            return self._token

    def spoil(self, token: str) -> None:
        """Upstream has refused it, whatever was said of its end."""
        if token == self._token:
            self._until = 0.0

    async def _renew(self) -> None:
        try:
            found = await _fetch(self._origin)
        except UpstreamError as failure:
            self._failure, self._until = failure, self._clock() + PAUSE
            return
        self._failure, self._token = None, found.secret
        self._until = self._clock() + found.seconds
        self._turn(found.refresh)

    def _turn(self, refresh: str | None) -> None:
        """Some servers give a new refresh token with each answer, and the old one ends."""
        if refresh and isinstance(self._origin, TokenRefresh) and refresh != self._origin.refresh:
            self._origin = replace(self._origin, refresh=refresh)
            log.warning(
                "upstream's refresh token was exchanged",
                problem="the new one is known to this process alone",
                mend="get one that stays, or use upstream.token_command",
            )


async def _fetch(origin: TokenOrigin) -> Token:
    try:
        async with asyncio.timeout(TIMEOUT):
            if isinstance(origin, TokenCommand):
                return await _run(origin)
            return await _refresh(origin)
    except TimeoutError:
        raise UpstreamError(
            f"no access token within {TIMEOUT:.0f} seconds", "look at what gives it"
        ) from None


async def _run(origin: TokenCommand) -> Token:
    """What it prints: JSON as of RFC 6749 §5.1, or the token as its first line."""
    name = origin.words[0]
    mend = "see that upstream.token_command prints an access token"
    try:
        process = await asyncio.create_subprocess_exec(
            *origin.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
    except OSError as error:
        raise UpstreamError(f"{name} cannot be run ({error.strerror})", mend) from None
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:  # it was cancelled, or took too long
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise UpstreamError(f"{name} ended with status {process.returncode}", mend)
    text = said.decode("utf-8", "replace").strip()
    return _read(text) or _plain(text) or _unread(name, mend)


async def _refresh(origin: TokenRefresh) -> Token:
    """RFC 6749 §6."""
    host = urlsplit(origin.url).hostname
    form = {
        "grant_type": "refresh_token",
        "refresh_token": origin.refresh,
        "client_id": origin.client,
    }
    if origin.client_secret is not None:
        form["client_secret"] = origin.client_secret
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(origin.url, data=form, allow_redirects=False) as answer,
        ):
            said = await answer.read()
    except aiohttp.ClientError as error:
        raise UpstreamError(
            f"the token server {host} cannot be reached ({type(error).__name__})",
            "set upstream.token_url, see that it is up",
        ) from None
    text = said.decode("utf-8", "replace")
    if answer.status != 200:
        code = _error(text)
        raise UpstreamError(
            f"the token server {host} refused ({answer.status}{code and f' {code}'})",
            "get a new upstream.token_refresh"
            if code == "invalid_grant"
            else "compare upstream.token_url, token_client and token_client_secret",
        )
    return _read(text) or _unread(f"the token server {host}", "set upstream.token_url")


def _read(text: str) -> Token | None:
    """The token of an answer in JSON."""
    said = _json(text)
    secret, seconds, refresh = (
        said.get(name) for name in ("access_token", "expires_in", "refresh_token")
    )
    if not isinstance(secret, str) or not _TOKEN.fullmatch(secret):
        return None
    try:
        good_for = max(0.0, float(str(seconds)) - MARGIN)  # some say it as a string
    except ValueError:
        good_for = UNSAID
    return Token(secret, good_for, refresh if isinstance(refresh, str) and refresh else None)


def _plain(text: str) -> Token | None:
    line = text.partition("\n")[0].strip()
    return Token(line) if _TOKEN.fullmatch(line) and not line.startswith("{") else None


def _unread(whose: str, mend: str) -> Token:
    raise UpstreamError(f"{whose} gave no access token", mend)


def _error(text: str) -> str:
    code = _json(text).get("error")
    return code if isinstance(code, str) and _ERROR.fullmatch(code) else ""


def _json(text: str) -> Mapping[str, object]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
