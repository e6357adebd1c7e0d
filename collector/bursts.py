"""Which links of one copy were followed almost at once: the sign of a scanner.

A pure memory of recent clicks; copies whose last click is older than the window are forgotten.
"""

from collections import OrderedDict

from collector.verdict import BURST_MS

Copy = tuple[int, int]  # message id, recipient


class Bursts:
    """Show it each click once, about in the order of their times."""

    def __init__(self) -> None:
        # Copies by their last click, each with its links and when they were last followed.
        self._copies: OrderedDict[Copy, dict[int, int]] = OrderedDict()

    def different_links(self, copy: Copy, link: int, at_ms: int) -> int:
        """How many links of this copy were followed in the window before, this one included."""
        self._forget(at_ms - BURST_MS)
        links = self._copies.setdefault(copy, {})
        links[link] = at_ms
        self._copies.move_to_end(copy)
        return sum(at_ms - followed_ms <= BURST_MS for followed_ms in links.values())

    def _forget(self, before_ms: int) -> None:
        while self._copies and max(next(iter(self._copies.values())).values()) < before_ms:
            self._copies.popitem(last=False)
