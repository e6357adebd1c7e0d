"""The eye and the link of one mail: what they show, and what they say in words. Pure."""

from dataclasses import dataclass
from typing import Literal

from collector.pages.durations import after_sent
from collector.pages.recipients import say_who
from collector.pages.speech import say
from collector.pages.wording import say_times
from collector.stats import MessageRow

State = Literal["off", "waiting", "hit"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One icon. Dim while "waiting", solid once "hit", struck through where tracking was "off"."""

    icon: Literal["eye", "link"]
    state: State
    count: int  # believed hits
    label: str  # its name: what happened
    note: str  # a sentence more, or ""
    first_ms: int | None
    last_ms: int | None  # only where it differs from the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How one kind of hit is spoken of, in English: said when a mark is made."""

    done: str  # when
    waiting: str
    off: str
    stopped: str
    machines: str  # how often


def _(text: str) -> str:
    """Marks a text that is said later."""
    return text


_OPEN = Words(
    done=_("Opened %(when)s"),
    waiting=_("Not opened yet"),
    off=_("Opens not tracked"),
    stopped=_("Opens no longer tracked"),
    machines=_("loaded %(times)s by machines, which is not counted"),
)
_CLICK = Words(
    done=_("Link followed %(when)s"),
    waiting=_("No link followed yet"),
    off=_("No link tracked"),
    stopped=_("Links no longer tracked"),
    machines=_("fetched %(times)s by machines, which is not counted"),
)


def eye(row: MessageRow) -> Mark:
    """The mark for opens."""
    return _mark(
        "eye",
        _OPEN,
        row,
        tracked=row.opens,
        count=row.open_count,
        raw=row.raw_open_count,
        times=(row.first_open_ms, row.last_open_ms),
        who=say_who(row, "open", row.opened_by),
    )


def link(row: MessageRow) -> Mark:
    """The mark for clicks."""
    return _mark(
        "link",
        _CLICK,
        row,
        tracked=row.clicks,
        count=row.click_count,
        raw=row.raw_click_count,
        times=(row.first_click_ms, row.last_click_ms),
        who=say_who(row, "click", row.clicked_by),
    )


def _mark(
    icon: Literal["eye", "link"],
    words: Words,
    row: MessageRow,
    *,
    tracked: bool,
    count: int,
    raw: int,
    times: tuple[int | None, int | None],
    who: str,
) -> Mark:
    first, last = times
    if count and first is not None:
        label = say(words.done, when=after_sent(first, row.sent_at_ms))
        note = who
        if count > 1:
            note = say("%(who)s; %(times)s in all", who=who, times=say_times(count))
        return Mark(icon, "hit", count, label, note, first, last if last != first else None)
    if not tracked:
        return Mark(icon, "off", 0, say(words.off), row.untracked_reason or "", None, None)
    if row.stopped_at_ms is not None:
        return Mark(icon, "off", 0, say(words.stopped), "", None, None)
    note = say(words.machines, times=say_times(raw)) if raw else ""
    return Mark(icon, "waiting", 0, say(words.waiting), note, None, None)
