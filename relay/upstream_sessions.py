"""Sessions with one host over one login: opened, kept between mails, given up.

aiosmtplib connects, speaks TLS and logs in; from there on the transport is ours (transaction.py).
TLS is verified and comes before any credentials, unless the configuration says `tls = "none"`.
"""

import asyncio
import contextlib
import ssl
import weakref
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from aiosmtplib import SMTP, SMTPException, SMTPServerDisconnected

from relay import metrics, silence, upstream_login
from relay.credentials import Bearer, Credentials, Password
from relay.envelope import Copy, Outcome
from relay.gate import Gate
from relay.oauth import TokenSource
from relay.transaction import Conversation, ConversationBroken
from relay.upstream import LoginRefused, UpstreamError, UpstreamHost, translate

PROOF_SECONDS = 300.0  # how long a kept session proves the login that opened it
PASSED_OVER_SECONDS = 60.0  # for which a host that could not be reached is not tried
IDLE_SECONDS = 30.0  # how long an unused session is kept; most servers drop theirs after minutes


class _Kept(NamedTuple):
    conversation: Conversation
    timer: asyncio.TimerHandle
    owner: object


class UpstreamSessions:
    """`credentials` are those of a login that was passed through, else the host's own count, or
    `tokens` in its password's place.

    `gate` is shared by all who use the host. While a session is kept, `owner` is kept alive.
    """

    def __init__(
        self,
        host: UpstreamHost,
        gate: Gate,
        credentials: Credentials | None = None,
        tokens: TokenSource | None = None,
        owner: object | None = None,
    ) -> None:
        self.host = host
        self.gate = gate
        self._is_own = credentials is None
        self._credentials = credentials or _own(host)
        self._tokens = tokens if self._is_own else None
        self._owner = weakref.ref(owner) if owner is not None else lambda: None
        self._idle: list[_Kept] = []
        self._logged_in_at = 0.0
        self._passed_over_until = 0.0

    @property
    def is_worth_a_try(self) -> bool:
        """Whether the last connection did not fail, or did long ago."""
        return asyncio.get_running_loop().time() >= self._passed_over_until

    @property
    def is_proven(self) -> bool:
        """Whether a session stands, and the login was right not long ago."""
        age = asyncio.get_running_loop().time() - self._logged_in_at
        return age < PROOF_SECONDS and any(kept.conversation.is_open for kept in self._idle)

    async def log_in(self) -> None:
        """Opens a session and keeps it. Raises LoginRefused, UpstreamError."""
        async with self.gate.session():
            self._keep(await self._connect())

    async def send(self, copy: Copy, *, partial: bool) -> tuple[Outcome, ...]:
        """What became of the copy. The caller holds a place at the gate.

        Over an idle session if there is one, over a fresh one if that has died before the final
        dot. Raises UpstreamError, ConversationBroken, and OSError where the content fails.
        """
        if conversation := self._take():
            try:
                return await self._over(conversation, copy, partial=partial)
            except ConversationBroken as broken:
                if broken.stage == "end":
                    raise
        return await self._over(await self._connect(), copy, partial=partial)

    async def check(self) -> None:
        """Connects, goes over to TLS and logs in, as for a mail. Raises UpstreamError."""
        (await self._connect()).quit()

    def close(self) -> None:
        """Says goodbye on every idle session."""
        for kept in tuple(self._idle):
            self._retire(kept.conversation)

    async def _over(
        self, conversation: Conversation, copy: Copy, *, partial: bool
    ) -> tuple[Outcome, ...]:
        try:
            outcomes = await conversation.send(copy, partial=partial)
        except BaseException:  # a cancelled one may have been delivered as well
            if conversation.stage == "end":
                metrics.AMBIGUOUS.inc()
            raise
        self._keep(conversation)
        return outcomes

    def _take(self) -> Conversation | None:
        """The session that was used last, so that those not needed grow old and go."""
        while self._idle:
            kept = self._idle.pop()
            kept.timer.cancel()
            self.gate.release(kept.conversation)
            if kept.conversation.is_open:
                return kept.conversation
        return None

    def _keep(self, conversation: Conversation) -> None:
        if conversation.is_open:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(IDLE_SECONDS, self._retire, conversation)
            self._idle.append(_Kept(conversation, timer, self._owner()))
            self.gate.keep(conversation, partial(self._retire, conversation))

    def _retire(self, conversation: Conversation) -> None:
        for kept in [kept for kept in self._idle if kept.conversation is conversation]:
            kept.timer.cancel()
            self._idle.remove(kept)
        self.gate.release(conversation)
        conversation.quit()

    async def _connect(self) -> Conversation:
        """A session that is greeted, encrypted and logged in. Raises UpstreamError."""
        try:
            if self._tokens:
                conversation = await self._connect_by_token(self._tokens)
            else:
                conversation = await self._reach(self._credentials)
        except UpstreamError:
            metrics.UPSTREAM_CONNECTIONS.labels("failed").inc()
            self._passed_over_until = asyncio.get_running_loop().time() + PASSED_OVER_SECONDS
            raise
        self._passed_over_until = 0.0
        return conversation

    async def _connect_by_token(self, tokens: TokenSource) -> Conversation:
        """With one that was kept, or else with a new one, whatever was said of its end."""
        user = (self.host.user or "").encode()
        token = await tokens.token()
        try:
            return await self._reach(Bearer(user, token.encode()))
        except LoginRefused:
            tokens.spoil(token)
        return await self._reach(Bearer(user, (await tokens.token()).encode()))

    async def _reach(self, credentials: Credentials | None) -> Conversation:
        host = self.host
        self.gate.make_room()
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
                await self._open(smtp, credentials)
            except BaseException:
                smtp.close()
                raise
        metrics.UPSTREAM_CONNECTIONS.labels("opened").inc()
        self._logged_in_at = asyncio.get_running_loop().time()
        transport = cast(asyncio.WriteTransport, smtp.transport)  # uvloop's have no such base class
        silence.watch(transport)
        return Conversation(
            transport,
            smtp.esmtp_extensions,
            host=host.host,
            reply_timeout=host.reply_timeout,
            data_timeout=host.data_timeout,
        )

    async def _open(self, smtp: SMTP, credentials: Credentials | None) -> None:
        """EHLO, STARTTLS and AUTH as configured; none is optional."""
        await smtp.ehlo()
        if self.host.tls == "starttls":
            if not smtp.supports_extension("starttls"):
                raise UpstreamError(
                    f"{self.host.where} offers no STARTTLS",
                    'nothing was sent; set upstream.tls = "tls" if it speaks TLS from the start',
                )
            await smtp.starttls()
            await smtp.ehlo()  # what was offered in clear is worth nothing, RFC 3207 §4.2
        if credentials:
            await upstream_login.log_in(smtp, credentials)
        if not smtp.is_connected:
            raise SMTPServerDisconnected("it hung up after the greeting")

    async def _tls_context(self) -> ssl.SSLContext | None:
        if self.host.tls != "none" and self.gate.context is None:
            try:
                self.gate.context = await asyncio.to_thread(_verifying_context, self.host.ca_file)
            except OSError as error:
                raise UpstreamError(
                    f"the authorities in {self.host.ca_file} cannot be read ({error})",
                    "set upstream.ca_file to a PEM file with certificates",
                ) from error
        return self.gate.context

    @contextlib.asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """Every way in which a connection fails, as an UpstreamError."""
        try:
            async with asyncio.timeout(self.host.connect_timeout):
                yield
        except (SMTPException, OSError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            raise translate(error, self.host.where, own_login=self._is_own) from error


def _own(host: UpstreamHost) -> Password | None:
    if host.user is None or host.password is None:
        return None
    return Password(host.user.encode(), host.password.encode())


def _verifying_context(ca_file: Path | None) -> ssl.SSLContext:
    """Reads the authorities to trust: the system's, or those of the file."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
