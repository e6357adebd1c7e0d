"""The mails of a day's notifications: written, signed, and left to the queue as any other mail.

They are tracked by nobody, and no report is made of one that does not arrive. One is in custody
before the store knows that it was made: a second one at worst, never none.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import structlog

from collector.errors import StoreUnavailable
from collector.outward.digests import Digest
from collector.outward.parts import Letter, Outward
from collector.tokens import mint_message_id
from relay.content import Content
from relay.envelope import Copy, Outgoing, Parameters, Recipient
from relay.queue import Queue
from relay.signing import Signing
from relay.spool import Spool, SpoolError

LOOK_SECONDS = 60.0

log = structlog.get_logger()


class Letters:
    """Writes them for the senders who want them; `run` it as a task."""

    def __init__(
        self,
        *,
        outward: Outward,
        spool: Spool,
        queue: Queue,
        signing: Signing,
        hostname: str,
        mail_from: str,
        settings_url: str,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._outward = outward
        self._spool = spool
        self._queue = queue
        self._signing = signing
        self._hostname = hostname
        self._mail_from = mail_from
        self._settings_url = settings_url
        self._now_ms = now_ms
        self._random_bits = random_bits

    async def run(self) -> None:
        """Looks for what is due each minute, until it is cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("a day's mails wait for the store", reason=error.reason)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Writes what is due now; what fails is due again soon. Raises StoreUnavailable."""
        for digest in await self._outward.digests.due():
            try:
                await self._send(digest)
            except SpoolError as error:
                log.warning("a day's mail waits for the spool", problem=error.problem)
            except Exception:  # the others get theirs
                log.exception("a day's mail broke", sender=digest.sender_id)
            else:
                await self._outward.digests.told(digest.sender_id, digest.last_id)

    async def _send(self, digest: Digest) -> None:
        now = self._now_ms()
        message_id = mint_message_id(now, self._random_bits(21))
        letter = self._outward.teller.write_digest(digest.news, digest.language)
        content = Content.of(self._compose(digest, letter, message_id, now))
        keys = self._signing.keys_for(content.head)
        signed = await self._signing.sign(content, keys, came=content, message_id=message_id)
        mail = self._outgoing(digest, message_id, now, signed)
        # The file may be there though we are cancelled: then the mail leaves after the next start.
        self._queue.add(await asyncio.shield(self._spool.put(mail, next_ms=now)))
        log.info("a day's mail", id=f"{message_id:x}", sender=digest.sender_id)

    def _compose(self, digest: Digest, letter: Letter, message_id: int, now: int) -> bytes:
        mail = EmailMessage(policy=SMTP.clone(utf8=not digest.address.isascii()))
        mail["From"] = Address("Letterbell", addr_spec=self._mail_from)
        mail["To"] = digest.address
        mail["Subject"] = letter.subject
        mail["Date"] = format_datetime(datetime.fromtimestamp(now // 1000, UTC))
        mail["Message-ID"] = f"<digest.{message_id:016x}@{self._hostname}>"
        mail["List-Unsubscribe"] = f"<{self._settings_url}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text, cte="quoted-printable")
        mail.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        mail["Content-Language"] = digest.language  # not before: it would be the first part's
        return mail.as_bytes()

    def _outgoing(self, digest: Digest, message_id: int, now: int, content: Content) -> Outgoing:
        mail_from = self._mail_from.encode("ascii")
        recipient = Recipient(digest.address.encode(), {b"NOTIFY": b"NEVER"})
        parameters: Parameters = {} if content.head.isascii() else {b"SMTPUTF8": None}
        copy = Copy(
            mail_from=mail_from, parameters=parameters, recipients=(recipient,), content=content
        )
        return Outgoing(
            id=message_id,
            sender_id=digest.sender_id,
            login=digest.login,
            received_at_ms=now,
            mail_from=mail_from,
            parameters=parameters,
            route=mail_from,
            copies=(copy,),
            tracked=False,
        )
