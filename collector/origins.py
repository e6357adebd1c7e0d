"""Where a toggle comes from: the mail whose own choice stuck (sticky), and what in it said so.

A row is there as long as the toggle is as that mail has set it: whoever sets it by hand takes the
row away. It has the mail's id and nothing else of it, and not even that once the mail is erased.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import Connection, and_, bindparam, delete, insert, select

from collector.schema import message, sender, toggle_origin
from collector.store import Store

Toggle = Literal["opens", "clicks"]

MAX_SAID_BY = 255


@dataclass(frozen=True, slots=True)
class Choice:
    """What a mail said of itself: the toggle, on or off, and the header or address that said so."""

    toggle: Toggle
    on: bool
    said_by: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Since when a toggle is as it is, by what of which mail. The mail is None where it is not in
    the sender's list, or no longer."""

    toggle: Toggle
    at_ms: int
    said_by: str
    message_id: int | None
    subject: str | None


async def find_origins(store: Store, sender_id: int) -> dict[Toggle, Origin]:
    """Of the sender's toggles, those that a mail has set. Raises StoreUnavailable."""
    rows = await store.read(_FIND, {"of_sender": sender_id})
    return {row.toggle: Origin(*row) for row in rows}


def note_choices(
    connection: Connection,
    sender_id: int,
    choices: Iterable[Choice],
    *,
    message_id: int,
    now_ms: int,
) -> None:
    """The mail has set these toggles; it need not be in the store."""
    given = list(choices)
    drop_origins(connection, sender_id, [choice.toggle for choice in given])
    for choice in given:
        row = {
            "of_sender": sender_id,
            "of_toggle": choice.toggle,
            "of_message": message_id,
            "new_said_by": choice.said_by[:MAX_SAID_BY],
            "now_ms": now_ms,
        }
        connection.execute(_INSERT, row)


def drop_origins(connection: Connection, sender_id: int, toggles: Sequence[Toggle]) -> None:
    """They are set by hand from now on."""
    for toggle in toggles:
        connection.execute(_DROP, {"of_sender": sender_id, "of_toggle": toggle})


def take_back(connection: Connection, sender_id: int, toggle: Toggle) -> bool | None:
    """What the toggle was before the mail set it, whose row goes; None where no mail did."""
    of_toggle = {"of_sender": sender_id, "of_toggle": toggle}
    if not connection.execute(_DROP, of_toggle).rowcount:
        return None
    query = select(sender.c[toggle]).where(sender.c.id == bindparam("of_sender"))
    # A mail is noted only where it changed the toggle, so it was the other way round.
    return not cast(bool, connection.execute(query, {"of_sender": sender_id}).scalar_one())


_OWN = and_(
    toggle_origin.c.sender_id == bindparam("of_sender"),
    toggle_origin.c.toggle == bindparam("of_toggle"),
)
_FIND = (
    select(
        toggle_origin.c.toggle,
        toggle_origin.c.at_ms,
        toggle_origin.c.said_by,
        message.c.id.label("message_id"),
        message.c.subject,
    )
    .outerjoin(
        message,
        and_(
            message.c.id == toggle_origin.c.message_id,
            message.c.sender_id == toggle_origin.c.sender_id,
        ),
    )
    .where(toggle_origin.c.sender_id == bindparam("of_sender"))
)
_DROP = delete(toggle_origin).where(_OWN)
_INSERT = insert(toggle_origin).values(
    sender_id=bindparam("of_sender"),
    toggle=bindparam("of_toggle"),
    # None where the mail is not on record, or was erased at this very moment.
    message_id=select(message.c.id)
    .where(message.c.id == bindparam("of_message"))
    .scalar_subquery(),
    said_by=bindparam("new_said_by"),
    at_ms=bindparam("now_ms"),
)
