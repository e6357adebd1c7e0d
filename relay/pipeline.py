"""One message, stop by stop: wishes, plan, rewrite, record, send, answer.

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
from collector.errors import StoreError, StoreUnavailable
from collector.feed import Feed
from collector.senders import Sender, SenderError, Senders
from collector.tokens import mint_message_id
from relay import controls, metrics
from relay.auth import check_author
from relay.content import Content
from relay.envelope import Copy, Envelope, Identity, Refusal, Reply, Wishes
from relay.header import Field, read_fields, text_of, values
from relay.log import mask
from relay.policy import PlannedCopy, plan
from relay.rewriting import Made, Rewriting
from relay.settlement import settle
from relay.trace import check_loop, received
from relay.upstreams import Upstreams

log = structlog.get_logger()

RECORD_TIMEOUT = 2.0  # seconds that a mail waits for its record
MAX_SUBJECT = 200
STATES: dict[int, records.State] = {2: "delivered", 4: "deferred", 5: "refused"}


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is about to leave; `reason` says why it is not tracked, `restored` counts its mends."""

    content: Content
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
        rewriting: Rewriting,
        upstreams: Upstreams,
        feed: Feed,
        hostname: str,
        control_domain: bytes = controls.CONTROL_DOMAIN,
        show_client: bool = False,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._store = store
        self._senders = senders
        self._rewriting = rewriting
        self._upstreams = upstreams
        self._feed = feed
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
            content = envelope.content.with_head(head)
            planned = plan(envelope, sender, wishes)
            await self._remember(sender, planned.remember)
            [copy] = planned.copies
            return await self._deliver(envelope, fields, content, copy)

    async def _deliver(
        self, envelope: Envelope, fields: Sequence[Field], content: Content, planned: PlannedCopy
    ) -> Reply:
        message_id = mint_message_id(self._now_ms(), self._random_bits(21))
        prepared = await self._prepare(envelope, fields, content, planned, message_id)
        trace = received(
            envelope,
            hostname=self._hostname,
            id=f"{message_id:x}",
            show_client=self._show_client,
        )
        copy = Copy(
            mail_from=envelope.mail_from,
            parameters=envelope.parameters,
            recipients=planned.recipients,
            content=prepared.content.with_head(trace + prepared.content.head),
        )
        reply = settle(await self._upstreams.of(envelope.identity).send(copy))
        state = STATES[reply.code // 100]
        if prepared.recorded:
            words = f"{reply.code} {reply.text.decode('ascii', 'replace')}"
            outcome = records.Outcome(at_ms=self._now_ms(), state=state, reply=words)
            tell = partial(self._feed.publish, envelope.sender.id, message_id)
            await self._store.record_outcome(message_id, outcome, then=tell)
        metrics.MESSAGES.labels(state).inc()
        log.info(
            "message",
            id=f"{message_id:x}",
            sender=envelope.sender.id,
            mail_from=mask(envelope.mail_from.decode("utf-8", "replace")),
            recipients=len(planned.recipients),
            octets=copy.content.size,
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
        planned: PlannedCopy,
        message_id: int,
    ) -> _Prepared:
        """Rewrites as planned, and has it on record where it is to be tracked."""
        made = await self._rewriting.copy(content, planned, message_id)
        recorded, reason = False, planned.reason
        if reason is None:
            recorded = await self._record(_sent(envelope, fields, made, message_id, self._now_ms()))
            reason = made.reason
            if not recorded and reason is None:
                # What is minted now would lead to no record. What others minted before is taken
                # out all the same: that needs no store, and a quote is to give nobody away.
                untracked = replace(planned, opens=False, clicks=False)
                made = await self._rewriting.copy(content, untracked, message_id)
        metrics.RESTORED.inc(made.restored)
        return _Prepared(made.content, recorded, reason, made.restored)

    async def _record(self, sent: records.Sent) -> bool:
        """Whether the message is on record; committed before it leaves, as hits come soon."""
        try:
            await self._store.record_sent(sent, timeout=RECORD_TIMEOUT)
        except StoreUnavailable as error:
            metrics.STORE_UNAVAILABLE.inc()
            log.warning(
                "not recorded, so not tracked", id=f"{sent.message_id:x}", reason=error.reason
            )
            return False
        self._feed.publish(sent.sender_id, sent.message_id)
        return True

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

    async def _remember(self, sender: Sender, wishes: Wishes) -> None:
        """Sticky: what this message said is the sender's setting from now on."""
        if wishes == Wishes():
            return
        try:
            await self._senders.set_tracking(sender.id, opens=wishes.opens, clicks=wishes.clicks)
        except (StoreError, SenderError) as error:
            log.warning("wishes not remembered", sender=sender.id, reason=str(error))


def _sent(
    envelope: Envelope,
    fields: Sequence[Field],
    made: Made,
    message_id: int,
    now_ms: int,
) -> records.Sent:
    """The record of a message that is about to leave."""
    return records.Sent(
        message_id=message_id,
        sender_id=envelope.sender.id,
        sent_at_ms=now_ms,
        mail_from=envelope.mail_from.decode("utf-8", "replace"),
        recipients=tuple(each.address.decode("utf-8", "replace") for each in envelope.recipients),
        subject=text_of(next(values(fields, b"subject"), b""), MAX_SUBJECT),
        message_id_header=text_of(next(values(fields, b"message-id"), b""), MAX_SUBJECT),
        opens=made.pixel,
        clicks=bool(made.links),
        links=tuple(
            records.SentLink(link.ordinal, link.target.decode("latin-1"), link.html)
            for link in made.links
        ),
        untracked_reason=made.reason,
    )
