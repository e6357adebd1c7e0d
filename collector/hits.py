"""The rows of hits: stored, judged and counted in one transaction of the writer.

A hit is judged inside the transaction that stores it, so with every outcome in view that was
committed before. The counters on a message's row change in that transaction, too. When a burst
gives a scanner away, the clicks of that copy that were believed just before are taken back. Once it
is judged, what is kept of a hit is what the site wishes (keeping.py). What is news to the sender
is noted there and then (noting.py), and put on its way out (outward/outbox.py).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from collector.bulk import Bulk, Row
from collector.client import Address
from collector.consent import DEFAULT_MODE, Kind, Mode
from collector.counters import recounting
from collector.folding import DEFAULT_NOTIFY, Notify
from collector.keeping import DEFAULT, Keeping
from collector.noting import Noted, Sighting, note, retract
from collector.outward import outbox
from collector.schema import HIT_KINDS, agent, hit, message, sender
from collector.verdict import BELIEVED, BURST_MS, KINDS, Verdict
from collector.withholding import IS_GUARDED, Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fetched pixel or a followed link, as the request told it."""

    kind: Kind
    message_id: int
    recipient: int
    link: int | None
    at_ms: int
    method: str
    agent: str
    purpose: str
    address: Address | None
    session_of: int | None = None  # the sender whose session the request bore


@dataclass(frozen=True, slots=True)
class HitMessage:
    """What judging a hit asks of its message; `guarded`: somebody may object to what is kept.

    The counts are of believed hits that are stored already. `notify` is the sender's wish.
    """

    id: int
    sender_id: int
    sent_at_ms: int
    delivered_at_ms: int | None
    guarded: bool = False
    per_recipient: bool = False
    open_count: int = 0
    click_count: int = 0
    notify: Notify = DEFAULT_NOTIFY

    def may_ring(self, kind: Kind) -> bool:
        """Whether a believed hit may be news to the sender."""
        if self.notify == "first":
            return self.per_recipient or not (
                self.open_count if kind == "open" else self.click_count
            )
        return self.notify == "all"


@dataclass(frozen=True, slots=True)
class JudgedHit:
    """A hit on a message that is kept, and what we believe made it."""

    hit: Hit
    message: HitMessage
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Kept:
    """The hits that are stored, how many were not, since a recipient objects, and what is new to
    their senders."""

    judged: list[JudgedHit]
    withheld: int
    noted: list[Noted]


def store_hits(
    connection: Connection,
    hits: Sequence[Hit],
    judge: Callable[[Hit, HitMessage], Verdict],
    keeping: Keeping = DEFAULT,
    consent: Mode = DEFAULT_MODE,
) -> Kept:
    """Stores the hits that are to be kept; those, judged. The others leave no trace: those on
    messages that are erased or stopped, those that come too late, and those to which somebody
    objects. `consent` is the site's mode.
    """
    messages = _find_messages(connection, {each.message_id for each in hits}, consent)
    passed = _let_pass(connection, hits, messages, consent)
    judged = [
        JudgedHit(each, found, judge(each, found))
        for each in passed
        if (found := messages.get(each.message_id)) and keeping.takes(each.at_ms, found.sent_at_ms)
    ]
    bursts = [each.hit for each in judged if each.verdict.rule == "burst"]
    noted = note(connection, _sightings(judged, bursts))
    outbox.put(connection, [each.id for each in noted], time.time_ns() // 1_000_000)
    if judged:
        agents = [keeping.agent(each.hit.agent) for each in judged]
        numbers = _number_agents(connection, set(agents))
        rows = [
            _row(each, keeping, numbers[name]) for each, name in zip(judged, agents, strict=True)
        ]
        _INSERT_HIT.run(connection, rows)
        for kind, raise_counts in _RAISE_COUNTS.items():
            raise_counts.run(connection, _count(judged, kind))
    if bursts:
        _take_back(connection, bursts)
    return Kept(judged, len(hits) - len(passed), noted)


def _find_messages(
    connection: Connection, ids: Iterable[int], consent: Mode
) -> Mapping[int, HitMessage]:
    rows = connection.execute(_FIND_MESSAGES, {"ids": list(ids), "site_mode": consent})
    return {row[0]: HitMessage(*row) for row in rows}


def _let_pass(
    connection: Connection,
    hits: Sequence[Hit],
    messages: Mapping[int, HitMessage],
    consent: Mode,
) -> Sequence[Hit]:
    guards = {
        found.id: Guard(connection, found.id, consent)
        for found in messages.values()
        if found.guarded
    }
    if not guards:
        return hits
    return [
        each
        for each in hits
        if (guard := guards.get(each.message_id)) is None
        or guard.lets_pass(each.kind, each.recipient)
    ]


def _number_agents(connection: Connection, texts: set[str]) -> Mapping[str, int]:
    """The agents' numbers in the dictionary, which gets those that are new.

    Looked up each time, once for all hits: who purges agents need not tell anybody.
    """
    numbers = _find_agents(connection, texts)
    if new := texts - numbers.keys():
        _INSERT_AGENT.run(connection, [(text,) for text in new])
        numbers |= _find_agents(connection, new)
    return numbers


def _find_agents(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    rows = connection.execute(_FIND_AGENTS, {"texts": list(texts)})
    return {row[0]: row[1] for row in rows}


def _row(judged: JudgedHit, keeping: Keeping, agent_id: int) -> Row:
    """The hit as it is kept, in the order of _HIT_COLUMNS."""
    hit, verdict = judged.hit, judged.verdict
    return (
        hit.message_id,
        hit.at_ms,
        _KIND_NUMBERS[hit.kind],
        hit.recipient,
        hit.link,
        _VERDICT_NUMBERS[verdict.kind],
        verdict.rule,
        keeping.network(hit.address),
        agent_id,
    )


@dataclass(slots=True)
class _Count:
    """What hits of one kind add to their message. The times are of those believed."""

    believed: int = 0
    raw: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def add(self, at_ms: int, verdict: Verdict) -> None:
        self.raw += verdict.counted
        if verdict.believed:
            self.believed += 1
            self.first_ms = min(self.first_ms or at_ms, at_ms)
            self.last_ms = max(self.last_ms or at_ms, at_ms)


def _count(judged: Iterable[JudgedHit], kind: str) -> list[Row]:
    """What the hits of a kind add, a row a message, in the order of _COUNT_NAMES."""
    counts: defaultdict[int, _Count] = defaultdict(_Count)
    for each in judged:
        if each.hit.kind == kind:
            counts[each.hit.message_id].add(each.hit.at_ms, each.verdict)
    return [
        (message_id, count.believed, count.raw, count.first_ms, count.last_ms)
        for message_id, count in counts.items()
    ]


def _sightings(judged: Iterable[JudgedHit], bursts: Sequence[Hit]) -> list[Sighting]:
    """What may be news. A click that a burst takes back in the same moment is none."""
    return [
        Sighting(
            message_id=each.message.id,
            kind=each.hit.kind,
            recipient=each.hit.recipient,
            verdict=each.verdict.kind,
            at_ms=each.hit.at_ms,
            notify=each.message.notify,
        )
        for each in judged
        if each.verdict.believed
        and each.message.may_ring(each.hit.kind)
        and not (bursts and _is_doubted(each.hit, bursts))
    ]


def _is_doubted(hit: Hit, bursts: Iterable[Hit]) -> bool:
    return hit.kind == "click" and any(
        (each.message_id, each.recipient) == (hit.message_id, hit.recipient)
        and each.at_ms - BURST_MS <= hit.at_ms
        for each in bursts
    )


def _take_back(connection: Connection, bursts: Sequence[Hit]) -> None:
    rows = [
        {
            "of_message": each.message_id,
            "of_recipient": each.recipient,
            "since": each.at_ms - BURST_MS,
        }
        for each in bursts
    ]
    with recounting(connection, [row["of_message"] for row in rows]):
        connection.execute(_DOUBT_CLICKS, rows)
    for each in bursts:
        retract(connection, each.message_id, each.recipient, each.at_ms - BURST_MS)


def _raise_counts(kind: str) -> Bulk:
    count, raw = f"{kind}_count", f"raw_{kind}_count"
    first, last = f"first_{kind}_ms", f"last_{kind}_ms"
    statement = (
        update(message)
        .where(_OF_MESSAGE)
        .values(
            {
                count: message.c[count] + bindparam("believed"),
                raw: message.c[raw] + bindparam("raw"),
                first: func.coalesce(message.c[first], bindparam("first_ms")),
                last: func.coalesce(bindparam("last_ms"), message.c[last]),
            }
        )
    )
    return Bulk(statement, _COUNT_NAMES)


_OF_MESSAGE = message.c.id == bindparam("of_message")
_FIND_MESSAGES = select(
    message.c.id,
    message.c.sender_id,
    message.c.sent_at_ms,
    message.c.delivered_at_ms,
    IS_GUARDED.label("guarded"),
    message.c.per_recipient,
    message.c.open_count,
    message.c.click_count,
    select(sender.c.notify).where(sender.c.id == message.c.sender_id).scalar_subquery(),
).where(message.c.id.in_(bindparam("ids", expanding=True)), message.c.stopped_at_ms.is_(None))
_FIND_AGENTS = select(agent.c.text, agent.c.id).where(
    agent.c.text.in_(bindparam("texts", expanding=True))
)
_INSERT_AGENT = Bulk(
    insert(agent).from_select(
        ["text"],
        select(bindparam("new_text", type_=agent.c.text.type)).where(
            ~exists().where(agent.c.text == bindparam("new_text"))
        ),
    ),
    ["new_text"],
)
_HIT_COLUMNS = (
    "message_id",
    "at_ms",
    "kind",
    "recipient",
    "link",
    "verdict",
    "rule",
    "network",
    "agent_id",
)
_KIND_NUMBERS = {word: number for number, word in enumerate(HIT_KINDS)}
_VERDICT_NUMBERS = {word: number for number, word in enumerate(KINDS)}
_INSERT_HIT = Bulk(
    insert(hit).values({name: bindparam(name) for name in _HIT_COLUMNS}).inline(), _HIT_COLUMNS
)
_COUNT_NAMES = ("of_message", "believed", "raw", "first_ms", "last_ms")
_RAISE_COUNTS = {kind: _raise_counts(kind) for kind in HIT_KINDS}
# One comparison each: an executemany takes no list.
_BELIEVED_CLICK = and_(
    hit.c.kind == "click", or_(*(hit.c.verdict == kind for kind in sorted(BELIEVED)))
)
_DOUBT_CLICKS = (
    update(hit)
    .where(
        hit.c.message_id == bindparam("of_message"),
        hit.c.recipient == bindparam("of_recipient"),
        hit.c.at_ms >= bindparam("since"),
        _BELIEVED_CLICK,
    )
    .values(verdict="scanner", rule="burst")
)
