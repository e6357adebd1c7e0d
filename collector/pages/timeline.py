"""One mail's story as a list of moments, oldest first.

Neighbours that say the same fold into one line. Of a long story the beginning and the end are told,
until somebody asks for all of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from collector.pages.durations import MINUTE_MS, after_sent, say_often
from collector.pages.recipients import say_copy
from collector.pages.speech import say
from collector.pages.wording import (
    say_hit,
    say_program,
    say_rule,
    say_state,
    say_verdict,
    say_weight,
)
from collector.stats import HitRow, MessageDetail, MessageRow
from collector.verdict import BELIEVED

Tone = Literal["plain", "good", "bad", "quiet"]

FIRST, NEWEST = 12, 6  # moments of a long story that are told at once
FOLD_MS = MINUTE_MS  # between two hits that are alike, to be told as one


@dataclass(frozen=True, slots=True)
class Doubt:
    """Who made a hit as far as we know, why we think so, and whether it counts."""

    word: str
    why: str
    weight: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened, when, and how sure we are of it."""

    key: str  # holds still while the story goes on
    at_ms: int
    icon: str
    tone: Tone
    title: str
    elapsed: str = ""  # "2 minutes after it was sent", or "" for the sending itself
    note: str = ""  # whose copy and in which program, or upstream's own words
    quotation: bool = False  # whether `note` is somebody's own words
    doubt: Doubt | None = None  # of a hit
    often: str = ""  # "6 times within a minute", of hits that are folded into one
    last_ms: int | None = None  # of these, when the last one came
    hits: int = 0  # how many it tells


@dataclass(frozen=True, slots=True)
class Story:
    """The moments that are told; between `first` and `newest` there are `hidden` hits, which are
    shown for the asking (the first of them has the key `hidden_from`), and `missing` ones, which
    were not read."""

    first: tuple[Moment, ...]
    newest: tuple[Moment, ...] = ()
    missing: int = 0
    hidden: int = 0
    hidden_from: str = ""

    @property
    def moments(self) -> tuple[Moment, ...]:
        """All that are told."""
        return self.first + self.newest


def tell(
    detail: MessageDetail, labels: dict[int, str], *, whole: bool = False, recipient: int = 0
) -> Story:
    """The story of one mail; `labels` names its links by ordinal.

    `whole`: nothing that was read is hidden. `recipient`: only hits on that one's own copy.
    """
    row, half = detail.row, len(detail.hits) // 2
    parts = (detail.hits[:half], detail.hits[half:]) if detail.missing else (detail.hits, ())
    first, newest = (
        [*_fold([hit for hit in part if recipient in (0, hit.recipient)], row, labels)]
        for part in parts
    )
    # Before hits of the same millisecond.
    for moment in (*_stop(row), *_outcome(detail), _sent(row)):
        is_new = newest and moment.at_ms >= newest[0].at_ms
        (newest if is_new else first).insert(0, moment)
    for moments in (first, newest):
        moments.sort(key=lambda moment: moment.at_ms)
    if whole or len(first) + len(newest) <= FIRST + NEWEST + 1:
        return Story(tuple(first), tuple(newest), detail.missing)
    told = [*first, *newest]
    hidden = told[FIRST:-NEWEST]
    return Story(
        tuple(told[:FIRST]),
        tuple(told[-NEWEST:]),
        detail.missing,
        sum(moment.hits for moment in hidden),
        hidden[0].key,
    )


_TONES: dict[str, Tone] = {
    "delivered": "good",
    "deferred": "bad",
    "refused": "bad",
    "queued": "plain",
}


def _sent(row: MessageRow) -> Moment:
    return Moment("sent", row.sent_at_ms, "send", "plain", say("Sent"))


def _outcome(detail: MessageDetail) -> list[Moment]:
    row = detail.row
    if row.state not in _TONES:
        return []
    at_ms = row.sent_at_ms if row.delivered_at_ms is None else row.delivered_at_ms
    elapsed = "" if row.delivered_at_ms is None else after_sent(at_ms, row.sent_at_ms)
    tone, (_, title) = _TONES[row.state], say_state(row.state)
    icon = {"good": "check", "bad": "alert"}.get(tone, "send")
    return [Moment("outcome", at_ms, icon, tone, title, elapsed, detail.reply, quotation=True)]


def _stop(row: MessageRow) -> list[Moment]:
    if row.stopped_at_ms is None:
        return []
    return [
        Moment(
            "stop",
            row.stopped_at_ms,
            "stop",
            "quiet",
            say("Tracking stopped"),
            after_sent(row.stopped_at_ms, row.sent_at_ms),
            say("From here on nothing is recorded; its links go on working"),
        )
    ]


def _fold(hits: Sequence[HitRow], row: MessageRow, labels: dict[int, str]) -> Iterator[Moment]:
    """A moment for each run of hits that say the same and come soon after each other."""
    ordered = sorted(hits, key=lambda hit: hit.at_ms)
    run = ordered[:1]
    for before, hit in pairwise(ordered):
        if hit.at_ms - before.at_ms > FOLD_MS or _kind_of(hit) != _kind_of(before):
            yield _hits(run, row, labels)
            run = []
        run.append(hit)
    if run:
        yield _hits(run, row, labels)


def _kind_of(hit: HitRow) -> tuple[object, ...]:
    return hit.kind, hit.link, hit.verdict, hit.rule, hit.recipient, hit.agent


def _hits(run: Sequence[HitRow], row: MessageRow, labels: dict[int, str]) -> Moment:
    hit, is_believed = run[0], run[0].verdict in BELIEVED
    title = say_hit(hit.kind, hit.verdict, hit.rule)
    if hit.kind == "click" and hit.link is not None and (label := labels.get(hit.link)):
        title = say("%(what)s: “%(label)s”", what=title, label=label)
    program = say_program(hit.agent) if is_believed else ""
    return Moment(
        key=f"hit-{hit.hit_id}",
        at_ms=hit.at_ms,
        icon="eye" if hit.kind == "open" else "link",
        tone="good" if is_believed else "quiet",
        title=title,
        elapsed=after_sent(hit.at_ms, row.sent_at_ms),
        note=" · ".join(filter(None, [say_copy(row, hit.kind, hit.recipient), program])),
        doubt=Doubt(
            say_verdict(hit.verdict),
            say_rule(hit.rule),
            say_weight(hit.kind, hit.verdict, hit.rule),
        ),
        often=say_often([each.at_ms for each in run]) if len(run) > 1 else "",
        last_ms=run[-1].at_ms if run[-1].at_ms != hit.at_ms else None,
        hits=len(run),
    )
