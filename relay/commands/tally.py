"""What would become of many mails, counted: nothing of a mail is kept but numbers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from relay.commands.explanation import Explanation
from relay.commands.report import align
from relay.commands.rules import RULES
from relay.log import escape
from rewriter import Rewritten


@dataclass(slots=True)
class Tally:
    """Counts of mails, links and pixels, and of the rules by which any was left."""

    mails: int = 0
    changed: int = 0
    unread: int = 0
    wrapped: int = 0
    restored: int = 0
    pixels: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    part_rules: Counter[str] = field(default_factory=Counter)
    link_rules: Counter[str] = field(default_factory=Counter)

    def add(self, explanation: Explanation) -> None:
        """Counts one mail."""
        result = explanation.result
        self.mails += 1
        self.part_rules.update(part.rule for part in result.parts if part.rule is not None)
        self.link_rules.update(skipped.rule for skipped in result.skipped)
        if isinstance(result, Rewritten):
            self.changed += 1
            self.wrapped += len(result.links)
            self.restored += len(result.restored)
            self.pixels += result.pixel is not None
        else:
            self.reasons[result.reason] += 1

    def lines(self) -> Iterator[str]:
        """The tables, for people."""
        totals = {
            "mails": self.mails,
            "  changed": self.changed,
            "  left as they came": self.reasons.total(),
            "links wrapped": self.wrapped,
            "links left": self.link_rules.total() - self.link_rules["own pixel"],
            "links and pixels of ours restored": self.restored,
            "pixels put in": self.pixels,
            "files not read": self.unread,
        }
        width = max(len(f"{number:,}") for number in totals.values())
        yield from align([[what, f"{number:>{width},}"] for what, number in totals.items()])
        yield from _ranked("Mails left as they came, by reason", self.reasons)
        yield from _ranked("Parts left, by rule", self.part_rules)
        yield from _ranked("Links and pixels left, by rule", self.link_rules)


def _ranked(title: str, counts: Counter[str]) -> Iterator[str]:
    """The rules by how often they were met, each with its sentence."""
    if not counts:
        return
    yield f"\n{click.style(title, bold=True)}"
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    width = len(f"{ranked[0][1]:,}")
    rows = [
        [f"{count:>{width},}", escape(rule), RULES.get(rule, "a rule without a sentence")]
        for rule, count in ranked
    ]
    yield from (f"  {line.rstrip()}" for line in align(rows))
