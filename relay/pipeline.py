"""One message, stop by stop: wishes, plan, rewrite, record, sign, send, answer.

The invariant: 2xx means that upstream has the message. Statistics never stand in the way: what
cannot be rewritten leaves as it came, what cannot be recorded leaves untracked, both counted.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from collector import store as records
from collector.client import read_address
from collector.consents import Consents
from collector.errors import StoreError, StoreUnavailable
from collector.feed import Feed
from collector.origins import Choice, Toggle
from collector.presence import Presence
from collector.senders import Sender, SenderError, Senders
from collector.tokens import mint_message_id
from relay import controls, metrics
from relay.alarms import Alarms
from relay.auth import check_author
from relay.content import Content
from relay.delivery import Delivery
from relay.envelope import (
    Copy,
    Envelope,
    Identity,
    Outgoing,
    Recipient,
    Refusal,
    Reply,
    Wishes,
)
from relay.header import Field, read_fields, text_of, values
from relay.log import mask
from relay.objections import heed, untrack
from relay.policy import Plan, plan
from relay.rewriting import Made, Rewriting
from relay.signing import Signing
from relay.trace import check_loop, received

log = structlog.get_logger()

RECORD_TIMEOUT = 2.0  # seconds that a mail waits for its record
MAX_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is about to leave, and to whom each of it; `reason` says why it is not tracked,
    `restored` counts its mends."""

    copies: tuple[tuple[tuple[Recipient, ...], Content], ...]
    recorded: bool
    reason: str | None
    restored: int = 0


class Pipeline:
    """Takes each envelope to upstream.

    `show_client` puts the client's address into the trace header (see trace.py).
    """

    def __init__(
        self,
        *,
        store: records.Store,
        senders: Senders,
        consents: Consents,
        rewriting: Rewriting,
        signing: Signing,
        delivery: Delivery,
        feed: Feed,
        alarms: Alarms,
        hostname: str,
        presence: Presence | None = None,
        control_domain: bytes = controls.CONTROL_DOMAIN,
        show_client: bool = False,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._store = store
        self._senders = senders
        self._consents = consents
        self._rewriting = rewriting
        self._signing = signing
        self._delivery = delivery
        self._feed = feed
        self._alarms = alarms
        self._presence = presence or Presence()
        self._hostname = hostname
        self._control_domain = control_domain
        self._show_client = show_client
        self._now_ms = now_ms
        self._random_bits = random_bits

    async def accept(self, envelope: Envelope) -> Reply:
        """The reply to DATA. Raises Refusal for a message that is not taken."""
        with metrics.MESSAGE_SECONDS.time():
            fields = read_fields(envelope.content.head)
            try:
                check_loop(fields)
                sender = await self._current(envelope.identity)
                check_author(sender, fields)
                wishes, head = controls.read(envelope.content.head, fields, self._control_domain)
            except Refusal:
                metrics.MESSAGES.labels("rejected").inc()
                raise
            if envelope.identity.how != "network":  # a program's machine is nobody's place
                self._presence.note(sender.id, read_address(envelope.client.peer), "submission")
            content = envelope.content.with_head(head)
            planned = plan(envelope, sender, wishes)
            if planned.reason is None:
                planned = await self._heed(planned, sender, envelope)
            return await self._deliver(envelope, fields, content, planned)

    async def _deliver(
        self, envelope: Envelope, fields: Sequence[Field], content: Content, planned: Plan
    ) -> Reply:
        message_id = mint_message_id(self._now_ms(), self._random_bits(21))
        keys = self._signing.keys_for(content.head)
        prepared = await self._prepare(
            envelope, fields, content, planned, message_id, resigned=bool(keys)
        )
        await self._remember(envelope.sender, planned.remember, message_id)
        contents = [
            await self._signing.sign(each, keys, came=envelope.content, message_id=message_id)
            for _, each in prepared.copies
        ]
        trace = received(
            envelope,
            hostname=self._hostname,
            id=f"{message_id:x}",
            show_client=self._show_client,
        )
        copies = tuple(
            Copy(
                mail_from=envelope.mail_from,
                parameters=envelope.parameters,
                recipients=recipients,
                content=each.with_head(trace + each.head),
            )
            for (recipients, _), each in zip(prepared.copies, contents, strict=True)
        )
        settled = await self._delivery.deliver(
            Outgoing(
                id=message_id,
                sender_id=envelope.sender.id,
                login=envelope.sender.login,
                received_at_ms=envelope.received_at_ms,
                mail_from=envelope.mail_from,
                parameters=envelope.parameters,
                route=envelope.mail_from,
                copies=copies,
                tracked=prepared.recorded,
                credentials=envelope.identity.credentials,
            )
        )
        reply, state = settled.reply, settled.state
        if prepared.recorded and state != "queued":  # that is on record already
            words = f"{reply.code} {reply.text.decode('ascii', 'replace')}"
            outcome = records.Outcome(at_ms=self._now_ms(), state=state, reply=words)
            tell = partial(self._feed.publish, envelope.sender.id, message_id)
            self._store.record_outcome(message_id, outcome, then=tell)
        metrics.MESSAGES.labels(state).inc()
        log.info(
            "message",
            id=f"{message_id:x}",
            sender=envelope.sender.id,
            mail_from=mask(envelope.mail_from.decode("utf-8", "replace")),
            recipients=len(envelope.recipients),
            copies=len(copies),
            octets=sum(copy.content.size for copy in copies),
            tracking=prepared.reason or ("on" if prepared.recorded else "not recorded"),
            restored=prepared.restored,
            state=state,
            code=reply.code,
        )
        return reply

    async def _prepare(
        self,
        envelope: Envelope,
        fields: Sequence[Field],
        content: Content,
        planned: Plan,
        message_id: int,
        *,
        resigned: bool,
    ) -> _Prepared:
        """Rewrites as planned, and has it on record where it is to be tracked."""
        everybody = replace(planned.copies[0], recipients=envelope.recipients, recipient=0)
        made = await self._rewriting.copies(content, planned.copies, message_id, resigned=resigned)
        recorded, reason = False, planned.reason
        if planned.is_recorded:
            sent = _sent(envelope, fields, planned, made, message_id, self._now_ms())
            recorded = await self._record(sent)
            reason = reason or made.reason
            if not recorded and reason is None:
                # What is minted now would lead to no record. What others minted before is taken
                # out all the same: that needs no store, and a quote is to give nobody away.
                untracked = replace(everybody, opens=False, clicks=False)
                made = await self._rewriting.copies(
                    content, [untracked], message_id, resigned=resigned
                )
        metrics.RESTORED.inc(made.restored)
        shared = len(made.contents) < len(planned.copies)
        recipients = [each.recipients for each in ([everybody] if shared else planned.copies)]
        copies = tuple(zip(recipients, made.contents, strict=True))
        return _Prepared(copies, recorded, reason, made.restored)

    async def _record(self, sent: records.Sent) -> bool:
        """Whether the message is on record; committed before it leaves, as hits come soon."""
        try:
            await self._store.record_sent(sent, timeout=RECORD_TIMEOUT)
        except StoreUnavailable as error:
            self._miss_store(error)
            log.warning(
                "not recorded, so not tracked", id=f"{sent.message_id:x}", reason=error.reason
            )
            return False
        self._alarms.clear("store")
        self._feed.publish(sent.sender_id, sent.message_id)
        return True

    def _miss_store(self, error: StoreUnavailable) -> None:
        metrics.STORE_UNAVAILABLE.inc()
        self._alarms.sound(
            "store",
            f"messages cannot be recorded ({error.reason}), so they leave untracked",
            "see that the database is sound, its disk has room, and nothing locks it",
        )

    async def _heed(self, planned: Plan, sender: Sender, envelope: Envelope) -> Plan:
        """The plan that its recipients let pass. What they say is not known: nobody is tracked."""
        try:
            decisions = await self._consents.about(sender, envelope.addresses)
        except StoreUnavailable as error:
            self._miss_store(error)
            return untrack(planned, "what its recipients have decided cannot be read")
        return heed(planned, decisions, envelope.content.size)

    async def _current(self, identity: Identity) -> Sender:
        """The sender with the toggles and addresses of now. Refuses (550) one who is gone.

        While the store is away, as it was at login: mail never waits for statistics.
        """
        known = identity.sender
        try:
            current = await self._senders.current(known.id, identity.device)
        except StoreUnavailable:
            return known
        if current is None or current.login != known.login:  # a new sender may have its number
            raise Refusal(550, b"5.7.1 This login was removed, revoked or disabled")
        return current

    async def _remember(self, sender: Sender, wishes: Wishes, message_id: int) -> None:
        """Sticky: what this message said is the sender's setting from now on."""
        said: tuple[tuple[Toggle, bool | None, str], ...] = (
            ("opens", wishes.opens, wishes.opens_by),
            ("clicks", wishes.clicks, wishes.clicks_by),
        )
        choices = [Choice(toggle, on, by) for toggle, on, by in said if on is not None]
        if not choices:
            return
        try:
            await self._senders.stick(sender.id, choices, message_id=message_id)
        except (StoreError, SenderError) as error:
            log.warning("wishes not remembered", sender=sender.id, reason=str(error))


def _sent(
    envelope: Envelope,
    fields: Sequence[Field],
    planned: Plan,
    made: Made,
    message_id: int,
    now_ms: int,
) -> records.Sent:
    """The record of a message that is about to leave."""
    reason = planned.reason or made.reason
    return records.Sent(
        message_id=message_id,
        sender_id=envelope.sender.id,
        sent_at_ms=now_ms,
        mail_from=envelope.mail_from.decode("utf-8", "replace"),
        recipients=envelope.addresses,
        subject=text_of(next(values(fields, b"subject"), b""), MAX_SUBJECT),
        message_id_header=text_of(next(values(fields, b"message-id"), b""), MAX_SUBJECT),
        opens=made.pixel,
        clicks=bool(made.links),
        links=tuple(
            records.SentLink(link.ordinal, link.target.decode("latin-1"), link.html)
            for link in made.links
        ),
        untracked_reason=reason,
        per_recipient=reason is None and any(copy.recipient > 0 for copy in planned.copies),
        shared_reason=planned.shared_reason if reason is None else None,
        objected=planned.objected,
        snippet=made.snippet,
        skipped=made.left,
        wished=planned.wished,
    )
