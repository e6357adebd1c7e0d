"""Notifications in words, for where they are told outside of the pages: short, and as honest."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import jinja2
from babel.dates import format_datetime

from collector.outward.outbox import News
from collector.outward.parts import Letter
from collector.pages import speech
from collector.pages.languages import DEFAULT, FOLDER, read_languages
from collector.pages.speech import say, say_number
from collector.pages.wording import say_hit

LISTED = 10  # notifications of a message to a service; the others are counted
MAILS = 40  # mails that a digest tells of; the others are counted
LINES = 10  # of each of them

TEMPLATES = Path(__file__).parent / "templates" / "outward"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class About:
    """What a digest tells of one mail: `more` lines are not there."""

    subject: str
    page: str
    lines: tuple[str, ...]
    more: str


class Words:
    """Says it; `public_url` is where the sender's pages are."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._languages = read_languages(FOLDER / "sender")
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=jinja2.select_autoescape(["html"]),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["speech"] = speech.current

    def title(self, language: str) -> str:
        """What all notifications are called."""
        return self._in(language, lambda: say("Letterbell: opens and clicks"))

    def headline(self, news: News, language: str) -> str:
        """One notification in a line."""
        return self._in(language, lambda: _headline(news))

    def tell(self, news: Sequence[News], language: str) -> tuple[str, str]:
        """A title and a text; of no notifications: that this is a test."""
        return self._in(language, lambda: self._tell(news))

    def write_digest(self, news: Sequence[News], language: str) -> Letter:
        """A day's notifications as a mail, the mail that something came of last first."""
        return self._in(language, lambda: self._write_digest(news))

    def _in(self, language: str, speak: Callable[[], T]) -> T:
        """In this language, and whoever asks goes on in his own."""
        chosen = self._languages.get(language) or self._languages[DEFAULT]

        def spoken() -> T:
            speech.speak(chosen)
            return speak()

        return copy_context().run(spoken)

    def _tell(self, news: Sequence[News]) -> tuple[str, str]:
        if not news:
            return say("Letterbell: a test"), say("Notifications will come this way.")
        if len(news) == 1:
            return _headline(news[0]), self._page(news[0].message_id)
        lines = [f"• {_headline(each)}" for each in news[:LISTED]]
        lines += filter(None, [_more(len(news) - LISTED)])
        return _count(len(news)), "\n".join([*lines, f"{self._public_url}/"])

    def _write_digest(self, news: Sequence[News]) -> Letter:
        mails: dict[int, list[News]] = {}
        for each in reversed(news):
            mails.setdefault(each.message_id, []).append(each)
        context = {
            "title": _count(len(news)),
            "mails": [self._about(each) for each in list(mails.values())[:MAILS]],
            "more": _more(sum(map(len, list(mails.values())[MAILS:]))),
            "home": f"{self._public_url}/",
            "why": say("You get this mail at most once a day, as you have wished."),
            "change": say("Change that"),
            "settings": f"{self._public_url}/settings/notifications",
        }
        return Letter(
            subject=f"{_count(len(news))}: {_subject(news[-1])}" if mails else "",
            text=self._templates.get_template("digest.txt").render(context),
            html=self._templates.get_template("digest.html").render(context),
        )

    def _about(self, news: Sequence[News]) -> About:
        return About(
            subject=_subject(news[0]),
            page=self._page(news[0].message_id),
            lines=tuple(_line(each) for each in news[:LINES]),
            more=_more(len(news) - LINES),
        )

    def _page(self, message_id: int) -> str:
        return f"{self._public_url}/mail/{message_id}"


def _headline(news: News) -> str:
    what, subject = say(say_hit(news.kind, news.verdict)), _subject(news)
    if news.who is None:
        return say("%(what)s: “%(subject)s”", what=what, subject=subject)
    return say("%(what)s: “%(subject)s” to %(who)s", what=what, subject=subject, who=news.who)


def _line(news: News) -> str:
    """One notification where its mail is known: when, what, who."""
    parts = [_moment(news.first_ms), say(say_hit(news.kind, news.verdict)), news.who]
    return " · ".join(part for part in parts if part)


def _subject(news: News) -> str:
    return " ".join(news.subject.split()) or say("(no subject)")


def _count(number: int) -> str:
    return say_number("%(number)s notification", "%(number)s notifications", number)


def _more(number: int) -> str:
    """What is left out, in words; "" where nothing is."""
    if number <= 0:
        return ""
    return say_number("and %(number)s more", "and %(number)s more", number)


def _moment(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    code = speech.current().code
    return f"{format_datetime(moment, 'd MMM, HH:mm', locale=code)} UTC"
