"""One message, stop by stop: wishes, plan, rewrite, record, send, answer.

The invariant: 2xx means that upstream has the message. Statistics never stand in the way: what
cannot be rewritten leaves as it came, what cannot be recorded leaves untracked, both counted.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import structlog

from collector import store as records
from collector.errors import StoreError, StoreUnavailable
from collector.feed import Feed
from collector.senders import Sender, SenderError, Senders
from collector.tokens import MessageLinks, Tokens, mint_message_id
from relay import controls, metrics
from relay.auth import check_author
from relay.controls import Wishes
from relay.envelope import Copy, Envelope, Refusal, Reply
from relay.header import Field, read_fields, text_of, values
from relay.log import mask
from relay.policy import PlannedCopy, plan
from relay.settlement import settle
from relay.trace import check_loop, received
from relay.upstream import Upstream
from rewriter import Rewritten, Tracking, Untouched, rewrite

log = structlog.get_logger()

INLINE_OCTETS = 65_536  # larger messages are rewritten in a thread, off the event loop
RECORD_TIMEOUT = 2.0  # seconds that a mail waits for its record
MAX_SUBJECT = 200
STATES: dict[int, records.State] = {2: "delivered", 4: "deferred", 5: "refused"}


class Pipeline:
    """Takes each envelope to upstream.

    `show_client` puts the client's address into the trace header (see trace.py).
    """

    def __init__(
        self,
        *,
        store: records.Store,
        senders: Senders,
        tokens: Tokens,
        upstream: Upstream,
        feed: Feed,
        public_url: str,
        hostname: str,
        max_html: int = 2_000_000,
        show_client: bool = False,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._store = store
        self._senders = senders
        self._tokens = tokens
        self._upstream = upstream
        self._feed = feed
        self._public_url = public_url
        self._hostname = hostname
        self._show_client = show_client
        self._now_ms = now_ms
        self._random_bits = random_bits
        own = urlsplit(public_url).hostname or ""
        self._tracking = Tracking(False, False, own_hosts=frozenset({own}), max_html=max_html)

    async def accept(self, envelope: Envelope) -> Reply:
        """The reply to DATA. Raises Refusal for a message that is not taken."""
        with metrics.MESSAGE_SECONDS.time():
            fields = read_fields(envelope.content)
            try:
                check_loop(fields)
                sender = await self._current(envelope.sender)
                check_author(sender, fields)
            except Refusal:
                metrics.MESSAGES.labels("rejected").inc()
                raise
            wishes, content = controls.read(envelope.content, fields)
            planned = plan(envelope, sender, wishes)
            await self._remember(sender, planned.remember)
            [copy] = planned.copies
            return await self._deliver(envelope, fields, content, copy)

    async def _deliver(
        self, envelope: Envelope, fields: Sequence[Field], content: bytes, planned: PlannedCopy
    ) -> Reply:
        message_id = mint_message_id(self._now_ms(), self._random_bits(21))
        recorded, tracking = False, planned.reason
        if planned.reason is None:
            result = await self._rewrite(content, planned, message_id)
            sent = _sent(envelope, fields, result, message_id, self._now_ms())
            recorded, tracking = await self._record(sent), sent.untracked_reason
            if recorded and isinstance(result, Rewritten):
                content = result.message
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
            content=trace + content,
        )
        reply = settle(await self._upstream.send(copy))
        state = STATES[reply.code // 100]
        if recorded:
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
            octets=len(copy.content),
            tracking=tracking or ("on" if recorded else "not recorded"),
            state=state,
            code=reply.code,
        )
        return reply

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

    async def _rewrite(
        self, content: bytes, planned: PlannedCopy, message_id: int
    ) -> Rewritten | Untouched:
        tracking = replace(self._tracking, opens=planned.opens, clicks=planned.clicks)
        links = MessageLinks(self._tokens, self._public_url, message_id)
        try:
            if len(content) <= INLINE_OCTETS:
                result = rewrite(content, tracking=tracking, links=links)
            else:
                result = await asyncio.to_thread(rewrite, content, tracking=tracking, links=links)
        except Exception:
            metrics.REWRITES.labels("failed").inc()
            log.exception("rewriting failed", id=f"{message_id:x}")
            return Untouched("internal error")
        done = isinstance(result, Rewritten)
        metrics.REWRITES.labels("rewritten" if done else "untouched").inc()
        return result

    async def _current(self, sender: Sender) -> Sender:
        """The sender with the toggles and addresses of now. Refuses (550) one who is gone.

        While the store is away, as it was at login: mail never waits for statistics.
        """
        try:
            current = await self._senders.current(sender.id)
        except StoreUnavailable:
            return sender
        if current is None:
            raise Refusal(550, b"5.7.1 This login was removed or disabled")
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
    result: Rewritten | Untouched,
    message_id: int,
    now_ms: int,
) -> records.Sent:
    """The record of a message that is about to leave."""
    links = result.links if isinstance(result, Rewritten) else ()
    return records.Sent(
        message_id=message_id,
        sender_id=envelope.sender.id,
        sent_at_ms=now_ms,
        mail_from=envelope.mail_from.decode("utf-8", "replace"),
        recipients=tuple(each.address.decode("utf-8", "replace") for each in envelope.recipients),
        subject=text_of(next(values(fields, b"subject"), b""), MAX_SUBJECT),
        message_id_header=text_of(next(values(fields, b"message-id"), b""), MAX_SUBJECT),
        opens=isinstance(result, Rewritten) and bool(result.pixel),
        clicks=bool(links),
        links=tuple(
            records.SentLink(link.ordinal, link.target.decode("latin-1"), link.html)
            for link in links
        ),
        untracked_reason=result.reason if isinstance(result, Untouched) else None,
    )
