"""The recipient's side of the demo: a mail server that keeps what it is given, in memory.

It stands where the real upstream would, speaks real SMTP on a port of its own, and takes all.
"""

import email
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from collector.feed import Feed

KEPT = 200
MAX_SIZE = 26_214_400
# The inbox has one reader; the feed wants a name for each.
READER = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """One mail as it arrived. `number` counts from 1."""

    number: int
    at_ms: int
    source: bytes
    sender: str
    name: str  # of the sender, or its address where it has none
    subject: str
    message_id: str

    def body(self) -> tuple[str, str]:
        """What a mail client would show: ("html" or "plain", text)."""
        parsed = _parse(self.source)
        part = parsed.get_body(("html", "plain"))
        if part is None:
            return "plain", ""
        text = part.get_payload(decode=True)
        charset = part.get_content_charset("utf-8")
        decoded = _decode(text if isinstance(text, bytes) else b"", charset)
        return ("html" if part.get_content_subtype() == "html" else "plain"), decoded


class Inbox:
    """What was delivered, newest first; tells its `feed` of each by number."""

    def __init__(self) -> None:
        self.feed = Feed()
        self._mails: dict[int, Delivered] = {}
        self._count = 0

    @property
    def mails(self) -> list[Delivered]:
        return list(reversed(self._mails.values()))

    def get(self, number: int) -> Delivered | None:
        return self._mails.get(number)

    def add(self, source: bytes) -> Delivered:
        self._count += 1
        parsed = _parse(source)
        sender = _header(parsed, "From")
        name, address = parseaddr(sender)
        mail = Delivered(
            number=self._count,
            at_ms=time.time_ns() // 1_000_000,
            source=source,
            sender=sender,
            name=name or address,
            subject=_header(parsed, "Subject"),
            message_id=_header(parsed, "Message-ID").strip(),
        )
        self._mails[mail.number] = mail
        self._mails.pop(mail.number - KEPT, None)
        self.feed.publish(READER, mail.number)
        return mail

    def server(self) -> SMTP:
        """An SMTP session that delivers here; a factory for `loop.create_server`."""
        return SMTP(
            _Handler(self),
            hostname="inbox.example",
            ident="Letterbell demo inbox",
            data_size_limit=MAX_SIZE,
            enable_SMTPUTF8=True,
        )


class _Handler:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name for it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        mail = self._inbox.add(cast("bytes", envelope.content))
        return f"250 2.0.0 In the inbox as number {mail.number}"


def _parse(source: bytes) -> EmailMessage:
    return email.message_from_bytes(source, policy=default)


def _header(parsed: EmailMessage, name: str) -> str:
    try:
        return str(parsed.get(name, ""))
    except Exception:  # noqa: BLE001 - the stdlib's parsers raise all kinds on odd headers
        return ""


def _decode(text: bytes, charset: str) -> str:
    try:
        return text.decode(charset, "replace")
    except LookupError:
        return text.decode("utf-8", "replace")
