"""What is kept of a hit once it is judged: no more than the site wishes. Pure."""

from dataclasses import dataclass
from typing import Literal

from collector.client import Address, truncate
from collector.families import find_family

DAY_MS = 86_400_000

Addresses = Literal["none", "truncated", "full"]
Agents = Literal["family", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The site's wishes. `window`: hits later than so many days after the sending of their message
    are not kept; 0 keeps them all.
    """

    addresses: Addresses = "truncated"
    agents: Agents = "family"
    window: float = 0

    def takes(self, at_ms: int, sent_at_ms: int) -> bool:
        """Whether a hit at this time is kept at all."""
        return not self.window or at_ms - sent_at_ms <= self.window * DAY_MS

    def network(self, address: Address | None) -> bytes | None:
        """Of an address: nothing, its network (3 or 6 bytes), or all of it (4 or 16)."""
        if address is None or self.addresses == "none":
            return None
        return address.packed if self.addresses == "full" else truncate(address)

    def agent(self, agent: str) -> str:
        """Of a user agent: its family, or all of it."""
        return agent if self.agents == "full" else find_family(agent)


DEFAULT = Keeping()
