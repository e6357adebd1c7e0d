"""Recipients' decisions in the store: asked for each mail, changed, proved.

Invariants. What is decided here holds for the next mail at once, what another process writes
within five seconds; a hit is asked for in the transaction that would store it (withholding.py), so
there it holds at once whoever wrote it. Where nobody has decided anything, no mail costs a query.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from collector import decisions
from collector.consent import DEFAULT_MODE, Decisions, How, Kind, Mode, canonical
from collector.decisions import Decision, RefusalStands
from collector.memory import Rows
from collector.roster import Sender
from collector.store import Store, storable

__all__ = ["Consents", "Decision", "RefusalStands", "TrackedMail"]


@dataclass(frozen=True, slots=True)
class TrackedMail:
    """What a recipient is told of a mail; `mode` is that of its sender."""

    sender_id: int
    mode: Mode
    mail_from: str
    sent_at_ms: int
    recipients: tuple[str, ...]


class Consents:
    """Reads and adds decisions. Every method may raise StoreUnavailable.

    `mode` is what holds for senders who have none of their own.
    """

    def __init__(self, store: Store, mode: Mode = DEFAULT_MODE) -> None:
        self.mode = mode
        self._store = store
        self._key: bytes | None = None
        self._has_any: Rows[int, bool] = Rows(self._read_has_any)

    def mode_of(self, sender: Sender) -> Mode:
        """The sender's own mode, else the site's."""
        return sender.consent or self.mode

    async def about(self, sender: Sender, addresses: Iterable[str]) -> Decisions:
        """What these recipients have decided, for a mail that is about to leave."""
        mode = self.mode_of(sender)
        if mode == "always" or not await self._has_any.get(sender.id):
            return Decisions(mode, {})
        return Decisions(mode, await self.held(sender.id, addresses))

    async def held(
        self, sender_id: int, addresses: Iterable[str]
    ) -> Mapping[tuple[str, Kind], bool]:
        """What these have decided towards the sender, whatever the mode; by canonical address."""
        key = await self._read_key()
        names = {decisions.hash_address(each, key): canonical(each) for each in addresses}
        found: dict[tuple[bytes, Kind], Decision] = {}
        for query, values in decisions.find_held(sender_id, list(names)):
            found |= decisions.read_held(await self._store.read(query, values))
        return {(names[hashed], kind): each.granted for (hashed, kind), each in found.items()}

    async def decide(
        self,
        sender_id: int,
        address: str,
        wishes: Mapping[Kind, bool],
        *,
        how: How,
        text_version: str | None = None,
    ) -> bool:
        """Notes what somebody decides now; whether it changes anything.

        Raises RefusalStands, and StoreConflict where there is no such sender.
        """
        now_ms = time.time_ns() // 1_000_000
        wished = [
            Decision(
                sender_id=sender_id,
                address=storable(address.strip()),
                kind=kind,
                granted=granted,
                at_ms=now_ms,
                how=how,
                text_version=text_version,
            )
            for kind, granted in wishes.items()
        ]
        return bool(await self._add(wished, dated=False))

    async def take_over(self, known: Sequence[Decision]) -> int:
        """Adds decisions that were noted elsewhere, all of them or none; how many were news.

        Raises RefusalStands, whose `places` are theirs in `known`, and StoreConflict.
        """
        return await self._add(known, dated=True)

    async def history(self, sender_id: int, address: str) -> list[Decision]:
        """All that this recipient has decided towards the sender, oldest first."""
        hashed = decisions.hash_address(address, await self._read_key())
        [(query, values)] = decisions.find_held(sender_id, [hashed])
        return decisions.read_all(row[1:] for row in await self._store.read(query, values))

    async def list(
        self, sender_id: int, *, after: int = 0, limit: int = 100, held: bool = True
    ) -> list[Decision]:
        """The decisions towards the sender that hold, or all; `after`, an id, continues a list."""
        query = decisions.find_all(sender_id, after=after, limit=limit, held=held)
        return decisions.read_all(await self._store.read(query))

    async def mail(self, message_id: int) -> TrackedMail | None:
        """A mail whose number its token has proved, or None where it is no longer kept."""
        rows = await self._store.read(decisions.FIND_MAIL, {"of_message": message_id})
        if not rows:
            return None
        sender_id, own_mode, mail_from, sent_at_ms, recipients = rows[0]
        mode = own_mode or self.mode
        return TrackedMail(sender_id, mode, mail_from, sent_at_ms, tuple(recipients))

    async def newest_mail(self, sender_id: int, address: str) -> tuple[int, int] | None:
        """The sender's newest mail to somebody, and the recipient's ordinal. Reads all mail for
        it, if need be: for people who can wait."""
        wanted, before = canonical(address), 2**63 - 1
        query = decisions.FIND_RECIPIENTS
        while rows := await self._store.read(query, {"of_sender": sender_id, "before": before}):
            for message_id, recipients in rows:
                for ordinal, each in enumerate(recipients, 1):
                    if canonical(each) == wanted:
                        return message_id, ordinal
            before = rows[-1][0]
        return None

    async def check(self) -> None:
        """Raises StoreUnavailable unless a decision could be noted now."""
        await self._store.check()

    async def _add(self, known: Sequence[Decision], *, dated: bool) -> int:
        key = await self._read_key()
        add = partial(decisions.add_decisions, decisions=known, key=key, dated=dated)
        try:
            return await self._store.write(add)
        finally:
            self._has_any.forget()

    async def _read_has_any(self, sender_id: int) -> bool:
        return bool(await self._store.read(decisions.HAS_ANY, {"of_sender": sender_id}))

    async def _read_key(self) -> bytes:
        if self._key is None:
            [row] = await self._store.read(decisions.FIND_SECRET)
            self._key = row.value
        return self._key
