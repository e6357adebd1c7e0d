"""An explanation as lines for a person. Whatever a mail holds, no control character gets out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import click

from relay.commands.explanation import Explanation
from relay.commands.rules import RULES
from relay.log import escape
from rewriter import Part

COLOURS = {"wrapped": "green", "read": "green", "restored": "cyan", "left": "yellow"}
# The most that is shown of a target, a label, a media type, another word of a mail's header.
TARGET = 72
LABEL = 48
TYPE = 32
WORD = 16


class _Row(NamedTuple):
    """A link's line: its number among the wrapped, what becomes of it, its address, the rest."""

    ordinal: str
    word: str
    address: str
    more: str


class _Rules:
    """Tells a rule with its sentence where it is first met, then by its name alone."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, rule: str) -> str:
        if rule in self._told:
            return rule
        self._told.add(rule)
        return f"{rule}: {RULES.get(rule, 'a rule without a sentence')}"


def report(name: str, explanation: Explanation) -> Iterator[str]:
    """The lines on one mail."""
    rules, parts = _Rules(), explanation.result.parts
    yield f"{click.style(escape(name), bold=True)}: {_headline(explanation, rules)}"
    for subject, words in _remarks(explanation, rules):
        yield f"  {subject:<5}  {escape(words)}"
    rows, space = _rows(explanation, rules), True
    for head, part in zip(_heads(parts), parts, strict=True):
        told = "" if part.rule is None else f"  {rules.tell(part.rule)}"
        own = rows.get(part.number, ())
        if space or own:
            yield ""
        yield f"  {head}  {_coloured('left' if told else 'read')}{told}"
        yield from _lines(own)
        space = bool(own)


def shorten(text: str, length: int) -> str:
    """At most `length` characters, without those in the middle: the ends of a URL say most."""
    tail = length // 3
    return text if len(text) <= length else f"{text[: length - tail - 1]}…{text[-tail:]}"


def align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of equally many cells, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells)


def _headline(explanation: Explanation, rules: _Rules) -> str:
    if explanation.reason is not None:
        return f"left as it came, {rules.tell(explanation.reason)}"
    counts = {
        "wrapped": len(explanation.links),
        "left": sum(skipped.rule != "own pixel" for skipped in explanation.result.skipped),
        "restored": len(explanation.restored),
    }
    told = (f"{count} {word}" for word, count in counts.items() if count or word == "wrapped")
    return f"changed, {', '.join(told)}"


def _remarks(explanation: Explanation, rules: _Rules) -> Iterator[tuple[str, str]]:
    """What is told of the mail as a whole, each with its subject."""
    if explanation.controls:
        opens = "on" if explanation.tracking.opens else "off"
        clicks = "on" if explanation.tracking.clicks else "off"
        named = ", ".join(explanation.controls)
        yield "asks", f"opens {opens}, clicks {clicks} by its own header, taken out: {named}"
    first = explanation.read_first()
    if first is not None:
        yield "reads", first or "(no text)"
    if not explanation.tracking.clicks and explanation.reason != "tracking is off":
        yield "links", f"none wrapped, {rules.tell('clicks are off')}"
    if explanation.pixel is not None:
        yield "pixel", f"in part {explanation.pixel}"
    elif explanation.no_pixel != explanation.reason:
        yield "pixel", f"none, {rules.tell(explanation.no_pixel or '')}"


def _heads(parts: Iterable[Part]) -> Iterator[str]:
    """Each part's number, type, charset and encoding."""
    return align(
        [
            [
                part.number,
                shorten(escape(part.media_type), TYPE),
                shorten(escape(part.charset or "-"), WORD),
                shorten(escape(part.encoding or "-"), WORD),
            ]
            for part in parts
        ]
    )


def _rows(explanation: Explanation, rules: _Rules) -> dict[str, list[_Row]]:
    """What becomes of links, and of pixels of ours, by the parts that they stand in."""
    rows: dict[str, list[_Row]] = defaultdict(list)
    for link in explanation.links:
        target, label = link.target.decode("ascii"), link.label or "(no label)"
        short = label if len(label) <= LABEL else f"{label[: LABEL - 1]}…"
        rows[link.part].append(_Row(str(link.ordinal), "wrapped", target, short))
    for skipped in explanation.result.skipped:
        value = " ".join(skipped.value.split()) or '""'
        rows[skipped.part].append(_Row("", "left", value, rules.tell(skipped.rule)))
    for restored in explanation.restored:
        old = "a pixel of ours" if restored.target is None else "a link of ours"
        home = (restored.target or b"").decode("ascii")
        rows[restored.part].append(_Row("", "restored", home, old))
    return rows


def _lines(rows: Sequence[_Row]) -> Iterator[str]:
    shown = [shorten(escape(row.address), TARGET) for row in rows]
    width = max(map(len, shown), default=0)
    for row, address in zip(rows, shown, strict=True):
        line = f"{row.ordinal:>7}  {_coloured(row.word, len('restored'))}  {address.ljust(width)}"
        yield f"{line}  {escape(row.more)}".rstrip()


def _coloured(word: str, width: int = 0) -> str:
    return click.style(word.ljust(width), COLOURS[word])
