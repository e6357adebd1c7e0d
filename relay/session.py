"""One submission session: its state, and each command as a checklist (RFC 5321, RFC 6409).

Refusals come first, each with its code at the return; what is left at the end of a checklist is
right. COMMANDS names every command there is. The wire brings lines and takes replies; who opens
and closes it is smtpd's business.
"""

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import structlog

from relay import controls, metrics
from relay.address import parse_mail, parse_rcpt
from relay.auth import check_address
from relay.content import Content
from relay.envelope import Client, Envelope, Identity, Parameters, Recipient, Refusal, Reply, Wishes
from relay.login import Login
from relay.loopback import is_loopback
from relay.rates import Rate
from relay.service import Door, Service
from relay.transparency import Unstuffing
from relay.wire import Hangup, Wire

log = structlog.get_logger()

OVERSIZE = 1_048_576  # how much past the limit is read, so that the client hears why
MAX_IDLE_TALK = 100  # commands without a message, weighed by COMMANDS, before we hang up

_CLIENT_NAME = re.compile(rb"[!-~]{1,255}")


@dataclass(slots=True)
class Transaction:
    """What MAIL and RCPT have said so far."""

    sender_id: int
    mail_from: bytes
    parameters: Parameters
    recipients: list[Recipient] = field(default_factory=list)
    wishes: Wishes = field(default_factory=Wishes)  # of the control addresses, no recipients


class Session:
    """The state of one session, and what each command does to it."""

    def __init__(
        self,
        service: Service,
        door: Door,
        wire: Wire,
        *,
        peer: str,
        tls: str,
        start_tls: Callable[[], Awaitable[str]],
    ) -> None:
        self.stage: Literal["commands", "message", "delivery"] = "commands"
        self.ended = False
        self._service = service
        self._limits = service.submission
        self._door = door
        self._wire = wire
        self._peer = peer
        self._tls = tls  # the protocol's version, "" in clear
        self._start_tls = start_tls
        self._client_name = b""
        self._pipelining = False  # offered, and not forgotten since
        self._transaction: Transaction | None = None
        self._login = Login(service.auth, peer=peer, may_log_in=lambda: self._may_log_in)
        self._idle_talk = 0

    async def obey(self, line: bytes) -> Reply | None:
        """Does what one command line says. None: the reply has been given.

        Raises Refusal for a reply that is a no, Hangup for the session's last reply.
        """
        verb, _, argument = line.partition(b" ")
        command = COMMANDS.get(verb.upper(), UNKNOWN)
        if self._wire.pending and not self._may_follow(command):
            raise Hangup(503, b"5.5.0 Wait for the reply to this before you go on")
        self._idle_talk += command.weight
        if self._idle_talk > MAX_IDLE_TALK:
            raise Hangup(421, b"4.7.0 Too many commands without a message")
        try:
            return await command.obey(self, argument.strip(b" "))
        except Refusal:
            self._idle_talk += 1
            raise

    @property
    def identity(self) -> Identity | None:
        """Who the client is, once that is known."""
        return self._login.identity

    @property
    def is_strangers(self) -> bool:
        """Whether nothing is known of the client."""
        return self._login.is_stranger

    def reset(self) -> None:
        """Forgets the transaction."""
        self._transaction = None

    def _may_follow(self, command: "Command") -> bool:
        """Whether more may be sent before this command's reply is read (RFC 2920 §3.1).

        Who writes on without reading may be talking to somebody else.
        """
        return command.followed == "always" or (command.followed == "offered" and self._pipelining)

    async def ehlo(self, name: bytes) -> Reply:
        if not _CLIENT_NAME.fullmatch(name):
            return Reply(501, b"5.5.4 Syntax: EHLO hostname")
        self._client_name, self._transaction, self._pipelining = name, None, True
        offers = [
            self._limits.hostname.encode("ascii"),
            b"PIPELINING",
            b"SIZE %d" % self._limits.max_size,
            b"8BITMIME",
            b"SMTPUTF8",
            b"DSN",
            b"ENHANCEDSTATUSCODES",
        ]
        if self._door.tls and not self._tls:
            offers.append(b"STARTTLS")
        if auth := self._login.offers():
            offers.append(auth)
        return Reply(250, b"\n".join([*offers, b"HELP"]))

    async def helo(self, name: bytes) -> Reply:
        if not _CLIENT_NAME.fullmatch(name):
            return Reply(501, b"5.5.4 Syntax: HELO hostname")
        self._client_name, self._transaction, self._pipelining = name, None, False
        return Reply(250, self._limits.hostname.encode("ascii"))

    async def starttls(self, argument: bytes) -> Reply | None:
        if argument:
            return Reply(501, b"5.5.4 Syntax: STARTTLS")
        if self._tls:
            return Reply(503, b"5.5.1 TLS is already in use")
        if not self._door.tls:
            return Reply(502, b"5.5.1 STARTTLS is not offered here")
        self._refuse_plaintext()
        self._wire.say(b"220 2.0.0 Go ahead\r\n")
        await self._wire.flush()
        self._refuse_plaintext()  # a client slow to read has made us wait
        self._tls = await self._start_tls()
        self._client_name, self._transaction, self._pipelining = b"", None, False  # RFC 3207 §4.2
        self._login.forget()
        return None

    def _refuse_plaintext(self) -> None:
        """What came in clear would be obeyed as if TLS had carried it: RFC 3207 §6."""
        if self._wire.pending:
            raise Hangup(501, b"5.5.1 Nothing may follow STARTTLS before the handshake")

    async def auth(self, argument: bytes) -> Reply:
        if not self._client_name:
            return Reply(503, b"5.5.1 EHLO first")
        if self._transaction:
            return Reply(503, b"5.5.1 AUTH comes before MAIL")
        reply = await self._login.obey(argument, self._challenge)
        if reply.code == 235:
            self._idle_talk = 0
        return reply

    async def _challenge(self, challenge: bytes) -> bytes:
        self._wire.say(b"334 " + challenge + b"\r\n")
        return await self._wire.line()

    async def mail(self, argument: bytes) -> Reply:
        if not self._client_name:
            return Reply(503, b"5.5.1 EHLO first")
        identity = await self._login.who()
        if identity is None:
            first = b"" if self._may_log_in else b": STARTTLS first, then AUTH"
            return Reply(530, b"5.7.0 Authentication is required" + first)
        if self._transaction:
            return Reply(503, b"5.5.1 MAIL was said already; RSET forgets it")
        address, parameters = parse_mail(argument)
        size = int(parameters.get(b"SIZE") or 0)
        if size > self._limits.max_size:
            return Reply(552, b"5.3.4 The message is larger than %d octets" % self._limits.max_size)
        if not self._service.drafts.has_room(size):
            return Reply(452, b"4.3.1 There is no room for mail just now; try again later")
        if address:
            check_address(identity.sender, address)
        rate = self._service.rates.messages
        if wait := rate.take(identity.sender.id):
            return _too_many(b"messages", rate, wait)
        self._transaction = Transaction(identity.sender.id, address, parameters)
        return Reply(250, b"2.1.0 Sender ok")

    async def rcpt(self, argument: bytes) -> Reply:
        transaction = self._transaction
        if transaction is None:
            return Reply(503, b"5.5.1 MAIL first")
        utf8 = b"SMTPUTF8" in transaction.parameters
        ordinal = len(transaction.recipients) + 1
        recipient = Recipient(*parse_rcpt(argument, utf8=utf8), ordinal)
        wishes = controls.of_recipient(recipient.address, self._limits.control_domain)
        if wishes is not None:
            transaction.wishes &= wishes
            return Reply(
                250, b"2.1.5 A control address: it says what is tracked, no mail goes there"
            )
        if len(transaction.recipients) >= self._limits.max_recipients:
            return Reply(452, b"4.5.3 Too many recipients; send the rest as another message")
        rate = self._service.rates.recipients
        if wait := rate.take(transaction.sender_id):
            return _too_many(b"recipients", rate, wait)
        transaction.recipients.append(recipient)
        return Reply(250, b"2.1.5 Recipient ok")

    async def data(self, argument: bytes) -> Reply:
        transaction = self._transaction
        if argument:
            return Reply(501, b"5.5.4 Syntax: DATA")
        if transaction is None:
            return Reply(503, b"5.5.1 MAIL first")
        if not transaction.recipients and transaction.wishes != Wishes():
            return Reply(554, b"5.5.1 Control addresses are no recipients; give one that is")
        if not transaction.recipients:
            return Reply(503, b"5.5.1 RCPT first")
        self._wire.say(b"354 End with a dot on a line of its own\r\n")
        self._transaction = None
        try:
            self.stage = "message"
            content = await self._read_message()
            self.stage = "delivery"
            return await self._submit(transaction, content)
        finally:
            self.stage = "commands"

    async def _read_message(self) -> Content:
        """What comes up to the final dot. Raises Refusal, Hangup (552) where no end comes."""
        limits, unstuffing = self._limits, Unstuffing()
        draft = self._service.drafts.new(limit=limits.max_size, bare_newline=limits.bare_newline)
        while not unstuffing.ended:
            if unstuffing.received > limits.max_size + OVERSIZE:
                raise Hangup(552, b"5.3.4 The message is far too large")
            draft.take(unstuffing.feed(await self._wire.some()))
            await draft.spill()
        self._wire.give_back(unstuffing.rest)
        return await draft.finish()

    async def _submit(self, transaction: Transaction, content: Content) -> Reply:
        assert self.identity
        envelope = Envelope(
            identity=self.identity,
            mail_from=transaction.mail_from,
            parameters=transaction.parameters,
            recipients=tuple(transaction.recipients),
            content=content,
            client=Client(self._peer, self._client_name, self._tls),
            received_at_ms=time.time_ns() // 1_000_000,
            wishes=transaction.wishes,
        )
        self._idle_talk = 0
        return await self._service.connections.carry_out(self._deliver(envelope))

    async def _deliver(self, envelope: Envelope) -> Reply:
        """Runs to its end even when the session does not live to hear the reply."""
        try:
            return await self._service.accept(envelope)
        except Refusal as refusal:
            status = refusal.reply.text[:5].decode("ascii")
            log.info("message rejected", sender=envelope.sender.id, status=status)
            return refusal.reply
        except Exception as error:  # noqa: BLE001 - nobody else may be there to see it
            return trouble(error)

    async def rset(self, argument: bytes) -> Reply:
        if argument:
            return Reply(501, b"5.5.4 Syntax: RSET")
        self._transaction = None
        return Reply(250, b"2.0.0 Forgotten")

    async def noop(self, _: bytes) -> Reply:
        return Reply(250, b"2.0.0 Ok")

    async def vrfy(self, _: bytes) -> Reply:
        return Reply(252, b"2.1.5 Not told; send the mail and see")

    async def help(self, _: bytes) -> Reply:
        return Reply(214, b"2.0.0 RFC 5321, RFC 6409; log in with AUTH, then MAIL, RCPT, DATA")

    async def quit(self, argument: bytes) -> Reply:
        if argument:
            return Reply(501, b"5.5.4 Syntax: QUIT")
        self.ended = True
        return Reply(221, b"2.0.0 Bye")

    async def not_here(self, _: bytes) -> Reply:
        return Reply(502, b"5.5.1 Not implemented")

    async def http(self, _: bytes) -> Reply:
        raise Hangup(421, b"4.7.0 This is not a web server")

    async def unknown(self, _: bytes) -> Reply:
        return Reply(500, b"5.5.2 Unknown command")

    @property
    def _may_log_in(self) -> bool:
        return bool(self._tls) or (self._door.allow_plain_auth and is_loopback(self._peer))


class Command(NamedTuple):
    """What a verb does, how much it counts towards MAX_IDLE_TALK, and when more may be sent before
    its reply is read: where EHLO has offered that, never, or always, as it does no harm."""

    obey: Callable[[Session, bytes], Awaitable[Reply | None]]
    weight: int = 1
    followed: Literal["always", "offered", "never"] = "always"


COMMANDS = {
    b"EHLO": Command(Session.ehlo, followed="never"),
    b"HELO": Command(Session.helo, followed="never"),
    b"STARTTLS": Command(Session.starttls),
    b"AUTH": Command(Session.auth, followed="never"),
    b"MAIL": Command(Session.mail, followed="offered"),
    b"RCPT": Command(Session.rcpt, 0, followed="offered"),
    b"DATA": Command(Session.data, followed="never"),
    b"RSET": Command(Session.rset),
    b"NOOP": Command(Session.noop),
    b"VRFY": Command(Session.vrfy),
    b"EXPN": Command(Session.not_here),
    b"HELP": Command(Session.help),
    b"QUIT": Command(Session.quit),
    b"GET": Command(Session.http),
    b"POST": Command(Session.http),
    b"CONNECT": Command(Session.http),
}
UNKNOWN = Command(Session.unknown, 10)


def _too_many(what: bytes, rate: Rate, wait: int) -> Reply:
    """The reply to one who has had an hour's worth of something."""
    text = b"4.7.1 %d %b an hour are allowed; try again in %d s"
    return Reply(450, text % (rate.per_hour, what, wait))


def trouble(error: Exception) -> Reply:
    """The reply to an error of ours: temporary, and a reference that the log has too."""
    reference = secrets.token_hex(4)
    metrics.INTERNAL_ERRORS.inc()
    log.error("internal error", reference=reference, exc_info=error)
    return Reply(451, b"4.3.0 Internal error; try again later (reference %b)" % reference.encode())
