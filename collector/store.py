"""The store: what the relay and the collector keep, in an SQLite file or on a PostgreSQL server.

Writes go through the one writer (writer.py) and count as done when they are committed; reads use
connections of their own and never wait for it. Statements are made once, here, with named
parameters. Whatever the database says when it fails comes out as StoreUnavailable.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal, TypeVar

from sqlalchemy import (
    Connection,
    Executable,
    bindparam,
    delete,
    false,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from collector import engine, migrations
from collector.consent import Objected
from collector.databases import find_database
from collector.errors import StoreConflict, StoreError, StoreUnavailable
from collector.schema import UNFINISHED, Origin, message, secret
from collector.writer import Step, Writer

WRITE_SECONDS = 5.0
CLOSE_SECONDS = 2.0  # for queries that still run

# What a row itself can bring about: a taken id, a number too large, a text that cannot be encoded.
_ROW_REFUSED = (StoreConflict, SQLAlchemyError, ValueError, OverflowError)

T = TypeVar("T")
State = Literal["delivered", "deferred", "refused", "queued"]


@dataclass(frozen=True, slots=True)
class SentLink:
    """A wrapped link: its number in the message, where it leads, the HTML it was shown as."""

    ordinal: int
    target: str
    html: str


@dataclass(frozen=True, slots=True)
class Wished:
    """Whether a message's opens and links were to be tracked, and who decided that; what came of it
    is another matter."""

    opens: bool
    clicks: bool
    opens_from: Origin
    clicks_from: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One submission, as it is about to leave.

    `per_recipient`: each recipient gets a copy of their own, and hits tell their ordinal, which is
    their place in `recipients`, from 1. `shared_reason` says why not, where the sender wished it.
    `snippet` is the first words of its text, "" where none are kept; `skipped` what stayed as it
    was: by which rule, how much of it, an example.
    """

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
    per_recipient: bool = False
    shared_reason: str | None = None
    objected: tuple[Objected, ...] = ()
    snippet: str = ""
    skipped: tuple[tuple[str, int, str], ...] = ()
    wished: Wished | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What upstream did with a message, when, and in which words.

    `outcomes` say it of each recipient, by ordinal, where not all fared alike.
    """

    at_ms: int
    state: State
    reply: str
    outcomes: tuple[tuple[int, State, str], ...] | None = None

    @property
    def is_taken(self) -> bool:
        """Whether upstream has it for anybody."""
        each = self.outcomes or ((0, self.state, self.reply),)
        return any(state == "delivered" for _, state, _ in each)


class Store:
    """Open one with `await Store.open(url)`; `close` it when everything that writes has stopped."""

    def __init__(self, writer: Writer, readers: AsyncEngine) -> None:
        self._writer = writer
        self._readers = readers
        self._reading: set[asyncio.Task[Sequence[Any]]] = set()

    @classmethod
    async def open(cls, url: str) -> "Store":
        """Opens or upgrades the database that the URL names (databases.py); makes a file that is
        missing. Raises StoreError."""
        database = await asyncio.to_thread(find_database, url)
        await asyncio.to_thread(migrations.upgrade, database)
        store = cls(Writer(database.open_writer()), database.open_readers())
        try:
            unfinished = await store.read(_FIND_UNFINISHED)
        except BaseException:
            await store.close()
            raise
        if unfinished:
            await store.close()
            raise StoreError(
                f"the store {database.where} is a copy that is not finished: "
                "give `letterbell store copy` again"
            )
        return store

    async def close(self) -> None:
        """Commits what still waits and closes every connection."""
        await self._writer.close()
        if self._reading:
            await asyncio.wait(self._reading, timeout=CLOSE_SECONDS)
        await self._readers.dispose()

    async def read(self, statement: Executable, values: Any = None) -> Sequence[Any]:
        """All rows of a query. Raises StoreUnavailable.

        Whoever is cancelled leaves at once, but the query runs to its end: a connection that is
        dropped while it opens is nobody's to close.
        """
        reading = asyncio.ensure_future(self._read(statement, values))
        self._reading.add(reading)
        reading.add_done_callback(self._end_reading)
        return await asyncio.shield(reading)

    def _end_reading(self, reading: "asyncio.Task[Sequence[Any]]") -> None:
        self._reading.discard(reading)
        if not reading.cancelled():
            reading.exception()  # it is raised where somebody still waits

    async def _read(self, statement: Executable, values: Any) -> Sequence[Any]:
        try:
            async with self._readers.connect() as connection:
                try:
                    return (await connection.execute(statement, values)).all()
                except Exception:
                    await connection.invalidate()
                    raise
        except Exception as error:  # noqa: BLE001 - raised again, in our words if it is the database's
            raise engine.translate(error) from None

    async def write(self, call: Callable[[Connection], T]) -> T:
        """Runs `call` in a transaction of the writer, returns its result once committed.

        Raises what `call` raises (nothing of it is stored then), StoreUnavailable, StoreConflict.
        """
        return await self._writer.call(call, WRITE_SECONDS)

    async def change(self, statement: Executable, values: dict[str, Any]) -> int:
        """Runs one statement as `write` does; how many rows it changed or deleted."""
        return await self.write(lambda connection: connection.execute(statement, values).rowcount)

    async def check(self) -> None:
        """Raises StoreUnavailable unless the store takes writes now."""
        await self.change(_CHANGE_NOTHING, {})

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
        except _ROW_REFUSED as error:
            raise StoreUnavailable(f"it refused the message's row: {error}") from error

    async def unsettled(self) -> Sequence[tuple[int, str]]:
        """The messages that are being sent or are queued: id and state. Raises StoreUnavailable."""
        states = ("sending", "queued")
        rows = await self.read(
            select(message.c.id, message.c.state).where(message.c.state.in_(states))
        )
        return [(row.id, row.state) for row in rows]

    def record_outcome(
        self, message_id: int, outcome: Outcome, then: Callable[[], None] | None = None
    ) -> None:
        """Notes what upstream did, some time soon: never waits for the disk, never raises.

        An outage is waited out for a minute. `then` is called once the outcome is committed.
        """
        row = {
            "of_message": message_id,
            "new_state": outcome.state,
            "new_reply": storable(outcome.reply),
            "taken_at_ms": outcome.at_ms if outcome.is_taken else None,
            "new_outcomes": [
                [ordinal, state, storable(words)]
                for ordinal, state, words in outcome.outcomes or ()
            ]
            or None,
        }
        self.post(_UPDATE_OUTCOME, row, then)

    def post(
        self, statement: Executable, row: dict[str, Any], then: Callable[[], None] | None = None
    ) -> None:
        """Runs a write some time soon, then calls `then`: never waits, never raises."""
        self._writer.post(Step(statement, [row]), then)


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
        "snippet": storable(sent.snippet),
        "recipients": [storable(recipient) for recipient in sent.recipients],
        "mail_from": storable(sent.mail_from),
        "message_id_header": storable(sent.message_id_header),
        "untracked_reason": None
        if sent.untracked_reason is None
        else storable(sent.untracked_reason),
        "per_recipient": sent.per_recipient,
        "shared_reason": sent.shared_reason,
        "objected": [list(astuple(each)) for each in sent.objected] or None,
        "links": [[link.ordinal, link.target, storable(link.html)] for link in sent.links],
        "skipped": [[rule, count, storable(example)] for rule, count, example in sent.skipped]
        or None,
        "opens_wished": sent.wished and sent.wished.opens,
        "clicks_wished": sent.wished and sent.wished.clicks,
        "opens_from": sent.wished and sent.wished.opens_from,
        "clicks_from": sent.wished and sent.wished.clicks_from,
    }


_INSERT_MESSAGE = insert(message).values(
    delivered_at_ms=None,
    state="sending",
    open_count=0,
    raw_open_count=0,
    click_count=0,
    raw_click_count=0,
    reply="",
)
_FIND_UNFINISHED = select(secret.c.name).where(secret.c.name == UNFINISHED)
_CHANGE_NOTHING = delete(message).where(false())
_OF_MESSAGE = message.c.id == bindparam("of_message")
_DELETE_MESSAGE = delete(message).where(_OF_MESSAGE)
_UPDATE_OUTCOME = (
    update(message)
    .where(_OF_MESSAGE)
    .values(
        state=bindparam("new_state"),
        reply=bindparam("new_reply"),
        outcomes=bindparam("new_outcomes"),
        delivered_at_ms=func.coalesce(message.c.delivered_at_ms, bindparam("taken_at_ms")),
    )
)
