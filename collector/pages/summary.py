"""One mail in three facts: whether it was delivered, opened, clicked. What stands on top of all."""

from dataclasses import dataclass, replace
from typing import Literal

from collector.pages.durations import after_sent
from collector.pages.reasons import say_reason
from collector.pages.recipients import say_who
from collector.pages.speech import say, say_number
from collector.pages.wording import say_origin, say_state, say_times
from collector.stats import MessageDetail, MessageRow

Tone = Literal["good", "bad", "plain", "off"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the three: a word, how often, and what else is known of it."""

    name: Literal["state", "eye", "link"]
    icon: str
    tone: Tone
    word: str
    times: str = ""  # "3 times", where it was more than once
    lead: str = ""  # "2 minutes after it was sent"
    note: str = ""
    last_ms: int | None = None  # when it happened last, if more than once


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether opens or links of a mail were to be tracked, who decided that, and what hindered it;
    `on` is what came of it."""

    icon: Literal["eye", "link"]
    on: bool
    words: str
    origin: str
    hindrance: str


def tell_facts(row: MessageRow) -> tuple[Fact, Fact, Fact]:
    """Delivered, opened, clicked."""
    return _delivery(row), _opens(row), _clicks(row)


def tell_choices(detail: MessageDetail) -> tuple[Choice, ...]:
    """What was wished of opens and of links, and by whom; none where that was not noted."""
    if detail.wished is None:
        return ()
    wished, row = detail.wished, detail.row
    return (
        Choice(
            "eye",
            row.opens,
            say("Opens are tracked") if wished.opens else say("Opens are not tracked"),
            say_origin(wished.opens_from),
            say("but no pixel could be put in") if wished.opens and not row.opens else "",
        ),
        Choice(
            "link",
            row.clicks,
            say("Links are tracked") if wished.clicks else say("Links are not tracked"),
            say_origin(wished.clicks_from),
            say("but there was none to wrap") if wished.clicks and not row.clicks else "",
        ),
    )


def _delivery(row: MessageRow) -> Fact:
    word, sentence = say_state(row.state)
    if row.state in ("refused", "deferred"):
        return Fact("state", "alert", "bad", word, note=sentence)
    lead = "" if row.delivered_at_ms is None else after_sent(row.delivered_at_ms, row.sent_at_ms)
    if row.state == "delivered":
        return Fact("state", "check", "good", word, lead=lead, note=sentence)
    return Fact("state", "send", "plain", word, note=sentence)


def _opens(row: MessageRow) -> Fact:
    if row.open_count:
        return _done(
            Fact("eye", "eye", "good", say("Opened"), note=say_who(row, "open", row.opened_by)),
            row.open_count,
            (row.first_open_ms, row.last_open_ms),
            row.sent_at_ms,
        )
    if not row.opens:
        return _off("eye", say("Opens not tracked"), row)
    if row.stopped_at_ms is not None:
        return Fact("eye", "eye", "off", say("Opens no longer tracked"))
    raw = row.raw_open_count
    note = say("loaded %(times)s by machines, which is not counted", times=say_times(raw))
    return Fact("eye", "eye", "plain", say("Not opened yet"), note=note if raw else "")


def _clicks(row: MessageRow) -> Fact:
    if row.click_count:
        return _done(
            Fact(
                "link", "link", "good", say("Clicked"), note=say_who(row, "click", row.clicked_by)
            ),
            row.click_count,
            (row.first_click_ms, row.last_click_ms),
            row.sent_at_ms,
        )
    if not row.clicks:
        return _off("link", say("Links not tracked"), row)
    if row.stopped_at_ms is not None:
        return Fact("link", "link", "off", say("Links no longer tracked"))
    raw = row.raw_click_count
    note = say("fetched %(times)s by machines, which is not counted", times=say_times(raw))
    return Fact("link", "link", "plain", say("Not clicked yet"), note=note if raw else "")


def _done(fact: Fact, count: int, times: tuple[int | None, int | None], sent_at_ms: int) -> Fact:
    first, last = times
    return replace(
        fact,
        times=say_number("%(number)s time", "%(number)s times", count) if count > 1 else "",
        lead="" if first is None else after_sent(first, sent_at_ms),
        last_ms=last if last != first else None,
    )


def _off(name: Literal["eye", "link"], word: str, row: MessageRow) -> Fact:
    reason = row.untracked_reason
    return Fact(name, name, "off", word, note=say_reason(reason) if reason else "")
