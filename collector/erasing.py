"""A message whose tracking is stopped, and one that is erased: its sender's wish.

Links go on leading where they led, since the target is in the link. Of a stopped message nothing
more is recorded, and of an erased one nothing is left. Rows go by the thousand, so that no other
write waits for long.
"""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, func, select, update

from collector.schema import hit, message
from collector.store import Store

ROWS = 1_000  # that go in one transaction


async def stop(store: Store, sender_id: int, message_id: int) -> bool:
    """From now on no hit on it is recorded. False where the sender has no such message.

    Raises StoreUnavailable.
    """
    now_ms = time.time_ns() // 1_000_000
    values = {"of_message": message_id, "of_sender": sender_id, "now_ms": now_ms}
    return bool(await store.change(_STOP, values))


async def erase(store: Store, sender_id: int, message_id: int) -> bool:
    """Takes it out of the store with its hits. False where the sender has no such message.

    Raises StoreUnavailable; some of its hits may be gone then.
    """
    if await find_owner(store, message_id) != sender_id:
        return False
    await erase_all(store, [message_id])
    return True


async def find_owner(store: Store, message_id: int) -> int | None:
    """The id of the sender whose message it is. Raises StoreUnavailable."""
    rows = await store.read(_OWNER, {"of_message": message_id})
    return rows[0].sender_id if rows else None


async def erase_all(store: Store, ids: Sequence[int]) -> None:
    """Takes these messages, whosesoever, out with their hits. Raises StoreUnavailable."""
    for start in range(0, len(ids), ROWS):
        some = {"ids": list(ids[start : start + ROWS])}
        while await store.change(_DELETE_HITS, {**some, "rows": ROWS}) == ROWS:
            pass
        await store.change(_DELETE_MESSAGES, some)


_OF_MESSAGE = message.c.id == bindparam("of_message")
_OWNER = select(message.c.sender_id).where(_OF_MESSAGE)
_STOP = (
    update(message)
    .where(_OF_MESSAGE, message.c.sender_id == bindparam("of_sender"))
    .values(stopped_at_ms=func.coalesce(message.c.stopped_at_ms, bindparam("now_ms")))
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_DELETE_HITS = delete(hit).where(
    hit.c.id.in_(select(hit.c.id).where(hit.c.message_id.in_(_IDS)).limit(bindparam("rows")))
)
_DELETE_MESSAGES = delete(message).where(message.c.id.in_(_IDS))
