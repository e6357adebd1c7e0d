"""The rows of hits: stored, judged and counted in one transaction of the writer.

A hit is judged inside the transaction that stores it, so with every outcome in view that was
committed before. The counters on a message's row change in that transaction, too. When a burst
gives a scanner away, the clicks of that copy that were believed just before are taken back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
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

from collector.client import Address, truncate
from collector.schema import HIT_KINDS, agent, hit, message
from collector.verdict import BELIEVED, BURST_MS, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fetched pixel or a followed link, as the request told it."""

    kind: str  # "open" or "click"
    message_id: int
    recipient: int
    link: int | None
    at_ms: int
    method: str
    agent: str
    purpose: str
    address: Address | None


@dataclass(frozen=True, slots=True)
class HitMessage:
    """What judging a hit asks of its message."""

    id: int
    sender_id: int
    sent_at_ms: int
    delivered_at_ms: int | None


@dataclass(frozen=True, slots=True)
class JudgedHit:
    """A hit on a message that is kept, and what we believe made it."""

    hit: Hit
    message: HitMessage
    verdict: Verdict


def store_hits(
    connection: Connection, hits: Sequence[Hit], judge: Callable[[Hit, HitMessage], Verdict]
) -> list[JudgedHit]:
    """Stores the hits whose messages are kept; those, judged. The others leave no trace."""
    messages = _find_messages(connection, {each.message_id for each in hits})
    judged = [
        JudgedHit(each, found, judge(each, found))
        for each in hits
        if (found := messages.get(each.message_id))
    ]
    if judged:
        connection.execute(_INSERT_AGENT, [{"new_text": text} for text in _agents(judged)])
        connection.execute(_INSERT_HIT, [_row(each) for each in judged])
        connection.execute(_RAISE_COUNTS, _counts(judged))
    if bursts := [each.hit for each in judged if each.verdict.rule == "burst"]:
        _take_back(connection, bursts)
    return judged


def _find_messages(connection: Connection, ids: Iterable[int]) -> Mapping[int, HitMessage]:
    rows = connection.execute(_FIND_MESSAGES, {"ids": list(ids)})
    return {row.id: HitMessage(*row) for row in rows}


def _agents(judged: Iterable[JudgedHit]) -> set[str]:
    return {each.hit.agent for each in judged}


def _row(judged: JudgedHit) -> dict[str, Any]:
    return {
        "new_message_id": judged.hit.message_id,
        "new_at_ms": judged.hit.at_ms,
        "new_kind": judged.hit.kind,
        "new_recipient": judged.hit.recipient,
        "new_link": judged.hit.link,
        "new_verdict": judged.verdict.kind,
        "new_rule": judged.verdict.rule,
        "new_network": truncate(judged.hit.address),
        "by_agent": judged.hit.agent,
    }


def _counts(judged: Iterable[JudgedHit]) -> list[dict[str, Any]]:
    """What the hits add to their messages, a row a message."""
    rows: dict[int, dict[str, Any]] = {}
    for each in judged:
        kind, at_ms, message_id = each.hit.kind, each.hit.at_ms, each.hit.message_id
        row = rows.setdefault(message_id, {"of_message": message_id, **_NO_COUNTS})
        row[f"raw_{kind}"] += each.verdict.counted
        if each.verdict.believed:
            row[f"believed_{kind}"] += 1
            row[f"first_{kind}"] = min(row[f"first_{kind}"] or at_ms, at_ms)
            row[f"last_{kind}"] = max(row[f"last_{kind}"] or at_ms, at_ms)
    return list(rows.values())


def _take_back(connection: Connection, bursts: Iterable[Hit]) -> None:
    rows = [
        {
            "of_message": each.message_id,
            "of_recipient": each.recipient,
            "since": each.at_ms - BURST_MS,
        }
        for each in bursts
    ]
    connection.execute(_DOUBT_CLICKS, rows)
    connection.execute(_RECOUNT_CLICKS, [{"of_message": each.message_id} for each in bursts])


_NO_COUNTS: dict[str, int | None] = {
    f"{what}_{kind}": none
    for kind in HIT_KINDS
    for what, none in (("believed", 0), ("raw", 0), ("first", None), ("last", None))
}


def _raise_counts(kind: str) -> dict[str, ColumnElement[Any]]:
    count, raw = f"{kind}_count", f"raw_{kind}_count"
    first, last = f"first_{kind}_ms", f"last_{kind}_ms"
    return {
        count: message.c[count] + bindparam(f"believed_{kind}"),
        raw: message.c[raw] + bindparam(f"raw_{kind}"),
        first: func.coalesce(message.c[first], bindparam(f"first_{kind}")),
        last: func.coalesce(bindparam(f"last_{kind}"), message.c[last]),
    }


def _new(name: str) -> ColumnElement[Any]:
    return bindparam(f"new_{name}", type_=hit.c[name].type)


_OF_MESSAGE = message.c.id == bindparam("of_message")
_FIND_MESSAGES = select(
    message.c.id, message.c.sender_id, message.c.sent_at_ms, message.c.delivered_at_ms
).where(message.c.id.in_(bindparam("ids", expanding=True)))
_INSERT_AGENT = insert(agent).from_select(
    ["text"],
    select(bindparam("new_text", type_=agent.c.text.type)).where(
        ~exists().where(agent.c.text == bindparam("new_text"))
    ),
)
_AGENT_ID = select(agent.c.id).where(agent.c.text == bindparam("by_agent")).scalar_subquery()
_INSERT_HIT = insert(hit).values(
    message_id=_new("message_id"),
    at_ms=_new("at_ms"),
    kind=_new("kind"),
    recipient=_new("recipient"),
    link=_new("link"),
    verdict=_new("verdict"),
    rule=_new("rule"),
    network=_new("network"),
    agent_id=_AGENT_ID,
)
_RAISE_COUNTS = (
    update(message).where(_OF_MESSAGE).values(_raise_counts("open") | _raise_counts("click"))
)
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
_CLICKS = and_(hit.c.message_id == message.c.id, _BELIEVED_CLICK)
_RECOUNT_CLICKS = (
    update(message)
    .where(_OF_MESSAGE)
    .values(
        click_count=select(func.count()).where(_CLICKS).scalar_subquery(),
        first_click_ms=select(func.min(hit.c.at_ms)).where(_CLICKS).scalar_subquery(),
        last_click_ms=select(func.max(hit.c.at_ms)).where(_CLICKS).scalar_subquery(),
    )
)
