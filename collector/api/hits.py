"""Hits for programs: those of one message, and all of a sender's for who asks again and again."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from collector.api.call import Call
from collector.api.models import FeedQuery, Hit, HitPage, HitQuery
from collector.api.problems import not_there
from collector.api.values import write_id, write_time
from collector.hitlist import (
    HitEntry,
    HitFilter,
    hits_of_message,
    hits_of_sender,
    newest_hit,
)
from collector.hitlist import HitPage as Found
from collector.keys import STATS, STORE
from collector.pages.wording import say_rule
from collector.verdict import BELIEVED

CHUNK = 500  # hits of an export that are in memory at a time
ALL = "hits"

Read = Callable[[int, int], Awaitable[Found]]  # behind a position, so many at most


async def list_hits(call: Call[FeedQuery, None]) -> HitPage:
    """GET /hits: a page of all hits, oldest first."""
    return await _page(call, _feed(call), await _begin(call), ALL)


async def export_hits(call: Call[FeedQuery, None]) -> AsyncIterator[Sequence[Hit]]:
    """GET /hits as CSV or NDJSON: all that there are, some at a time."""
    async for chunk in _chunks(_feed(call), await _begin(call)):
        yield chunk


async def list_message_hits(call: Call[HitQuery, None]) -> HitPage:
    """GET /messages/{message_id}/hits: a page, oldest first."""
    position = await _begin_in_message(call)
    return await _page(call, _of_message(call), position, _name(call))


async def export_message_hits(call: Call[HitQuery, None]) -> AsyncIterator[Sequence[Hit]]:
    """GET /messages/{message_id}/hits as CSV or NDJSON: all of them."""
    async for chunk in _chunks(_of_message(call), await _begin_in_message(call)):
        yield chunk


async def _begin(call: Call[FeedQuery, None]) -> int:
    if call.query.new and not call.query.cursor:
        return await newest_hit(call.app[STORE])
    return call.open_cursor(call.query.cursor, ALL)


async def _begin_in_message(call: Call[HitQuery, None]) -> int:
    if not await call.app[STATS].has(call.sender.id, call.message_id):
        raise not_there()
    return call.open_cursor(call.query.cursor, _name(call))


def _feed(call: Call[FeedQuery, None]) -> Read:
    async def read(after: int, limit: int) -> Found:
        return await hits_of_sender(
            call.app[STORE],
            call.sender.id,
            after=after,
            limit=limit,
            matching=_filter(call.query),
        )

    return read


def _of_message(call: Call[HitQuery, None]) -> Read:
    async def read(after: int, limit: int) -> Found:
        return await hits_of_message(
            call.app[STORE],
            call.sender.id,
            call.message_id,
            after=after,
            limit=limit,
            matching=_filter(call.query),
        )

    return read


async def _page(
    call: Call[HitQuery, None] | Call[FeedQuery, None], read: Read, after: int, what: str
) -> HitPage:
    found = await read(after, call.query.limit)
    return HitPage(
        hits=[_tell(hit) for hit in found.hits],
        next=call.seal_cursor(found.after, what),
        more=found.more,
    )


async def _chunks(read: Read, after: int) -> AsyncIterator[Sequence[Hit]]:
    more = True
    while more:
        found = await read(after, CHUNK)
        yield [_tell(hit) for hit in found.hits]
        after, more = found.after, found.more


def _filter(query: HitQuery) -> HitFilter:
    return HitFilter(kind=query.kind, believed=query.believed)


def _name(call: Call[HitQuery, None]) -> str:
    return f"hits of {call.message_id}"


def _tell(hit: HitEntry) -> Hit:
    known = 0 < hit.recipient <= len(hit.recipients)
    return Hit.model_validate(
        {
            "message_id": write_id(hit.message_id),
            "at": write_time(hit.at_ms),
            "kind": hit.kind,
            "link": hit.link,
            "verdict": hit.verdict,
            "believed": hit.verdict in BELIEVED,
            "rule": hit.rule,
            "why": say_rule(hit.rule),
            "agent": hit.agent,
            "recipient": hit.recipients[hit.recipient - 1] if known else None,
        }
    )
