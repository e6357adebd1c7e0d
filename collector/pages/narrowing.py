"""What the list of mail is narrowed to, as its address says it: read, written again, told. Pure.

Whatever an address says that cannot be is passed over, as if it did not stand there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from collector.filters import MessageFilter, read_words
from collector.pages.speech import current, say, say_number

PERIODS = (1, 7, 30, 365)  # days back from now
MAX_TEXT = 320  # characters of what is looked for: as long as an address may be
DAY_MS = 86_400_000
_FLAGS = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Choice:
    """What one may narrow the list by, or does: its words, whether it is on, and the address of
    the list with that turned round."""

    words: str
    is_on: bool
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Which mails; None or "": either way. `days` go back from now; both ends of since and until
    are within, by UTC."""

    q: str = ""
    opened: bool | None = None
    clicked: bool | None = None
    tracked: bool | None = None
    to: str = ""
    days: int | None = None
    since: date | None = None
    until: date | None = None

    def matching(self, now_ms: int) -> MessageFilter:
        """As a query takes it. What was not opened is what might have been."""
        since_ms = _begin(self.since)
        if self.days is not None:
            since_ms = max(since_ms or 0, now_ms - self.days * DAY_MS)
        until_ms = _begin(self.until)
        return MessageFilter(
            tracked=self.tracked,
            opens_tracked=True if self.opened is False else None,
            opened=self.opened,
            clicked=self.clicked,
            recipient=self.to or None,
            words=read_words(self.q),
            since_ms=since_ms,
            until_ms=None if until_ms is None else until_ms + DAY_MS,
        )

    def address(self, path: str = "/", **more: object) -> str:
        """Of the list so narrowed; `more` are parameters that are not of this."""
        said: dict[str, object] = {
            "q": self.q,
            "opened": _flag(self.opened),
            "clicked": _flag(self.clicked),
            "tracked": _flag(self.tracked),
            "to": self.to,
            "days": self.days,
            "since": self.since,
            "until": self.until,
            **more,
        }
        query = urlencode({name: each for name, each in said.items() if each not in (None, "")})
        return f"{path}?{query}" if query else path

    @property
    def fields(self) -> dict[str, str]:
        """What a form for the rest carries along: the names and values of what is on or off."""
        flags = {"opened": self.opened, "clicked": self.clicked, "tracked": self.tracked}
        return {name: _flag(each) for name, each in flags.items() if each is not None}

    @property
    def is_refined(self) -> bool:
        """Whether it says anything of recipient or period."""
        return any(each for each in (self.to, self.days, self.since, self.until))

    def switches(self) -> tuple[Choice, ...]:
        """What is always offered."""
        return (
            self._switch(say("Opened"), opened=True),
            self._switch(say("Not opened"), opened=False),
            self._switch(say("Clicked"), clicked=True),
            self._switch(say("Tracked"), tracked=True),
            self._switch(say("Not tracked"), tracked=False),
        )

    def chips(self) -> tuple[Choice, ...]:
        """What else it is narrowed to, each to be taken away."""
        chips = []
        if self.q:
            chips.append(self._chip(say("“%(words)s”", words=self.q), q=""))
        if self.to:
            chips.append(self._chip(say("To %(address)s", address=self.to), to=""))
        if self.days is not None:
            chips.append(self._chip(say_period(self.days), days=None))
        if self.since is not None:
            day = current().date(_midnight(self.since))
            chips.append(self._chip(say("Since %(day)s", day=day), since=None))
        if self.until is not None:
            day = current().date(_midnight(self.until))
            chips.append(self._chip(say("Until %(day)s", day=day), until=None))
        return tuple(chips)

    def _switch(self, words: str, **value: bool) -> Choice:
        [(name, wanted)] = value.items()
        is_on = getattr(self, name) is wanted
        turned: dict[str, Any] = {name: None if is_on else wanted}
        return Choice(words, is_on, replace(self, **turned).address())

    def _chip(self, words: str, **without: Any) -> Choice:
        return Choice(words, True, replace(self, **without).address())


EVERY_MAIL = Narrowing()


def read_narrowing(query: Mapping[str, str]) -> Narrowing:
    """What the parameters of an address say."""
    return Narrowing(
        q=_text(query.get("q", "")),
        opened=_FLAGS.get(query.get("opened", "")),
        clicked=True if query.get("clicked") == "yes" else None,
        tracked=_FLAGS.get(query.get("tracked", "")),
        to=_text(query.get("to", "")),
        days=next((days for days in PERIODS if query.get("days") == str(days)), None),
        since=_day(query.get("since", "")),
        until=_day(query.get("until", "")),
    )


def say_period(days: int) -> str:
    """A period up to now."""
    if days == 1:
        return say("Last 24 hours")
    return say_number("Last %(number)s day", "Last %(number)s days", days)


def _text(text: str) -> str:
    """On one line, without what no database looks for."""
    printable = "".join(each if each.isprintable() else " " for each in text[:MAX_TEXT])
    return " ".join(printable.split())


def _day(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _begin(day: date | None) -> int | None:
    return None if day is None else _midnight(day)


def _midnight(day: date) -> int:
    return (datetime.combine(day, time(), UTC) - _EPOCH) // _MILLISECOND


def _flag(value: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[value]


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
