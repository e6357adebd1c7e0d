"""One mail's story as a list of moments, oldest first. Pure."""

from dataclasses import dataclass
from typing import Literal

from collector.pages.durations import after_sent
from collector.pages.recipients import say_copy
from collector.pages.wording import say_hit, say_rule, say_state
from collector.stats import HitRow, MessageDetail, MessageRow
from collector.verdict import BELIEVED

Tone = Literal["plain", "good", "bad", "quiet"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened, when, and how sure we are of it."""

    at_ms: int
    icon: str
    tone: Tone
    title: str
    elapsed: str  # "2 minutes after it was sent", or "" for the sending itself
    note: str  # why we think so, or upstream's own words
    quotation: bool = False  # whether `note` is somebody's own words


def tell(detail: MessageDetail, labels: dict[int, str]) -> tuple[Moment, ...]:
    """The moments of one mail; `labels` names its links by ordinal."""
    row = detail.row
    hits = [_hit(hit, row, labels) for hit in detail.hits]
    return (
        Moment(row.sent_at_ms, "send", "plain", "Sent", "", ""),
        *sorted([*_outcome(detail), *hits, *_stop(row)], key=lambda moment: moment.at_ms),
    )


_TONES: dict[str, Tone] = {
    "delivered": "good",
    "deferred": "bad",
    "refused": "bad",
    "queued": "plain",
}


def _outcome(detail: MessageDetail) -> list[Moment]:
    row = detail.row
    if row.state not in _TONES:
        return []
    at_ms = row.sent_at_ms if row.delivered_at_ms is None else row.delivered_at_ms
    elapsed = "" if row.delivered_at_ms is None else after_sent(at_ms, row.sent_at_ms)
    tone, (_, title) = _TONES[row.state], say_state(row.state)
    icon = {"good": "check", "bad": "alert"}.get(tone, "send")
    return [Moment(at_ms, icon, tone, title, elapsed, detail.reply, quotation=True)]


def _stop(row: MessageRow) -> list[Moment]:
    if row.stopped_at_ms is None:
        return []
    elapsed = after_sent(row.stopped_at_ms, row.sent_at_ms)
    title, note = "Tracking stopped", "From here on nothing is recorded; its links go on working"
    return [Moment(row.stopped_at_ms, "alert", "quiet", title, elapsed, note)]


def _hit(hit: HitRow, row: MessageRow, labels: dict[int, str]) -> Moment:
    title = say_hit(hit.kind, hit.verdict)
    if hit.kind == "click" and hit.link is not None and (label := labels.get(hit.link)):
        title = f"{title}: “{label}”"
    return Moment(
        at_ms=hit.at_ms,
        icon="eye" if hit.kind == "open" else "link",
        tone="good" if hit.verdict in BELIEVED else "quiet",
        title=title,
        elapsed=after_sent(hit.at_ms, row.sent_at_ms),
        note=". ".join(filter(None, [say_copy(row, hit.kind, hit.recipient), say_rule(hit.rule)])),
    )
