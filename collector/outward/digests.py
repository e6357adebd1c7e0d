"""Who gets a mail a day of what came since the last one, and when.

Whoever makes the mails asks for those that are `due`, which puts them off for a while, so that no
two processes make one; and says when one is in custody (`told`). A kill in between costs at worst a
second mail.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from collector.addresses import AddressRefused, normalise
from collector.outward.outbox import NEWS_COLUMNS, News, read_news
from collector.schema import digest, message, notification, sender, sender_address
from collector.store import Store

LEASE_MS = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One mail to make: for whom, in which language (ISO 639), of what; the oldest first."""

    sender_id: int
    login: str
    address: str
    language: str
    news: Sequence[News]

    @property
    def last_id(self) -> int:
        """The notification up to which it tells."""
        return max(each.id for each in self.news)


class Digests:
    """`hour` is that of the day, by this machine's clock. All may raise StoreUnavailable."""

    def __init__(
        self,
        store: Store,
        hour: int,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self.hour = hour

    async def is_on(self, sender_id: int) -> bool:
        """Whether this sender wants one."""
        return bool(await self._store.read(_OF, {"of_sender": sender_id}))

    async def turn_on(self, sender_id: int, language: str) -> None:
        """From now on, in this language; where it is on already, only the language changes."""
        now_ms = self._now_ms()
        row = {
            "sender_id": sender_id,
            "language": language,
            "next_at_ms": next_time(now_ms, self.hour),
        }
        await self._store.write(partial(_turn_on, row=row))

    async def turn_off(self, sender_id: int) -> None:
        """No more."""
        await self._store.change(_TURN_OFF, {"of_sender": sender_id})

    async def due(self) -> list[Digest]:
        """Those to make now. Who has no news, or no address of their own, gets none today."""
        now_ms = self._now_ms()
        made = []
        for row in await self._store.read(_DUE, {"now_ms": now_ms}):
            values = {"of_sender": row.sender_id, "now_ms": now_ms}
            if not await self._store.change(_TAKE, {**values, "until_ms": now_ms + LEASE_MS}):
                continue  # another process was quicker
            address = await self.address(row.sender_id, row.login)
            news = await self._news(row.sender_id, row.since_id)
            if address is None or not news or not row.enabled:
                await self.told(row.sender_id, row.since_id)
                continue
            made.append(
                Digest(
                    sender_id=row.sender_id,
                    login=row.login,
                    address=address,
                    language=row.language,
                    news=news,
                )
            )
        return made

    async def told(self, sender_id: int, last_id: int) -> None:
        """All up to this notification is told; the next mail is for the next day."""
        next_ms = next_time(self._now_ms(), self.hour)
        values = {"of_sender": sender_id, "new_since_id": last_id, "new_next_ms": next_ms}
        await self._store.change(_TOLD, values)

    async def address(self, sender_id: int, login: str) -> str | None:
        """Where a sender's mail goes to; None: nowhere."""
        rows = await self._store.read(_ADDRESSES, {"of_sender": sender_id})
        return own_address([row.address for row in rows], login)

    async def _news(self, sender_id: int, since_id: int) -> list[News]:
        values = {"of_sender": sender_id, "since_id": since_id}
        rows = await self._store.read(_NEWS, values)
        return [read_news(row) for row in rows]


def own_address(addresses: Sequence[str], login: str) -> str | None:
    """Where mail for a sender with these addresses and this login goes to; None: nowhere.

    The first address that is no whole domain, else the login if it is one.
    """
    for each in (*addresses, login):
        with suppress(AddressRefused):
            if not (address := normalise(each)).startswith("*@"):
                return address
    return None


def next_time(now_ms: int, hour: int) -> int:
    """When it is next this hour on this machine's clock, in milliseconds since the epoch."""
    today = time.localtime(now_ms / 1000)
    for days in (0, 1):
        # mktime knows the day's own offset, also where clocks are changed that night.
        moment = time.mktime(
            (today.tm_year, today.tm_mon, today.tm_mday + days, hour, 0, 0, 0, 0, -1)
        )
        if moment * 1000 > now_ms:
            break
    return int(moment * 1000)


def _turn_on(connection: Connection, row: dict[str, object]) -> None:
    own = {"of_sender": row["sender_id"]}
    if not connection.execute(_SET_LANGUAGE, {**own, "new_language": row["language"]}).rowcount:
        since_id = connection.execute(_LAST, own).scalar_one()
        connection.execute(insert(digest), {**row, "since_id": since_id})


_OF_SENDER = digest.c.sender_id == bindparam("of_sender")
_LAST = select(func.coalesce(func.max(notification.c.id), 0)).where(
    notification.c.sender_id == bindparam("of_sender")
)
_OF = select(digest.c.sender_id).where(_OF_SENDER)
_TURN_OFF = delete(digest).where(_OF_SENDER)
_SET_LANGUAGE = update(digest).where(_OF_SENDER).values(language=bindparam("new_language"))
_DUE = (
    select(digest, sender.c.login, sender.c.enabled)
    .join(sender)
    .where(digest.c.next_at_ms <= bindparam("now_ms"))
    .order_by(digest.c.next_at_ms)
)
_TAKE = (
    update(digest)
    .where(_OF_SENDER, digest.c.next_at_ms <= bindparam("now_ms"))
    .values(next_at_ms=bindparam("until_ms"))
)
_TOLD = (
    update(digest)
    .where(_OF_SENDER)
    .values(since_id=bindparam("new_since_id"), next_at_ms=bindparam("new_next_ms"))
)
_ADDRESSES = (
    select(sender_address.c.address)
    .where(sender_address.c.sender_id == bindparam("of_sender"))
    .order_by(sender_address.c.position)
)
_NEWS = (
    select(*NEWS_COLUMNS)
    .select_from(notification)
    .join(message, message.c.id == notification.c.message_id)
    .where(
        notification.c.sender_id == bindparam("of_sender"),
        notification.c.id > bindparam("since_id"),
    )
    .order_by(notification.c.id)
)
