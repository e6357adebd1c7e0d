"""Delivered, opened, clicked: never more than is known."""

from dataclasses import replace

import pytest

from collector.pages.summary import Choice, Fact, tell_choices, tell_facts
from collector.stats import MessageDetail, MessageRow
from collector.store import Wished

SENT_MS = 1_700_000_000_000
MINUTE = 60_000
ROW = MessageRow(
    message_id=1,
    sent_at_ms=SENT_MS,
    delivered_at_ms=SENT_MS + 1_500,
    recipients=("ben@example.net",),
    subject="Hello",
    opens=True,
    clicks=True,
    state="delivered",
    untracked_reason=None,
    open_count=0,
    first_open_ms=None,
    last_open_ms=None,
    click_count=0,
    first_click_ms=None,
    last_click_ms=None,
    raw_open_count=0,
    raw_click_count=0,
)


def of_opens(**changes: object) -> Fact:
    return tell_facts(replace(ROW, **changes))[1]


def of_clicks(**changes: object) -> Fact:
    return tell_facts(replace(ROW, **changes))[2]


@pytest.mark.parametrize(
    ("state", "tone", "word", "lead"),
    [
        ("delivered", "good", "Delivered", "1 second after it was sent"),
        ("refused", "bad", "Refused", ""),
        ("deferred", "bad", "Delayed", ""),
        ("queued", "plain", "Queued", ""),
        ("sending", "plain", "Sending", ""),
    ],
)
def test_its_delivery(state: str, tone: str, word: str, lead: str) -> None:
    fact = tell_facts(replace(ROW, state=state))[0]
    assert (fact.tone, fact.word, fact.lead) == (tone, word, lead)
    assert fact.note


def test_waiting_until_something_is_believed() -> None:
    assert of_opens() == Fact("eye", "eye", "plain", "Not opened yet")
    assert of_clicks() == Fact("link", "link", "plain", "Not clicked yet")
    assert of_opens(raw_open_count=2).note == "loaded twice by machines, which is not counted"
    assert of_clicks(raw_click_count=1).note == "fetched once by machines, which is not counted"


def test_the_first_and_the_last_are_told() -> None:
    first, last = SENT_MS + 2 * MINUTE, SENT_MS + 90 * MINUTE
    once = of_opens(open_count=1, first_open_ms=first, last_open_ms=first)
    assert (once.tone, once.word, once.times) == ("good", "Opened", "")
    assert (once.lead, once.note) == ("2 minutes after it was sent", "likely a person")
    assert once.last_ms is None
    often = of_clicks(click_count=3, first_click_ms=first, last_click_ms=last)
    assert (often.word, often.times, often.last_ms) == ("Clicked", "3 times", last)


def test_of_a_shared_copy_nobody_is_named() -> None:
    shared = of_opens(
        open_count=1, first_open_ms=SENT_MS, recipients=("a@x.org", "b@x.org", "c@x.org")
    )
    assert shared.note == "likely one of 3 recipients"


def test_off_is_not_the_same_as_not_yet() -> None:
    assert of_opens(opens=False) == Fact("eye", "eye", "off", "Opens not tracked")
    assert of_clicks(clicks=False, untracked_reason="no HTML part").note == (
        "it has no HTML, and plain text is sent as it is"
    )
    assert of_opens(stopped_at_ms=SENT_MS).word == "Opens no longer tracked"
    assert of_clicks(stopped_at_ms=SENT_MS).word == "Links no longer tracked"


def test_what_was_wished_by_whom_and_what_came_of_it() -> None:
    detail = MessageDetail(row=replace(ROW, clicks=False), links=(), hits=(), reply="")
    assert tell_choices(detail) == ()
    wished = Wished(True, True, "address", "setting")
    assert tell_choices(replace(detail, wished=wished)) == (
        Choice("eye", True, "Opens are tracked", "by a control address among its recipients", ""),
        Choice(
            "link", False, "Links are tracked", "by your settings", "but there was none to wrap"
        ),
    )
    declined = tell_choices(replace(detail, wished=replace(wished, clicks=False)))[1]
    assert (declined.words, declined.hindrance) == ("Links are not tracked", "")
