"""The mail server that takes our mail: connections that are kept, and what became of each copy.

aiosmtplib connects, speaks TLS and logs in; from there on the transport is ours (transaction.py).
TLS is verified and comes before any credentials, unless the configuration says `tls = "none"`.
Whatever goes wrong on the way there is our trouble, not the mail's: Deferred, with the cause in the
log and in `check`, not in the reply to the client.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, cast

import structlog
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectTimeoutError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from relay import metrics, upstream_login
from relay.credentials import Credentials
from relay.envelope import Copy, Deferred, Outcome
from relay.gate import Gate
from relay.transaction import Conversation, ConversationBroken

log = structlog.get_logger()

# To AUTH, those say that it cannot be said so here, and nothing of the login (RFC 4954 §4, §6).
MISMATCH = (500, 501, 502, 503, 504, 530, 538)
PROOF_SECONDS = 300.0  # how long a kept session proves the login that opened it
IDLE_SECONDS = 30.0  # how long an unused session is kept; most servers drop theirs after minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamHost:
    """Where the mail goes and how. `hostname` is our name in EHLO; time-outs in seconds."""

    host: str
    port: int
    hostname: str
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    connections: int = 10
    connect_timeout: float = 30.0
    reply_timeout: float = 60.0
    data_timeout: float = 600.0


class UpstreamError(Exception):
    """No session with upstream. `problem` and `mend` are for the one who runs the relay."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem}: {mend}")
        self.problem = problem
        self.mend = mend


class LoginRefused(UpstreamError):  # noqa: N818 - named for what happened
    """Upstream says that the login is wrong."""


class Upstream:
    """Sends copies to one host over one login's sessions: `credentials`, else the host's own.

    `gate` is shared by all who use the host.
    """

    def __init__(
        self, host: UpstreamHost, gate: Gate | None = None, credentials: Credentials | None = None
    ) -> None:
        self._host = host
        self._gate = gate or Gate(host.connections)
        self._credentials = credentials
        self._idle: list[tuple[Conversation, asyncio.TimerHandle]] = []
        self._logged_in_at = 0.0

    @property
    def is_proven(self) -> bool:
        """Whether a session stands, and the login was right not long ago."""
        age = asyncio.get_running_loop().time() - self._logged_in_at
        return age < PROOF_SECONDS and any(kept.is_open for kept, _ in self._idle)

    async def log_in(self) -> None:
        """Opens a session and keeps it. Raises LoginRefused, UpstreamError."""
        async with self._gate.session():
            self._keep(await self._connect())

    async def send(self, copy: Copy) -> tuple[Outcome, ...]:
        """What became of the copy: an outcome for each recipient, in their order."""
        async with self._gate.session():
            try:
                return await self._send(copy)
            except UpstreamError as error:
                log.warning("upstream unreachable", problem=error.problem, mend=error.mend)
                return _deferred(copy, "4.4.1", b"The mail server upstream cannot be reached")
            except ConversationBroken as broken:
                log.warning("upstream session broke", stage=broken.stage, reason=broken.reason)
                if broken.stage == "end":
                    metrics.AMBIGUOUS.inc()
                return _deferred(copy, "4.4.2", b"The mail server upstream ended the session")

    async def check(self) -> None:
        """Connects, goes over to TLS and logs in, as for a mail. Raises UpstreamError."""
        (await self._connect()).quit()

    async def close(self) -> None:
        """Says goodbye on every idle session."""
        for conversation, _ in tuple(self._idle):
            self._retire(conversation)

    async def _send(self, copy: Copy) -> tuple[Outcome, ...]:
        """Over an idle session if there is one, over a fresh one if that has died meanwhile."""
        if conversation := self._take():
            try:
                return await self._over(conversation, copy)
            except ConversationBroken as broken:
                if broken.stage != "envelope":
                    raise
        return await self._over(await self._connect(), copy)

    async def _over(self, conversation: Conversation, copy: Copy) -> tuple[Outcome, ...]:
        outcomes = await conversation.send(copy)
        self._keep(conversation)
        return outcomes

    def _take(self) -> Conversation | None:
        """The session that was used last, so that those not needed grow old and go."""
        while self._idle:
            conversation, timer = self._idle.pop()
            timer.cancel()
            self._gate.release(conversation)
            if conversation.is_open:
                return conversation
        return None

    def _keep(self, conversation: Conversation) -> None:
        if conversation.is_open:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(IDLE_SECONDS, self._retire, conversation)
            self._idle.append((conversation, timer))
            self._gate.keep(conversation, partial(self._retire, conversation))

    def _retire(self, conversation: Conversation) -> None:
        for kept in [kept for kept in self._idle if kept[0] is conversation]:
            kept[1].cancel()
            self._idle.remove(kept)
        self._gate.release(conversation)
        conversation.quit()

    async def _connect(self) -> Conversation:
        """A session that is greeted, encrypted and logged in. Raises UpstreamError."""
        host = self._host
        self._gate.make_room()
        async with self._translated():
            smtp = SMTP(
                hostname=host.host,
                port=host.port,
                local_hostname=host.hostname,
                timeout=host.connect_timeout,
                use_tls=host.tls == "tls",
                start_tls=False,  # done below, where its absence has its own words
                tls_context=await self._tls_context(),
            )
            await smtp.connect()
            try:
                await self._open(smtp)
            except BaseException:
                smtp.close()
                raise
        metrics.UPSTREAM_CONNECTIONS.labels("opened").inc()
        self._logged_in_at = asyncio.get_running_loop().time()
        return Conversation(
            cast(asyncio.WriteTransport, smtp.transport),  # uvloop's have no such base class
            smtp.esmtp_extensions,
            reply_timeout=host.reply_timeout,
            data_timeout=host.data_timeout,
        )

    async def _open(self, smtp: SMTP) -> None:
        """EHLO, STARTTLS and AUTH as configured; none is optional."""
        await smtp.ehlo()
        if self._host.tls == "starttls":
            if not smtp.supports_extension("starttls"):
                raise UpstreamError(
                    f"{self._where} offers no STARTTLS",
                    'nothing was sent; set upstream.tls = "tls" if it speaks TLS from the start',
                )
            await smtp.starttls()
            await smtp.ehlo()  # what was offered in clear is worth nothing, RFC 3207 §4.2
        if self._credentials:
            await upstream_login.log_in(smtp, self._credentials)
        elif self._host.user is not None:
            await smtp.login(self._host.user, self._host.password or "")
        if not smtp.is_connected:
            raise SMTPServerDisconnected("it hung up after the greeting")

    async def _tls_context(self) -> ssl.SSLContext | None:
        if self._host.tls != "none" and self._gate.context is None:
            try:
                self._gate.context = await asyncio.to_thread(_verifying_context, self._host.ca_file)
            except OSError as error:
                raise UpstreamError(
                    f"the authorities in {self._host.ca_file} cannot be read ({error})",
                    "set upstream.ca_file to a PEM file with certificates",
                ) from error
        return self._gate.context

    @property
    def _where(self) -> str:
        return f"{self._host.host}:{self._host.port}"

    @contextlib.asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """Every way in which a connection fails, as an UpstreamError."""
        try:
            async with asyncio.timeout(self._host.connect_timeout):
                yield
        except UpstreamError:
            metrics.UPSTREAM_CONNECTIONS.labels("failed").inc()
            raise
        except (SMTPException, OSError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            metrics.UPSTREAM_CONNECTIONS.labels("failed").inc()
            raise self._translate(error) from error

    def _translate(self, error: Exception) -> UpstreamError:
        cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
        match cause:
            case ssl.SSLCertVerificationError():
                return UpstreamError(
                    f"the certificate of {self._where} is not valid ({cause.verify_message})",
                    "set upstream.host to the name in it, upstream.ca_file to its own authority",
                )
            case ssl.SSLError():
                return UpstreamError(
                    f"TLS with {self._where} failed ({cause.reason})",
                    "compare upstream.tls and upstream.port: 587 goes with starttls, 465 with tls",
                )
            case SMTPAuthenticationError() if cause.code >= 500 and cause.code not in MISMATCH:
                return LoginRefused(
                    f"{self._where} refused the login ({cause.code})",
                    "the mail program has to log in anew"
                    if self._credentials
                    else "set upstream.user and upstream.password",
                )
            case SMTPResponseException():
                return UpstreamError(
                    f"{self._where} refused the session ({cause.code} {cause.message})",
                    "ask who runs it",
                )
            case SMTPConnectTimeoutError() | TimeoutError():
                return UpstreamError(
                    f"{self._where} does not answer",
                    "set upstream.host and upstream.port, see that no firewall is between",
                )
            case _:
                return UpstreamError(
                    f"{self._where} cannot be reached ({cause})",
                    "set upstream.host and upstream.port, see that it is up",
                )


def _verifying_context(ca_file: Path | None) -> ssl.SSLContext:
    """Reads the authorities to trust: the system's, or those of the file."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _deferred(copy: Copy, enhanced: str, text: bytes) -> tuple[Outcome, ...]:
    return tuple(
        Deferred(recipient=recipient.address, code=451, enhanced=enhanced, text=text)
        for recipient in copy.recipients
    )
