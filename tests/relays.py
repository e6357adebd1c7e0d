"""What the relay's tests share: a relay in this process, upstreams that do as told, a raw client.

Everything is real and on loopback, on ports that the system chooses: the SQLite store, argon2, our
listeners, aiosmtpd as the upstream that behaves, a script where it must not.
"""

import asyncio
import contextlib
import re
import shutil
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from aiosmtpd.smtp import Envelope as SinkEnvelope

from collector.consents import Consents
from collector.feed import Feed
from collector.senders import Sender, Senders
from collector.stats import MessageRow, Stats
from collector.store import Store
from collector.tokens import Key, Tokens
from relay.alarms import Alarms
from relay.auth import Accounts, Auth, Authority
from relay.connections import Connections
from relay.custody import Clock, Custody
from relay.delivery import Delivery
from relay.drafts import Drafts
from relay.guard import Guard
from relay.listener import bind, listen
from relay.networks import Network, Networks
from relay.pipeline import Pipeline
from relay.queue import Queue
from relay.rates import Rates
from relay.records import Records
from relay.reports import Reports
from relay.rewriting import Rewriting
from relay.schedule import Pace
from relay.sealing import Seal
from relay.service import Door, Service, Submission
from relay.signing import Signing
from relay.spool import Spool
from relay.tls import Tls
from relay.upstream import UpstreamHost, UpstreamRoute
from relay.upstreams import Upstreams

PASSWORD = "correct horse"
HOSTNAME = "relay.example.com"
PUBLIC_URL = "https://t.example.com"
PACE = Pace()
UNSIGNED = Signing()
TOKENS = Tokens([Key(1, b"k" * 32)])
ADDRESSES = ("ana@example.com", "*@ana.example")
PATIENCE = 20.0  # how long a test waits for what must come; never measured


@dataclass
class Mail:
    """A mail as the sink got it."""

    mail_from: str
    recipients: list[str]
    content: bytes
    mail_options: list[str]
    rcpt_options: list[str]


@dataclass
class Sink:
    """An upstream that behaves: takes everything but what `refuse` has a reply for."""

    offers: Sequence[str] = ("PIPELINING", "ENHANCEDSTATUSCODES")
    refuse: dict[str, str] = field(default_factory=dict)  # a recipient, or "DATA" -> the reply
    login: tuple[bytes, bytes] | None = None
    mails: list[Mail] = field(default_factory=list)
    sessions: int = 0
    logins: int = 0
    port: int = 0

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.sessions += 1
        return [responses[0], *(f"250-{offer}" for offer in self.offers), *responses[1:]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: SinkEnvelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: SinkEnvelope) -> str:  # noqa: N802
        if self.login and not session.authenticated:
            return "530 5.7.0 log in first"
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        assert isinstance(envelope.content, bytes)
        self.mails.append(
            Mail(
                envelope.mail_from or "",
                list(envelope.rcpt_tos),
                envelope.content,
                list(envelope.mail_options),
                list(envelope.rcpt_options),
            )
        )
        return f"250 2.0.0 queued as {len(self.mails)}"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        self.logins += 1
        return AuthResult(success=(data.login, data.password) == self.login, handled=False)

    @asynccontextmanager
    async def running(
        self, tls: ssl.SSLContext | None = None, implicit: bool = False
    ) -> AsyncIterator[Self]:
        loop = asyncio.get_running_loop()

        def factory() -> SMTP:
            return SMTP(
                self,
                hostname="upstream.example.com",
                enable_SMTPUTF8="SMTPUTF8" not in self.refuse,
                tls_context=None if implicit else tls,
                auth_require_tls=tls is not None and not implicit,
                authenticator=self.authenticate,
                loop=loop,
            )

        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=tls if implicit else None)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self


class Script:
    """An upstream that says what it is told: for each command's first word a reply, None to
    hang up, "" to say nothing. "." stands for the end of the message, "" for the greeting."""

    OFFERS = "250-script\r\n250-PIPELINING\r\n250-DSN\r\n250 8BITMIME"

    def __init__(self, offers: str = OFFERS, **replies: str | None) -> None:
        self.replies: dict[str, list[str | None]] = {
            "": ["220 script"],
            "EHLO": [offers],
            "MAIL": ["250 2.1.0 ok"],
            "RCPT": ["250 2.1.5 ok"],
            "DATA": ["354 go"],
            ".": ["250 2.0.0 taken"],
            "RSET": ["250 2.0.0 ok"],
            "QUIT": ["221 bye"],
        }
        self.lines: list[bytes] = []
        self.messages: list[bytes] = []
        self.sessions = 0
        self.port = 0
        self._news = asyncio.Event()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        for verb, reply in replies.items():
            self.say(verb, reply)

    def say(self, verb: str, *replies: str | None) -> Self:
        """These replies from now on, in turn; the last one for ever."""
        self.replies[verb] = list(replies)
        return self

    @asynccontextmanager
    async def running(self, sock: socket.socket | None = None) -> AsyncIterator[Self]:
        """Listens on this socket, which it closes; else on a port that the system chooses."""
        sock = sock or socket.create_server(("127.0.0.1", 0))
        server = await asyncio.start_server(self._session, sock=sock, limit=2**26)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield self
            finally:
                self.hang_up()
                await asyncio.gather(*self._open)

    def hang_up(self) -> None:
        """Ends every session, whatever it is at."""
        for writer in self._open.values():
            writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        task = asyncio.current_task()
        assert task
        self._open[task] = writer
        task.add_done_callback(self._open.pop)
        try:
            going = self._answer(writer, "")
            while going and (line := await reader.readline()):
                self.lines.append(line)
                self._news.set()
                verb = line.split()[0].decode("latin-1").upper() if line.split() else "?"
                going = self._answer(writer, verb)
                if going and verb == "DATA" and self._last.startswith("354"):
                    self.messages.append(await self._message(reader))
                    going = self._answer(writer, ".")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _message(self, reader: asyncio.StreamReader) -> bytes:
        """The message, dots and final dot as they came."""
        message = bytearray()
        while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
            message += line
        return bytes(message + line)

    async def heard(self, line: bytes) -> None:
        """Returns once a client has said this line."""
        async with asyncio.timeout(PATIENCE):
            while line not in self.lines:
                self._news.clear()
                await self._news.wait()

    def _answer(self, writer: asyncio.StreamWriter, verb: str) -> bool:
        replies = self.replies.get(verb, ["500 what"])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self._last = reply or ""
        if reply:
            writer.write(reply.encode("utf-8", "surrogateescape") + b"\r\n")
        return reply is not None


class RawClient:
    """Speaks SMTP as octets: `send` says anything, `reply` reads one whole reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None) -> Self:
        name = HOSTNAME if tls else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.writer.close()

    def __del__(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop has gone already
            self.writer.close()

    async def send(self, octets: bytes) -> None:
        """Says it; a server that has hung up shows when its reply is read."""
        self.writer.write(octets)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    def reset(self) -> None:
        """Goes away without a goodbye, as a machine that loses its network."""
        sock = self.writer.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def line(self) -> str:
        """One line, "" once the server has closed."""
        async with asyncio.timeout(PATIENCE):
            try:
                return (await self.reader.readline()).decode().removesuffix("\r\n")
            except ConnectionError:
                return ""

    async def reply(self) -> str:
        """One reply, its lines joined by LF; "" once the server has closed."""
        lines = [await self.line()]
        while re.match(r"\d{3}-", lines[-1]):
            lines.append(await self.line())
        return "\n".join(lines)

    async def ask(self, *lines: str | bytes) -> str:
        """Sends the lines, each with its CRLF, in one write; the reply to the last of them."""
        octets = [line.encode() if isinstance(line, str) else line for line in lines]
        await self.send(b"".join(line + b"\r\n" for line in octets))
        return [await self.reply() for _ in lines][-1]

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Encrypts what is already agreed on by STARTTLS."""
        await self.writer.start_tls(context, server_hostname=HOSTNAME)


@dataclass
class Relay:
    """A running relay and what stands behind it."""

    store: Store
    senders: Senders
    consents: Consents
    ana: Sender
    service: Service
    upstreams: Upstreams
    ports: dict[str, int]

    async def messages(self) -> Sequence[MessageRow]:
        return await Stats(self.store).recent(self.ana.id)


async def until(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds, of which nobody tells."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.001)


async def prepare_store(path: Path) -> None:
    """A store with its tables and one sender, ana; copied for each test."""
    store = await Store.open(f"sqlite:///{path}")
    senders = Senders(store)
    await senders.add("ana", PASSWORD, ADDRESSES)
    senders.close()
    await store.close()


@asynccontextmanager
async def running_relay(
    template: Path,
    folder: Path,
    upstream_port: int,
    *,
    doors: dict[str, Door] | None = None,
    connections: Connections | None = None,
    authority: Callable[[Senders, Upstreams], Authority] = lambda senders, _: Accounts(senders),
    upstream: dict[str, Any] | None = None,
    guard: Guard | None = None,
    networks: Sequence[tuple[Network, str]] = (),
    accept: Callable[[Pipeline], Any] = lambda pipeline: pipeline.accept,
    rewriting: dict[str, Any] | None = None,
    show_client: bool = False,
    rates: Rates | None = None,
    delivery: dict[str, Any] | None = None,
    signing: Signing = UNSIGNED,
    pace: Pace = PACE,
    **limits: Any,
) -> AsyncIterator[Relay]:
    """The relay with one listener a door; the door "plain" takes logins without TLS."""
    shutil.copy(template, folder / "letterbell.db")
    store = await Store.open(f"sqlite:///{folder / 'letterbell.db'}")
    senders, consents = Senders(store), Consents(store)
    ana = await senders.find("ana")
    assert ana
    drafts = Drafts(folder)
    host = UpstreamHost(host="127.0.0.1", port=upstream_port, hostname=HOSTNAME, tls="none")
    upstreams = Upstreams([UpstreamRoute.to(replace(host, **(upstream or {})))])
    feed = Feed()
    records = Records(store, feed)
    alarms = Alarms()
    spool = Spool.open(folder / "spool", min_free=0, sealer=Seal([Key(id=1, secret=b"k" * 32)]))
    makes = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts, **(rewriting or {}))
    reports = Reports(rewriting=makes, signing=signing, hostname=HOSTNAME, lifetime=pace.lifetime)
    custody = Custody(
        spool=spool,
        reporter=reports,
        record=records.note,
        pace=pace,
        clock=Clock(),
    )
    queue = Queue(spool=spool, lane_of=upstreams.lane, custody=custody, alarms=alarms)
    leaving = Delivery(
        upstreams=upstreams,
        spool=spool,
        queue=queue,
        alarms=alarms,
        pace=pace,
        record=records.post,
        reporter=reports,
        **(delivery or {}),
    )
    pipeline = Pipeline(
        store=store,
        senders=senders,
        consents=consents,
        rewriting=makes,
        signing=signing,
        delivery=leaving,
        feed=feed,
        alarms=alarms,
        hostname=HOSTNAME,
        show_client=show_client,
    )
    service = Service(
        submission=Submission(hostname=HOSTNAME, **limits),
        auth=Auth(authority(senders, upstreams), guard or Guard(), Networks(senders, networks)),
        accept=accept(pipeline),
        connections=connections or Connections(limit=100, limit_per_address=100),
        drafts=drafts,
        rates=rates or Rates(),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        stack.callback(senders.close)
        stack.callback(upstreams.close)
        stack.callback(spool.close)
        running = asyncio.create_task(queue.run())
        stack.push_async_callback(asyncio.wait, {running})
        stack.push_async_callback(queue.stop, PATIENCE)
        stack.push_async_callback(service.connections.drain, PATIENCE)
        ports = {}
        for name, door in (doors or {"plain": Door(allow_plain_auth=True)}).items():
            listener = listen(bind("127.0.0.1", 0), service, door)
            stack.callback(listener.close)
            ports[name] = listener.sockets[0].getsockname()[1]
        yield Relay(store, senders, consents, ana, service, upstreams, ports)


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*names).configure_cert(context)
    return context


def door_tls(authority: trustme.CA, *names: str) -> Tls:
    """The relay's own, with a certificate for these names."""
    with authority.issue_cert(*names).private_key_and_cert_chain_pem.tempfile() as path:
        return Tls(Path(path), Path(path))


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
