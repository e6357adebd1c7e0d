"""Today's rules over the hits that are kept, as far as what is kept of them allows.

Kept are the moment, the kind, the link, the recipient, the agent and the /24 or /48. Lost are the
method, what the request said of its purpose, the rest of the address, and where the sender was: a
rule that needs these is not applied anew, and a hit that it has decided stays as it is
(`verdict.judge_again`).

Works beside a running relay: reads without a lock, then changes one page of hits at a time, each in
one short transaction with its messages' counters. A hit that somebody else changed meanwhile is
left alone.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, bindparam, func, select, update

from collector.bursts import Bursts
from collector.counters import recounting
from collector.schema import agent, hit, message
from collector.signs import Signs, Undecided, kept_network
from collector.store import Store
from collector.verdict import (
    ADDRESS,
    AGENT,
    BURST_MS,
    EARLY_CLICK_MS,
    PRESENCE,
    REQUEST,
    Facts,
    Verdict,
    judge_again,
)

PAGE_HITS = 2_000
PAGE_MESSAGES = 200


@dataclass(frozen=True, slots=True)
class StoredHit:
    """A hit as it is kept, with what judging it asks of its message."""

    id: int
    message_id: int
    at_ms: int
    kind: str
    recipient: int
    link: int | None
    verdict: str
    rule: str
    network: bytes | None
    agent: str | None
    sent_at_ms: int
    delivered_at_ms: int | None


@dataclass(slots=True)
class Rejudged:
    """How many hits there were, which could not be judged, and which changed, by rule."""

    hits: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)  # from one rule to another


async def rejudge(
    store: Store, signs: Signs, *, sent_since_ms: int = 0, dry_run: bool = False
) -> Rejudged:
    """Judges all hits on messages sent since then. Raises StoreUnavailable; may be run again."""
    told = Rejudged()
    async for page in _pages(store, sent_since_ms):
        changes: list[tuple[StoredHit, Verdict]] = []
        for _, hits in groupby(page, key=lambda each: each.message_id):
            for each, verdict in judge_message(tuple(hits), signs):
                told.hits[each.rule] += 1
                if verdict is None:
                    told.unjudged[each.rule] += 1
                elif (verdict.kind, verdict.rule) != (each.verdict, each.rule):
                    told.changed[each.rule, verdict.rule] += 1
                    changes.append((each, verdict))
        if changes and not dry_run:
            await store.write(partial(_change, changes=changes))
    return told


def judge_message(
    hits: Sequence[StoredHit], signs: Signs
) -> Iterator[tuple[StoredHit, Verdict | None]]:
    """The verdicts of today on all hits of one message; None where too little is kept of one."""
    bursts = Bursts()
    verdicts: dict[int, Verdict | None] = {}
    clicks: list[StoredHit] = []
    for each in sorted(hits, key=lambda each: (each.at_ms, each.id)):
        links = 0
        if each.link is not None:
            copy = (each.message_id, each.recipient)
            links = bursts.different_links(copy, each.link, each.at_ms)
            clicks.append(each)
        facts, lost = _facts(each, signs, links)
        verdict = verdicts[each.id] = judge_again(facts, each.rule, lost)
        if verdict and verdict.rule == "burst":
            for earlier in _shortly_before(each, clicks):
                known = verdicts[earlier.id]
                if known and known.believed:
                    verdicts[earlier.id] = verdict
    return ((each, verdicts[each.id]) for each in hits)


def kept_agent(text: str | None) -> str | None:
    """The agent as the request named it, or None where that is not kept whole.

    One without a "/" may be no agent but the name of a program (nearly every agent has one: RFC
    9110 section 10.1.5).
    """
    return text if text == "" or (text and "/" in text) else None


def _facts(each: StoredHit, signs: Signs, burst_links: int) -> tuple[Facts, frozenset[str]]:
    """What is known of a hit, and the names of the facts that are lost."""
    lost, network, agents = REQUEST | PRESENCE, None, frozenset[str]()
    try:
        if each.network is None:
            raise Undecided
        network = signs.whole_network(kept_network(each.network))
    except Undecided:
        lost |= ADDRESS
    text = kept_agent(each.agent)
    if text is None:
        lost |= AGENT
    else:
        agents = signs.families(text)
    facts = Facts(
        kind=each.kind,
        agents=agents,
        network=network,
        at_ms=each.at_ms,
        sent_at_ms=each.sent_at_ms,
        delivered_at_ms=each.delivered_at_ms,
        burst_links=burst_links,
        early_click_ms=EARLY_CLICK_MS,
    )
    return facts, lost


def _shortly_before(last: StoredHit, clicks: Sequence[StoredHit]) -> Iterator[StoredHit]:
    """The clicks of its copy, latest first, that a burst takes back."""
    for each in reversed(clicks):
        if last.at_ms - each.at_ms > BURST_MS:
            return
        if each.recipient == last.recipient:
            yield each


async def _pages(store: Store, sent_since_ms: int) -> AsyncIterator[list[StoredHit]]:
    """The hits of whole messages, in the messages' order: about PAGE_HITS at a time."""
    last = -1
    while True:
        known = {"after": last, "since": sent_since_ms, "most": PAGE_MESSAGES}
        counted = await store.read(_NEXT_MESSAGES, known)
        if not counted:
            return
        size, first = 0, last
        for message_id, count in counted:
            if size and size + count > PAGE_HITS:
                break
            size, last = size + count, message_id
        rows = await store.read(_HITS, {"after": first, "upto": last, "since": sent_since_ms})
        yield [StoredHit(*row) for row in rows]


def _change(connection: Connection, changes: Iterable[tuple[StoredHit, Verdict]]) -> None:
    rows = [
        {
            "of_hit": each.id,
            "old_rule": each.rule,
            "new_verdict": verdict.kind,
            "new_rule": verdict.rule,
        }
        for each, verdict in changes
    ]
    with recounting(connection, {each.message_id for each, _ in changes}):
        connection.execute(_CHANGE, rows)


_OF_SINCE = message.c.sent_at_ms >= bindparam("since")
_NEXT_MESSAGES = (
    select(hit.c.message_id, func.count())
    .join(message, message.c.id == hit.c.message_id)
    .where(hit.c.message_id > bindparam("after"), _OF_SINCE)
    .group_by(hit.c.message_id)
    .order_by(hit.c.message_id)
    .limit(bindparam("most"))
)
_HITS = (
    select(
        hit.c.id,
        hit.c.message_id,
        hit.c.at_ms,
        hit.c.kind,
        hit.c.recipient,
        hit.c.link,
        hit.c.verdict,
        hit.c.rule,
        hit.c.network,
        agent.c.text,
        message.c.sent_at_ms,
        message.c.delivered_at_ms,
    )
    .join(message, message.c.id == hit.c.message_id)
    .outerjoin(agent, agent.c.id == hit.c.agent_id)
    .where(hit.c.message_id > bindparam("after"), hit.c.message_id <= bindparam("upto"), _OF_SINCE)
    .order_by(hit.c.message_id, hit.c.id)
)
_CHANGE = (
    update(hit)
    .where(hit.c.id == bindparam("of_hit"), hit.c.rule == bindparam("old_rule"))
    .values(verdict=bindparam("new_verdict", type_=hit.c.verdict.type), rule=bindparam("new_rule"))
)
