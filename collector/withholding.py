"""Which hits may not be kept, asked in the transaction that would store them.

So a refusal holds at once, for mail that was sent long before as well. Whoever shares a copy cannot
be told apart: if one of those it is tracked of has refused since, nothing is kept of it. Where a
sender's recipients have refused nothing, this costs one look into an index, on the way.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select

from collector.consent import Kind, Mode, objection
from collector.decisions import FIND_SECRET, Decision, hash_address, held_now
from collector.schema import consent, message, sender

_MODE = func.coalesce(
    select(sender.c.consent).where(sender.c.id == message.c.sender_id).scalar_subquery(),
    bindparam("site_mode", type_=sender.c.consent.type),
)
_REFUSED = exists().where(consent.c.sender_id == message.c.sender_id, consent.c.granted.is_(False))
# Of a message: whether anybody may object to what is kept of it. `site_mode` is bound by who asks.
IS_GUARDED = or_(_MODE == "only-consented", and_(_MODE != "always", _REFUSED))
_FIND_GUARDED = select(
    message.c.sender_id, message.c.recipients, message.c.objected, _MODE.label("mode")
).where(message.c.id == bindparam("of_message"))


class Guard:
    """A message of which somebody may object to what is kept."""

    def __init__(self, connection: Connection, message_id: int, site_mode: Mode) -> None:
        values = {"of_message": message_id, "site_mode": site_mode}
        found = connection.execute(_FIND_GUARDED, values).one()
        key = connection.execute(FIND_SECRET).scalar_one()
        self._mode: Mode = found.mode
        self._hashes = [hash_address(address, key) for address in found.recipients]
        self._untracked = {(ordinal, kind) for ordinal, kind, _ in found.objected or ()}
        self._held: Mapping[tuple[bytes, Kind], Decision] = held_now(
            connection, found.sender_id, self._hashes
        )

    def lets_pass(self, kind: Kind, recipient: int) -> bool:
        """Whether nobody objects whose hit it may be; `recipient` is 0 where they share a copy."""
        return all(
            self._lets_pass(hashed, kind)
            for ordinal, hashed in enumerate(self._hashes, 1)
            if recipient in (0, ordinal) and (ordinal, kind) not in self._untracked
        )

    def _lets_pass(self, hashed: bytes, kind: Kind) -> bool:
        held = self._held.get((hashed, kind))
        return objection(self._mode, held.granted if held else None) is None
