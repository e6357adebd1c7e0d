"""What a sender sees: the newest messages with their counts, and one message's timeline.

Every query names the sender, so nobody reads another's mail by guessing ids.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sqlalchemy import Select, and_, func, select

from collector.consent import Kind, Objected
from collector.counts import (
    NOTHING,
    ReaderRow,
    Seen,
    clicks_by_link,
    count_hits,
    read_groups,
    read_readers,
)
from collector.filters import EVERY_MESSAGE, MessageFilter, conditions
from collector.schema import agent, hit, message
from collector.store import Store, Wished
from collector.verdict import BELIEVED, UNCOUNTED

MAX_HITS = 1_000  # of a message that are read: its first, and its newest


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message in the sender's list. Counts and times are of believed hits, but for raw_*."""

    message_id: int
    sent_at_ms: int
    delivered_at_ms: int | None
    recipients: tuple[str, ...]
    subject: str
    opens: bool
    clicks: bool
    state: str  # one of schema.STATES
    untracked_reason: str | None
    open_count: int
    first_open_ms: int | None
    last_open_ms: int | None
    click_count: int
    first_click_ms: int | None
    last_click_ms: int | None
    raw_open_count: int
    raw_click_count: int
    per_recipient: bool = False
    stopped_at_ms: int | None = None  # since when nothing is recorded
    # Whose copies have believed hits, by the recipients' ordinals: where copies are not shared.
    opened_by: tuple[int, ...] = ()
    clicked_by: tuple[int, ...] = ()
    objected: tuple[Objected, ...] = ()
    snippet: str = ""  # the first words of its text


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A wrapped link of a message, and the clicks that followed it."""

    ordinal: int
    target: str
    html: str
    clicks: Seen = NOTHING


@dataclass(frozen=True, slots=True)
class HitRow:
    """One hit as the timeline shows it; `recipient` is 0 where the copy is shared."""

    at_ms: int
    kind: Kind
    link: int | None
    verdict: str
    rule: str
    agent: str
    recipient: int = 0
    hit_id: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """So many links, or one part or pixel, that were left as they are by this rule."""

    rule: str
    number: int
    example: str  # a host or a scheme, or ""


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of one recipient, by the ordinal, in upstream's words."""

    recipient: int
    state: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDetail:
    """A message with its links and hits (oldest first), and upstream's own words.

    `outcomes` are there where the recipients did not all fare alike, `readers` where they have
    copies of their own and anything came of them, `shared_reason` where one copy went to all though
    the sender wished otherwise. `missing` hits came between the first and the second half of
    `hits`. `wished` is what was to be tracked, where that was noted.
    """

    row: MessageRow
    links: tuple[LinkRow, ...]
    hits: tuple[HitRow, ...]
    reply: str
    outcomes: tuple[OutcomeRow, ...] = ()
    shared_reason: str | None = None
    readers: tuple[ReaderRow, ...] = ()
    mail_from: str = ""
    skipped: tuple[SkippedRow, ...] = ()
    wished: Wished | None = None
    missing: int = 0

    @property
    def has_aged(self) -> bool:
        """Whether hits that were counted are no longer kept."""
        kept = sum(hit.rule not in UNCOUNTED for hit in self.hits)
        counted = self.row.raw_open_count + self.row.raw_click_count
        return not self.missing and kept < counted


_FOUND_ELSEWHERE = {"message_id", "opened_by", "clicked_by"}
_LISTED = (
    message.c.id.label("message_id"),
    *(message.c[each.name] for each in fields(MessageRow) if each.name not in _FOUND_ELSEWHERE),
)


class Stats:
    """Read queries over the store; each raises StoreUnavailable when it cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recent(
        self,
        sender_id: int,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
        matching: MessageFilter = EVERY_MESSAGE,
    ) -> list[MessageRow]:
        """The sender's messages, newest first. A message id continues a list: `before` with the
        newest that are older, `after` with the oldest that are newer.
        """
        query = _select_of(sender_id, matching).limit(limit)
        if before is not None:
            query = query.where(message.c.id < before)
        if after is None:
            return await self._rows(query.order_by(message.c.id.desc()))
        return (await self._rows(query.where(message.c.id > after).order_by(message.c.id)))[::-1]

    async def among(
        self, sender_id: int, ids: Collection[int], *, matching: MessageFilter = EVERY_MESSAGE
    ) -> list[MessageRow]:
        """Those of these messages that are the sender's and match, newest first."""
        chosen = _select_of(sender_id, matching).where(message.c.id.in_(ids))
        return await self._rows(chosen.order_by(message.c.id.desc()))

    async def has(self, sender_id: int, message_id: int) -> bool:
        """Whether there is such a message, and it is this sender's."""
        own = and_(message.c.id == message_id, message.c.sender_id == sender_id)
        return bool(await self._store.read(select(message.c.id).where(own)))

    async def message(self, sender_id: int, message_id: int) -> MessageDetail | None:
        """One message with MAX_HITS of its hits at most, or None if it is not this sender's."""
        own = and_(message.c.id == message_id, message.c.sender_id == sender_id)
        rows = await self._store.read(select(*_LISTED, *_TOLD).where(own))
        if not rows:
            return None
        told = rows[0]
        groups = read_groups(await self._store.read(count_hits(message_id)))
        clicks, row = clicks_by_link(groups), _message_row(told[: len(_LISTED)])
        readers = read_readers(groups) if row.per_recipient else ()
        row = replace(
            row,
            opened_by=tuple(each.recipient for each in readers if each.opens.count),
            clicked_by=tuple(each.recipient for each in readers if each.clicks.count),
        )
        hits, missing = await self._hits(message_id)
        return MessageDetail(
            row=row,
            links=tuple(_link_row(link, clicks) for link in told.links),
            hits=hits,
            reply=told.reply,
            outcomes=tuple(OutcomeRow(*each) for each in told.outcomes or ()),
            shared_reason=told.shared_reason,
            readers=readers,
            mail_from=told.mail_from,
            skipped=tuple(SkippedRow(*each) for each in told.skipped or ()),
            wished=None if told.opens_from is None else Wished(*told[-4:]),
            missing=missing,
        )

    async def _rows(self, query: Select[Any]) -> list[MessageRow]:
        rows = await self._store.read(query)
        return await self._with_readers([_message_row(row) for row in rows])

    async def _with_readers(self, rows: list[MessageRow]) -> list[MessageRow]:
        """The rows with whose copies were opened, and in whose a link was followed."""
        ids = [
            row.message_id
            for row in rows
            if row.per_recipient and (row.open_count or row.click_count)
        ]
        if not ids:
            return rows
        found = await self._store.read(
            select(hit.c.message_id, hit.c.kind, hit.c.recipient)
            .where(hit.c.message_id.in_(ids), hit.c.verdict.in_(BELIEVED), hit.c.recipient > 0)
            .order_by(hit.c.recipient)
            .distinct()
        )
        readers: dict[tuple[int, str], list[int]] = {}
        for message_id, kind, recipient in found:
            readers.setdefault((message_id, kind), []).append(recipient)
        return [
            replace(
                row,
                opened_by=tuple(readers.get((row.message_id, "open"), ())),
                clicked_by=tuple(readers.get((row.message_id, "click"), ())),
            )
            for row in rows
        ]

    async def _hits(self, message_id: int) -> tuple[tuple[HitRow, ...], int]:
        """Oldest first, and how many there are between the first half and the newest ones."""
        of_message = _HITS.where(hit.c.message_id == message_id)
        half = MAX_HITS // 2
        first = await self._store.read(of_message.order_by(hit.c.id).limit(MAX_HITS + 1))
        if len(first) <= MAX_HITS:
            return tuple(HitRow(*row) for row in first), 0
        first = first[:half]
        rest = hit.c.id > first[-1].id
        newest = await self._store.read(
            of_message.where(rest).order_by(hit.c.id.desc()).limit(half)
        )
        [(number,)] = await self._store.read(
            select(func.count()).where(hit.c.message_id == message_id, rest)
        )
        hits = (*first, *reversed(newest))
        return tuple(HitRow(*row) for row in hits), max(0, number - len(newest))


_TOLD = (
    message.c.links,
    message.c.reply,
    message.c.outcomes,
    message.c.shared_reason,
    message.c.mail_from,
    message.c.skipped,
    # In the order of Wished's fields, and last.
    message.c.opens_wished,
    message.c.clicks_wished,
    message.c.opens_from,
    message.c.clicks_from,
)
# In the order of HitRow's fields.
_HITS = select(
    hit.c.at_ms,
    hit.c.kind,
    hit.c.link,
    hit.c.verdict,
    hit.c.rule,
    func.coalesce(agent.c.text, "").label("agent"),
    hit.c.recipient,
    hit.c.id,
).outerjoin(agent, hit.c.agent_id == agent.c.id)


def _select_of(sender_id: int, matching: MessageFilter) -> Select[Any]:
    return select(*_LISTED).where(message.c.sender_id == sender_id, *conditions(matching))


def _link_row(link: Sequence[Any], clicks: Mapping[int, Seen]) -> LinkRow:
    ordinal, target, html = link
    return LinkRow(ordinal, target, html, clicks.get(ordinal, NOTHING))


def _message_row(values: Sequence[Any]) -> MessageRow:
    named = dict(zip((column.key for column in _LISTED), values, strict=True))
    named["recipients"] = tuple(named["recipients"])
    named["objected"] = tuple(Objected(*each) for each in named["objected"] or ())
    return MessageRow(**named)
