"""The store: what the relay and the collector keep, in one SQLite file.

Writes go through the one writer (writer.py) and count as done when they are committed; reads use
connections of their own and never wait for it. Statements are made once, here, with named
parameters. Whatever the database says when it fails comes out as StoreUnavailable.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from collector import engine, migrations
from collector.errors import StoreConflict, StoreUnavailable
from collector.schema import HIT_KINDS, agent, hit, message
from collector.writer import Step, Writer

OUTCOME_PATIENCE = 60.0
WRITE_SECONDS = 5.0

T = TypeVar("T")
State = Literal["delivered", "deferred", "refused"]


@dataclass(frozen=True, slots=True)
class SentLink:
    """A wrapped link: its number in the message, where it leads, the HTML it was shown as."""

    ordinal: int
    target: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One submission, as it is about to leave."""

    message_id: int
    sender_id: int
    sent_at_ms: int
    mail_from: str
    recipients: tuple[str, ...]
    subject: str
    message_id_header: str
    opens: bool
    clicks: bool
    links: tuple[SentLink, ...] = ()
    untracked_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What upstream did with a message, when, and in which words."""

    at_ms: int
    state: State
    reply: str


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """What judging a hit asks of its message."""

    sender_id: int
    sent_at_ms: int
    delivered_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedHit:
    """A hit with its verdict, reduced to what may be kept of it."""

    message_id: int
    at_ms: int
    kind: str
    recipient: int
    link: int | None
    verdict: str
    rule: str
    believed: bool
    counted: bool
    network: bytes | None
    agent: str


class Store:
    """Open one with `await Store.open(url)`; `close` it when everything that writes has stopped."""

    def __init__(self, writer: Writer, engines: tuple[AsyncEngine, AsyncEngine]) -> None:
        self._writer = writer
        self._engines = engines
        self._readers = engines[1]

    @classmethod
    async def open(cls, url: str) -> "Store":
        """Opens, makes or upgrades the database at "sqlite:///PATH". Raises StoreError."""
        path = engine.database_file(url)
        await asyncio.to_thread(engine.prepare_file, path)
        await asyncio.to_thread(migrations.upgrade, path)
        engines = (engine.open_writer(path), engine.open_readers(path))
        return cls(Writer(engines[0]), engines)

    async def close(self) -> None:
        """Commits what still waits and closes every connection."""
        await self._writer.close()
        for each in self._engines:
            await each.dispose()

    async def read(self, statement: Executable, values: Any = None) -> Sequence[Any]:
        """All rows of a query. Raises StoreUnavailable."""
        try:
            async with self._readers.connect() as connection:
                try:
                    return (await connection.execute(statement, values)).all()
                except SQLAlchemyError:
                    await connection.invalidate()
                    raise
        except SQLAlchemyError as error:
            raise engine.translate(error) from error

    async def write(self, call: Callable[[Connection], T]) -> T:
        """Runs `call` in a transaction of the writer, returns its result once committed.

        Raises what `call` raises (nothing of it is stored then), StoreUnavailable, StoreConflict.
        """
        return await self._writer.call(call, WRITE_SECONDS)

    async def check(self) -> None:
        """Raises StoreUnavailable unless the store takes writes now."""
        await self._writer.call(lambda connection: None, WRITE_SECONDS)

    async def record_sent(self, sent: Sent, timeout: float = 2.0) -> None:  # noqa: ASYNC109 - undoes late ones
        """Returns once the message's row is committed.

        Raises StoreUnavailable (locked, full, corrupt, or no commit within `timeout` seconds);
        the row is not there then, and will not come.
        """
        undo = Step(_DELETE_MESSAGE, [{"of_message": sent.message_id}])
        try:
            await self._writer.store(
                Step(_INSERT_MESSAGE, [_message_row(sent)]), undo=undo, seconds=timeout
            )
        except StoreConflict as error:
            raise StoreUnavailable(str(error)) from error

    async def record_outcome(self, message_id: int, outcome: Outcome) -> None:
        """Notes what upstream did, some time soon: never waits for the disk, never raises."""
        row = {
            "of_message": message_id,
            "new_state": outcome.state,
            "new_reply": storable(outcome.reply),
            "taken_at_ms": outcome.at_ms if outcome.state == "delivered" else None,
        }
        self._writer.post(Step(_UPDATE_OUTCOME, [row]), patience=OUTCOME_PATIENCE)

    async def known_messages(self, ids: Iterable[int]) -> dict[int, KnownMessage]:
        """Those of the messages that are kept. Raises StoreUnavailable."""
        rows = await self.read(_KNOWN_MESSAGES, {"ids": list(ids)})
        return {
            row.id: KnownMessage(row.sender_id, row.sent_at_ms, row.delivered_at_ms) for row in rows
        }

    async def record_hits(self, hits: Sequence[JudgedHit]) -> None:
        """Stores hits and raises their messages' counters, in one transaction.

        Hits on messages that are not (or no longer) kept are passed over. Raises StoreUnavailable.
        """
        await self._writer.store(
            Step(_INSERT_AGENT, [{"new_text": text} for text in {each.agent for each in hits}]),
            Step(_INSERT_HIT, [_hit_row(each) for each in hits]),
            Step(_COUNT_HITS, _counts(hits)),
            seconds=WRITE_SECONDS,
        )


def storable(text: str) -> str:
    """The text without what no database takes: NUL, and halves of surrogate pairs."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _message_row(sent: Sent) -> dict[str, Any]:
    return {
        "id": sent.message_id,
        "sender_id": sent.sender_id,
        "sent_at_ms": sent.sent_at_ms,
        "opens": sent.opens,
        "clicks": sent.clicks,
        "subject": storable(sent.subject),
        "recipients": [storable(recipient) for recipient in sent.recipients],
        "mail_from": storable(sent.mail_from),
        "message_id_header": storable(sent.message_id_header),
        "untracked_reason": sent.untracked_reason,
        "links": [[link.ordinal, link.target, storable(link.html)] for link in sent.links],
    }


def _hit_row(judged: JudgedHit) -> dict[str, Any]:
    row: dict[str, Any] = {f"new_{name}": getattr(judged, name) for name in _HIT_COLUMNS}
    return {**row, "of_message": judged.message_id, "by_agent": judged.agent}


def _counts(hits: Iterable[JudgedHit]) -> list[dict[str, Any]]:
    """What the hits add to their messages, a row a message."""
    rows: dict[int, dict[str, Any]] = {}
    for each in hits:
        row = rows.setdefault(each.message_id, {"of_message": each.message_id, **_NO_COUNTS})
        kind = each.kind
        row[f"raw_{kind}s_more"] += each.counted
        if each.believed:
            row[f"{kind}s_more"] += 1
            row[f"{kind}_first"] = min(row[f"{kind}_first"] or each.at_ms, each.at_ms)
            row[f"{kind}_last"] = max(row[f"{kind}_last"] or each.at_ms, each.at_ms)
    return list(rows.values())


def _raise_counts(kind: str) -> dict[str, ColumnElement[Any]]:
    count, raw = f"{kind}_count", f"raw_{kind}_count"
    first, last = f"first_{kind}_ms", f"last_{kind}_ms"
    return {
        count: message.c[count] + bindparam(f"{kind}s_more"),
        raw: message.c[raw] + bindparam(f"raw_{kind}s_more"),
        first: func.coalesce(message.c[first], bindparam(f"{kind}_first")),
        last: func.coalesce(bindparam(f"{kind}_last"), message.c[last]),
    }


_NO_COUNTS: dict[str, int | None] = {
    f"{prefix}{kind}{suffix}": none
    for kind in HIT_KINDS
    for prefix, suffix, none in (
        ("", "s_more", 0),
        ("raw_", "s_more", 0),
        ("", "_first", None),
        ("", "_last", None),
    )
}
_HIT_COLUMNS = ("at_ms", "kind", "recipient", "link", "verdict", "rule", "network")

_INSERT_MESSAGE = insert(message).values(
    delivered_at_ms=None,
    state="sending",
    open_count=0,
    raw_open_count=0,
    click_count=0,
    raw_click_count=0,
    reply="",
)
_OF_MESSAGE = message.c.id == bindparam("of_message")
_DELETE_MESSAGE = delete(message).where(_OF_MESSAGE)
_UPDATE_OUTCOME = (
    update(message)
    .where(_OF_MESSAGE)
    .values(
        state=bindparam("new_state"),
        reply=bindparam("new_reply"),
        delivered_at_ms=func.coalesce(bindparam("taken_at_ms"), message.c.delivered_at_ms),
    )
)
_KNOWN_MESSAGES = select(
    message.c.id, message.c.sender_id, message.c.sent_at_ms, message.c.delivered_at_ms
).where(message.c.id.in_(bindparam("ids", expanding=True)))
_INSERT_AGENT = insert(agent).from_select(
    ["text"],
    select(bindparam("new_text", type_=agent.c.text.type)).where(
        ~exists().where(agent.c.text == bindparam("new_text"))
    ),
)
# From a select, so that a hit on a message that was purged meanwhile inserts nothing.
_INSERT_HIT = insert(hit).from_select(
    ["message_id", *_HIT_COLUMNS, "agent_id"],
    select(
        message.c.id,
        *(bindparam(f"new_{name}", type_=hit.c[name].type) for name in _HIT_COLUMNS),
        select(agent.c.id).where(agent.c.text == bindparam("by_agent")).scalar_subquery(),
    ).where(_OF_MESSAGE),
)
_COUNT_HITS = (
    update(message).where(_OF_MESSAGE).values(_raise_counts("open") | _raise_counts("click"))
)
