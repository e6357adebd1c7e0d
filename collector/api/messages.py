"""Messages for programs: the list with its filters, and one with all that is known of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from collector.api.call import Call
from collector.api.models import (
    Erased,
    Link,
    Message,
    MessageDetail,
    MessagePage,
    MessageQuery,
    Nothing,
    Recipient,
    Seen,
    Tracked,
)
from collector.api.problems import not_there
from collector.api.values import read_id, to_ms, write_id, write_time, write_time_or_none
from collector.counts import ReaderRow
from collector.counts import Seen as Counted
from collector.erasing import erase, stop
from collector.filters import MessageFilter, read_words
from collector.keys import FEED, READ_LABEL, STATS, STORE
from collector.pages.messages import label_links
from collector.pages.recipients import people, say_who
from collector.stats import MessageDetail as Detail
from collector.stats import MessageRow

CHUNK = 500  # messages of an export that are in memory at a time


async def list_messages(call: Call[MessageQuery, None]) -> MessagePage:
    """GET /messages: a page."""
    query = call.query
    rows = await _read(call, read_id(query.cursor) if query.cursor else None, query.limit + 1)
    shown = rows[: query.limit]
    more = len(rows) > len(shown)
    return MessagePage(
        messages=[Message(**_tell(row)) for row in shown],
        next=write_id(shown[-1].message_id) if more else None,
    )


async def export_messages(call: Call[MessageQuery, None]) -> AsyncIterator[Sequence[Message]]:
    """GET /messages as CSV or NDJSON: all of them, some at a time."""
    before = read_id(call.query.cursor) if call.query.cursor else None
    while rows := await _read(call, before, CHUNK):
        yield [Message(**_tell(row)) for row in rows]
        before = rows[-1].message_id


async def show_message(call: Call[Nothing, None]) -> MessageDetail:
    """GET /messages/{message_id}"""
    detail = await call.app[STATS].message(call.sender.id, call.message_id)
    if detail is None:
        raise not_there()
    labels = await asyncio.to_thread(label_links, detail.links, call.app[READ_LABEL])
    return MessageDetail(
        **_tell(detail.row),
        reply=detail.reply,
        shared_reason=detail.shared_reason,
        by_recipient=_tell_recipients(detail),
        links=[
            Link(
                number=link.ordinal,
                label=labels[link.ordinal],
                target=link.target,
                clicks=_seen(link.clicks),
            )
            for link in detail.links
        ],
    )


async def stop_message(call: Call[Nothing, None]) -> MessageDetail:
    """POST /messages/{message_id}/stop: from now on nothing of it is recorded."""
    if not await stop(call.app[STORE], call.sender.id, call.message_id):
        raise not_there()
    call.app[FEED].publish(call.sender.id, call.message_id)
    return await show_message(call)


async def erase_message(call: Call[Nothing, None]) -> Erased:
    """DELETE /messages/{message_id}"""
    if not await erase(call.app[STORE], call.sender.id, call.message_id):
        raise not_there()
    call.app[FEED].publish(call.sender.id, call.message_id)
    return Erased(id=write_id(call.message_id))


async def _read(
    call: Call[MessageQuery, None], before: int | None, limit: int
) -> Sequence[MessageRow]:
    query = call.query
    matching = MessageFilter(
        tracked=query.tracked,
        opens_tracked=query.opens_tracked,
        opened=query.opened,
        clicked=query.clicked,
        state=query.state,
        recipient=query.recipient,
        words=read_words(query.q or ""),
        since_ms=to_ms(query.since) if query.since else None,
        until_ms=to_ms(query.until) if query.until else None,
    )
    return await call.app[STATS].recent(
        call.sender.id, before=before, limit=limit, matching=matching
    )


def _tell(row: MessageRow) -> dict[str, Any]:
    """The fields of `Message`."""
    return {
        "id": write_id(row.message_id),
        "sent_at": write_time(row.sent_at_ms),
        "delivered_at": write_time_or_none(row.delivered_at_ms),
        "state": row.state,
        "subject": row.subject,
        "snippet": row.snippet,
        "recipients": list(row.recipients),
        "tracked": Tracked(opens=row.opens, clicks=row.clicks),
        "untracked_reason": row.untracked_reason,
        "per_recipient": row.per_recipient,
        "stopped_at": write_time_or_none(row.stopped_at_ms),
        "opens": _seen(_opens(row)),
        "opens_who": say_who(row, "open", row.opened_by) if row.open_count else "",
        "clicks": _seen(_clicks(row)),
        "clicks_who": say_who(row, "click", row.clicked_by) if row.click_count else "",
    }


def _seen(counted: Counted) -> Seen:
    return Seen(
        believed=counted.count,
        raw=counted.raw_count,
        first_at=write_time_or_none(counted.first_ms),
        last_at=write_time_or_none(counted.last_ms),
    )


def _tell_recipients(detail: Detail) -> list[Recipient]:
    row, everybody = detail.row, people(detail.row)
    outcomes = {each.recipient: each for each in detail.outcomes}
    readers = {each.recipient: each for each in detail.readers}
    told = []
    for ordinal, address in everybody.items():
        outcome = outcomes.get(ordinal)
        # Of one recipient alone, all that is known of the message is known.
        alone = ReaderRow(ordinal, _opens(row), _clicks(row)) if len(everybody) == 1 else None
        own = readers.get(ordinal, ReaderRow(ordinal)) if row.per_recipient else None
        reader = alone or own
        told.append(
            Recipient.model_validate(
                {
                    "address": address,
                    "state": outcome.state if outcome else row.state,
                    "reply": outcome.words if outcome else detail.reply,
                    "opens": _seen(reader.opens) if reader else None,
                    "clicks": _seen(reader.clicks) if reader else None,
                }
            )
        )
    return told


def _opens(row: MessageRow) -> Counted:
    return Counted(row.open_count, row.raw_open_count, row.first_open_ms, row.last_open_ms)


def _clicks(row: MessageRow) -> Counted:
    return Counted(row.click_count, row.raw_click_count, row.first_click_ms, row.last_click_ms)
