"""The submission server's connections: opened, read, timed, encrypted and closed.

aiosmtpd keeps what it does well, the protocol and its handler task. The command loop, the grammar,
DATA, AUTH and STARTTLS are ours (session.py, wire.py, address.py): strict where aiosmtpd is
lenient, in bulk where it goes line by line. Its own smtp_* methods are never reached.
"""

import asyncio
import contextlib
import itertools
import logging
from typing import cast

import structlog
from aiosmtpd.smtp import SMTP

from relay.connections import Connection
from relay.envelope import Refusal
from relay.loopback import is_loopback
from relay.patience import Patience
from relay.service import Door, Service
from relay.session import Session, trouble
from relay.wire import Hangup, Wire

log = structlog.get_logger()

HANDSHAKE_TIMEOUT = 30.0
LINGER = 5.0  # seconds in which a client that is still sending may read our last reply

_numbers = itertools.count(1)

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's own: it would tell what we don't


class SubmissionServer(SMTP):
    """One connection: fed by the event loop, driven by `_handle_client`.

    `peer` is the client's address; `arrival` has had its place among all connections so far.
    """

    def __init__(self, service: Service, door: Door, *, peer: str, arrival: Connection) -> None:
        hostname = service.submission.hostname
        super().__init__(None, hostname=hostname, loop=asyncio.get_running_loop())
        self._service = service
        self._door = door
        self._peer = peer
        self._arrival = arrival
        self._shaking = False
        self._number = next(_numbers)
        self._end = "the client went away"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's have no such base class
        self._patience = Patience(self._service.submission.idle_timeout, self.loop.time())
        self._wire = Wire(transport, self.loop)
        tls = _tls_version(transport)
        self._session = Session(
            self._service,
            self._door,
            self._wire,
            peer=self._peer,
            tls=tls,
            start_tls=self._start_tls,
        )
        log.debug("session opened", session=self._number, peer=self._peer, tls=tls or "none")
        super().connection_made(transport)
        if not self._service.connections.hand_over(self._arrival, self):  # it was told to end
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._wire.feed(data)

    def eof_received(self) -> bool:
        """What came before the end is still answered; TLS cannot be half closed."""
        self._wire.feed_eof()
        return self._wire.transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        self._wire.writable.clear()

    def resume_writing(self) -> None:
        self._wire.writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        if self._shaking:
            self._shaking = False
            tell_of_handshake(self._peer, error)
        log.debug("session closed", session=self._number, peer=self._peer, why=self._end)
        self._wire.writable.set()
        self._service.connections.leave(self)
        super().connection_lost(error)

    def finish(self) -> None:
        """Ends the session: now, or after the reply to the message that is on its way."""
        if self._session.stage == "commands":
            self._goodbye(b"421 4.3.2 The server is stopping; try again soon\r\n")
        self._session.ended = True

    def abort(self) -> None:
        """Ends the connection now, whatever it does."""
        self._end = "we broke it off"
        self._wire.transport.abort()

    async def _handle_client(self) -> None:
        structlog.contextvars.bind_contextvars(session=self._number)  # in all that it logs
        with contextlib.suppress(ConnectionResetError):  # the client has gone
            if await self._waits_for_greeting():
                self._wire.say(b"220 %b ESMTP Letterbell\r\n" % self.hostname.encode("ascii"))
                await self._converse()
                await self._wire.flush()
            else:
                self._session.ended = True
                self._wire.say(b"554 5.5.1 Wait for the greeting\r\n")
                log.info("client refused", peer=self._peer, problem="it spoke before the greeting")
                await self._linger()
        self._wire.transport.close()

    async def _waits_for_greeting(self) -> bool:
        """RFC 5321 §4.3.1: a client must. Programs that shout at any port do not."""
        delay = 0 if is_loopback(self._peer) else self._service.submission.greeting_delay
        return not delay or await self._wire.silence(delay)

    async def _converse(self) -> None:
        """Commands and their replies, until one of them ends the session."""
        while not self._session.ended:
            self._reset_timeout()
            try:
                line = await self._wire.line()
                self._reset_timeout()
                reply = await self._session.obey(line)
            except Hangup as hangup:
                self._session.ended = True
                self._end = hangup.reply.wire().decode("ascii").rstrip()
                self._wire.say(hangup.reply.wire())
                await self._linger()
                return
            except Refusal as refusal:
                reply = refusal.reply
            except ConnectionResetError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever broke, the session answers
                self._session.reset()
                reply = trouble(error)
            if reply:
                self._wire.say(reply.wire())
        self._end = "it was over"

    async def _linger(self) -> None:
        """Lets a client that is still sending read our last reply before the door shuts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._wire.discard()

    async def _start_tls(self) -> str:
        """Goes over to TLS and tells its version. Raises ConnectionResetError if that fails."""
        assert self._door.tls
        self._shaking = True
        try:
            transport = await self.loop.start_tls(
                self._wire.transport,
                self,
                self._door.tls.context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
            )
        except OSError as error:  # ssl.SSLError and time-outs are OSErrors
            self._wire.transport.abort()
            self.connection_lost(error)  # asyncio does not tell after a failed handshake
            raise ConnectionResetError from error
        if transport is None:  # it was closed meanwhile
            raise ConnectionResetError
        self._shaking = False
        self.transport = self._wire.transport = transport
        version = _tls_version(transport)
        log.debug("session encrypted", tls=version)
        return version

    def _goodbye(self, reply: bytes) -> None:
        """Closes, with this reply unless the last one is said already."""
        if not (self._session.ended or self._wire.transport.is_closing()):
            self._end = reply.decode("ascii").rstrip()
            self._wire.transport.write(reply)
        self._wire.transport.close()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """The client's turn begins. The one timer looks when it fires, so a command costs none."""
        self._patience.begin(self.loop.time(), self._wire.received)
        if self._timeout_handle is None:
            self._timeout_handle = self.loop.call_later(self._patience.first, self._timeout_cb)

    def _timeout_cb(self) -> None:
        if self._wire.transport.is_closing():  # long ago, and the client does not read our last
            self.abort()
            return
        again = self._patience.look(
            self.loop.time(),
            self._wire.received,
            waiting=self._wire.waiting,
            in_message=self._session.stage == "message",
            signed_in=not self._session.is_strangers,
        )
        if not again:
            self._goodbye(b"421 4.4.2 Nothing came for too long\r\n")
            again = LINGER
        self._timeout_handle = self.loop.call_later(again, self._timeout_cb)


def tell_of_handshake(peer: str, error: Exception | None) -> None:
    """Logs why there is no TLS: a client's owner will ask. None: the client went away."""
    why = getattr(error, "reason", None) or str(error or "") or "the client went away"
    log.info("handshake failed", peer=peer, problem=why)


def _tls_version(transport: asyncio.Transport) -> str:
    """As in "TLSv1.3"; "" for a connection in clear."""
    encrypted = transport.get_extra_info("ssl_object")
    return str(encrypted.version()) if encrypted else ""
