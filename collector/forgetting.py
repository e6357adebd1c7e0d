"""Forgets one person: what is theirs alone goes, and in what is others' as well the address goes.

A message to them alone is erased. In one to several, the address is blanked wherever it stands (in
`recipients`, upstream's words, subject, first words, a link), the hits of their own copy go, with
the notifications of them, and no more are recorded: nobody could ask any more whether they object.
A decision of theirs stays without the address, found by its hash, so that a refusal still holds for
mail to come. Whose account it is is not decided here: `letterbell sender remove` ends one.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Row,
    Text,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)

from collector.counters import recounting
from collector.erasing import erase_all
from collector.person import FORGOTTEN, Person
from collector.schema import agent, consent, hit, message, notification
from collector.store import Store

AT_ONCE = 500  # rows that are read in one go

Part = Callable[[Store, Person], Awaitable[Counter[str]]]


async def forget(store: Store, person: Person) -> Counter[str]:
    """How many rows went, and in how many the address was blanked. Raises StoreUnavailable; what
    is left then goes when it is done again.
    """
    done: Counter[str] = Counter()
    for part in PARTS:
        done += await part(store, person)
    return done


async def _forget_messages(store: Store, person: Person) -> Counter[str]:
    done: Counter[str] = Counter()
    async for rows in _mentions(store, person, message.c.id, (message.c.recipients, *_TEXTS)):
        alone = [
            row.id for row in rows if row.recipients and all(map(person.is_at, row.recipients))
        ]
        await erase_all(store, alone)
        done["erased"] += len(alone)
        for message_id in {row.id for row in rows} - set(alone):
            now_ms = time.time_ns() // 1_000_000
            blank = partial(_blank_message, message_id=message_id, person=person, now_ms=now_ms)
            done["blanked"] += await store.write(blank)
    return done


async def _forget_agents(store: Store, person: Person) -> Counter[str]:
    """A program may name whom it belongs to."""
    done: Counter[str] = Counter()
    async for rows in _mentions(store, person, agent.c.id, (agent.c.text,)):
        for row in rows:
            if person.is_in(row.text):
                values = {"of_agent": row.id, "new_text": f"{FORGOTTEN} {row.id}"}
                done["blanked"] += await store.change(_SET_AGENT, values)
    return done


async def _forget_decisions(store: Store, person: Person) -> Counter[str]:
    """Its hash is what is left of the address, and what a refusal is found by."""
    done: Counter[str] = Counter()
    async for rows in _mentions(store, person, consent.c.id, (consent.c.address,)):
        for row in rows:
            if person.is_at(row.address) or person.is_in(row.address):
                done["blanked"] += await store.change(_BLANK_DECISION, {"of_decision": row.id})
    return done


# What is known of people, a part for each table that knows of them.
PARTS: tuple[Part, ...] = (_forget_messages, _forget_agents, _forget_decisions)


async def _mentions(
    store: Store, person: Person, key: Column[int], columns: Sequence[Column[Any]]
) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows of a table that may mention the person in one of the columns, by the hundred."""
    mentioning = or_(*(cast(column, Text).icontains(person.needle) for column in columns))
    query = select(key, *columns).where(key > bindparam("after"), mentioning).order_by(key)
    after = -1
    while rows := await store.read(query.limit(AT_ONCE), {"after": after}):
        yield rows
        after = rows[-1].id


def _blank_message(connection: Connection, message_id: int, person: Person, now_ms: int) -> bool:
    """Whether there was anything to blank. As it is now: an outcome may have come meanwhile."""
    query = select(message.c.recipients, *_TEXTS).where(message.c.id == message_id)
    query = query.with_for_update()
    row = connection.execute(query).first()
    if row is None:
        return False
    before = row._asdict()
    ordinals = [n for n, each in enumerate(row.recipients, 1) if person.is_at(each)]
    recipients = _without(row.recipients, ordinals)
    after = {name: _blanked(value, person) for name, value in before.items()}
    after["recipients"] = recipients
    if after == before:
        return False
    if ordinals:
        after["stopped_at_ms"] = func.coalesce(message.c.stopped_at_ms, now_ms)
        with recounting(connection, [message_id]):
            of_theirs = (hit.c.message_id == message_id, hit.c.recipient.in_(ordinals))
            connection.execute(delete(hit).where(*of_theirs))
        told = (notification.c.message_id == message_id, notification.c.recipient.in_(ordinals))
        connection.execute(delete(notification).where(*told))
    connection.execute(update(message).where(message.c.id == message_id).values(after))
    return True


def _without(recipients: Sequence[str], ordinals: Sequence[int]) -> list[str]:
    """Whoever is forgotten stays one and the same among the recipients, and another than others."""
    others = len({each for each in recipients if each.startswith(FORGOTTEN)})
    name = f"{FORGOTTEN} {others + 1}" if others else FORGOTTEN
    return [name if n in ordinals else each for n, each in enumerate(recipients, 1)]


def _blanked(value: Any, person: Person) -> Any:
    """All texts in it without the address."""
    if isinstance(value, str):
        return person.blank(value)
    if isinstance(value, list):
        return [_blanked(each, person) for each in value]
    return value


_TEXTS = (
    message.c.subject,
    message.c.snippet,
    message.c.mail_from,
    message.c.message_id_header,
    message.c.untracked_reason,
    message.c.reply,
    message.c.links,
    message.c.shared_reason,
    message.c.outcomes,
    message.c.skipped,
)
_SET_AGENT = (
    update(agent).where(agent.c.id == bindparam("of_agent")).values(text=bindparam("new_text"))
)
_BLANK_DECISION = (
    update(consent).where(consent.c.id == bindparam("of_decision")).values(address=None)
)
