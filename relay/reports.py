"""Reports to senders, ready to leave: what bounce.py writes, for whom it is wanted."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from collector.tokens import mint_message_id
from relay import bounce
from relay.content import Content
from relay.envelope import Copy, Outcome, Outgoing, Parameters, Recipient
from relay.rewriting import Rewriting
from relay.signing import Signing
from relay.spoolfile import Action

log = structlog.get_logger()


class Reports:
    """Writes them for the mail of this relay; `lifetime` in seconds is how long mail is tried."""

    def __init__(
        self,
        *,
        rewriting: Rewriting,
        signing: Signing,
        hostname: str,
        lifetime: float,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.lifetime = lifetime
        self._rewriting = rewriting
        self._signing = signing
        self._hostname = hostname
        self._now_ms = now_ms
        self._random_bits = random_bits

    async def about(
        self, mail: Outgoing, outcomes: Sequence[Outcome], action: Action
    ) -> Outgoing | None:
        """A report on these recipients of the mail; None where nobody wants one.

        It goes to the mail's envelope sender, from nobody (so none is ever made of a report, RFC
        3464 §2), by the way that the mail goes.
        """
        recipients = {each.ordinal: each for copy in mail.copies for each in copy.recipients}
        fates = [
            (recipients[outcome.ordinal], outcome)
            for outcome in outcomes
            if bounce.wants(recipients[outcome.ordinal], action)
        ]
        if not mail.mail_from or not fates:
            log.info("nobody is told", id=f"{mail.id:x}", action=action, recipients=len(outcomes))
            return None
        now = self._now_ms()
        message_id = mint_message_id(now, self._random_bits(21))
        octets = bounce.report(
            await self._subject(mail, fates[0][0]),
            fates,
            action,
            hostname=self._hostname,
            message_id=message_id,
            now_ms=now,
            lifetime=self.lifetime,
        )
        log.info("a report", id=f"{mail.id:x}", report=f"{message_id:x}", action=action)
        content = Content.of(octets)
        keys = self._signing.keys_for(content.head)
        signed = await self._signing.sign(content, keys, came=content, message_id=message_id)
        return self._outgoing(mail, message_id, now, signed)

    async def _subject(self, mail: Outgoing, recipient: Recipient) -> bounce.Subject:
        """The copy that this recipient would have got, as its sender wrote it.

        With our pixel and links in it, whoever reads the report would open and click the mail.
        """
        [content] = [copy.content for copy in mail.copies if recipient in copy.recipients]
        original = None
        if content.size <= bounce.MAX_FULL:
            original = await self._rewriting.restore(content, mail.id)
        return bounce.Subject(
            mail_from=mail.mail_from,
            parameters=mail.parameters,
            received_at_ms=mail.received_at_ms,
            head=content.head,
            original=original,
        )

    def _outgoing(self, mail: Outgoing, message_id: int, now: int, content: Content) -> Outgoing:
        recipient = Recipient(mail.mail_from, {b"NOTIFY": b"NEVER"})
        parameters: Parameters = {} if content.head.isascii() else {b"SMTPUTF8": None}
        copy = Copy(mail_from=b"", parameters=parameters, recipients=(recipient,), content=content)
        return replace(
            mail,
            id=message_id,
            received_at_ms=now,
            mail_from=b"",
            parameters=parameters,
            copies=(copy,),
            tracked=False,
        )
