"""A sender's targets: the webhooks and services that notifications are sent to.

Every query names the sender. What a target is reached by is sealed where it is kept, and leaves
this module only to be used: people see `shown`.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from collector.outward.sealing import Seal, Secret
from collector.outward.services import Services
from collector.outward.signature import SECRET_SIZE, write_secret
from collector.outward.ways import TargetKind
from collector.outward.webhooks import AddressRefused, Webhooks, show
from collector.schema import outbox, target
from collector.store import Store

MAX_TARGETS = 10  # of a sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where notifications are sent to, and how that went; times in milliseconds since the epoch.

    `reason` and `detail` are those of the last failure (outcomes.Failed), `waiting` how many
    notifications wait for it, `left_out` how many were given up.
    """

    id: int
    sender_id: int
    kind: TargetKind
    shown: str
    language: str
    created_at_ms: int
    next_at_ms: int
    sent_at_ms: int | None
    failed_at_ms: int | None
    reason: str
    detail: str
    failing_since_ms: int | None
    failures: int
    left_out: int
    disabled_at_ms: int | None
    waiting: int = 0


class TargetRefused(ValueError):  # noqa: N818 - named for what happened
    """A target that cannot be; `reason` is one of webhooks.AddressRefused or outcomes.Failed, or
    "service", "many" or "twice".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Targets:
    """Every method may raise StoreUnavailable."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        webhooks: Webhooks,
        services: Services,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._seal = seal
        self._webhooks = webhooks
        self._services = services
        self._now_ms = now_ms

    async def every(self, sender_id: int) -> Sequence[Target]:
        """All of a sender's, oldest first."""
        rows = await self._store.read(_EVERY, {"of_sender": sender_id})
        return [Target(**row._asdict()) for row in rows]

    async def find(self, sender_id: int, target_id: int) -> Target | None:
        """One of a sender's."""
        values = {"of_sender": sender_id, "of_target": target_id}
        rows = await self._store.read(_EVERY.where(_OF_TARGET), values)
        return Target(**rows[0]._asdict()) if rows else None

    async def secret(self, sender_id: int, target_id: int) -> Secret | None:
        """What one of a sender's is reached by: "url", and of a webhook "secret" as well. None
        where there is no such target any more, or its key is gone.
        """
        values = {"of_sender": sender_id, "of_target": target_id}
        rows = await self._store.read(_SEALED.where(_OF_SENDER, _OF_TARGET), values)
        return self._seal.open(rows[0].sealed, sender_id) if rows else None

    async def add_webhook(self, sender_id: int, address: str, language: str) -> str:
        """The secret that its receiver knows our signature by. Raises TargetRefused."""
        try:
            url = self._webhooks.read(address)
        except AddressRefused as refusal:
            raise TargetRefused(refusal.reason) from None
        if failure := await self._webhooks.look_up(url):
            raise TargetRefused(failure.reason)
        secret = write_secret(secrets.token_bytes(SECRET_SIZE))
        sealed = {"url": url, "secret": secret}
        await self._add(sender_id, "webhook", sealed, show(url), language)
        return secret

    async def add_service(self, sender_id: int, address: str, language: str) -> None:
        """By an address of Apprise's. Raises TargetRefused."""
        address = address.strip()
        shown = await self._services.read(address)
        if shown is None:
            raise TargetRefused("service")
        await self._add(sender_id, "service", {"url": address}, shown, language)

    async def remove(self, sender_id: int, target_id: int) -> bool:
        """With what was on its way there. False where the sender has no such target."""
        values = {"of_sender": sender_id, "of_target": target_id}
        return bool(await self._store.change(_REMOVE, values))

    async def enable(self, sender_id: int, target_id: int) -> bool:
        """Is sent to again, and at once. False where the sender has no such target."""
        values = {"of_sender": sender_id, "of_target": target_id}
        return bool(await self._store.change(_ENABLE, values))

    async def reseal(self) -> None:
        """Whatever an older key has sealed goes under the first one, so that the old may go."""
        for row in await self._store.read(_SEALED):
            secret = self._seal.open(row.sealed, row.sender_id)
            if secret and not self._seal.is_current(row.sealed):
                values = {
                    "of_target": row.id,
                    "of_sender": row.sender_id,
                    "new_sealed": self._seal.seal(secret, row.sender_id),
                }
                await self._store.change(_RESEAL, values)

    async def _add(
        self, sender_id: int, kind: TargetKind, secret: Secret, shown: str, language: str
    ) -> None:
        now_ms = self._now_ms()
        row = {
            "sender_id": sender_id,
            "kind": kind,
            "shown": shown,
            "sealed": self._seal.seal(secret, sender_id),
            "language": language,
            "created_at_ms": now_ms,
            "next_at_ms": now_ms,
        }
        await self._store.write(partial(self._insert, row=row, url=secret["url"]))

    def _insert(self, connection: Connection, row: dict[str, Any], url: str) -> None:
        """Counted and compared inside the transaction: two at once are one too many, too."""
        sender_id = row["sender_id"]
        there = connection.execute(_SEALED.where(_OF_SENDER), {"of_sender": sender_id}).all()
        if len(there) >= MAX_TARGETS:
            raise TargetRefused("many")
        opened = (self._seal.open(each.sealed, sender_id) for each in there)
        if any(each and each["url"] == url for each in opened):
            raise TargetRefused("twice")
        connection.execute(insert(target), row)


_OF_SENDER = target.c.sender_id == bindparam("of_sender")
_OF_TARGET = target.c.id == bindparam("of_target")
_WAITING = (
    select(func.count())
    .select_from(outbox)
    .where(outbox.c.target_id == target.c.id)
    .scalar_subquery()
)
_EVERY = (
    select(
        *(target.c[field.name] for field in fields(Target) if field.name != "waiting"),
        _WAITING.label("waiting"),
    )
    .where(_OF_SENDER)
    .order_by(target.c.id)
)
_SEALED = select(target.c.id, target.c.sender_id, target.c.sealed).order_by(target.c.id)
_REMOVE = delete(target).where(_OF_SENDER, _OF_TARGET)
_ENABLE = (
    update(target)
    .where(_OF_SENDER, _OF_TARGET)
    .values(disabled_at_ms=None, failing_since_ms=None, failures=0, left_out=0, next_at_ms=0)
)
_RESEAL = update(target).where(_OF_SENDER, _OF_TARGET).values(sealed=bindparam("new_sealed"))
