"""Who opened it, in words that never say more than is known."""

from dataclasses import replace

import pytest

from collector.consent import Decisions, Objected
from collector.counts import ReaderRow, Seen
from collector.pages.recipients import (
    Deed,
    RecipientView,
    people,
    say_copy,
    say_silence,
    say_who,
    view_all,
)
from collector.stats import HitRow, MessageDetail, MessageRow, OutcomeRow

FIVE = tuple(f"{letter}@x.org" for letter in "abcde")
ROW = MessageRow(
    message_id=1,
    sent_at_ms=0,
    delivered_at_ms=500,
    recipients=FIVE[:3],
    subject="Hello",
    opens=True,
    clicks=True,
    state="delivered",
    untracked_reason=None,
    open_count=1,
    first_open_ms=1,
    last_open_ms=1,
    click_count=0,
    first_click_ms=None,
    last_click_ms=None,
    raw_open_count=1,
    raw_click_count=0,
)
EACH = replace(ROW, per_recipient=True)


def detail(
    row: MessageRow, *outcomes: OutcomeRow, readers: tuple[ReaderRow, ...] = ()
) -> MessageDetail:
    hits = (HitRow(1, "open", None, "person", "browser", ""),)
    return MessageDetail(
        row=row, links=(), hits=hits, reply="250 ok", outcomes=outcomes, readers=readers
    )


def say_done(view: RecipientView) -> str:
    return "; ".join(deed.words for deed in view.done)


def test_an_address_that_was_named_twice_is_one_person() -> None:
    row = replace(ROW, recipients=("ben@x.org", "Ben@x.org", "ben@X.ORG", "postmaster"))
    assert people(row) == {1: "ben@x.org", 2: "Ben@x.org", 4: "postmaster"}


@pytest.mark.parametrize(
    ("recipients", "known", "words"),
    [
        (FIVE[:1], (), "likely a person"),
        (FIVE[:1], (1,), "likely a person"),
        (FIVE[:3], (), "likely one of 3 recipients"),
        (("a@x.org", "a@X.org", "b@x.org"), (), "likely one of 2 recipients"),
        (FIVE, (4,), "likely d@x.org"),
        (FIVE, (1, 2), "likely a@x.org and b@x.org"),
        (FIVE, (1, 2, 5), "likely a@x.org, b@x.org and e@x.org"),
        (FIVE, (1, 2, 3, 4, 5), "likely a@x.org, b@x.org, c@x.org and 2 more"),
        (FIVE[:2], (7,), "likely one of 2 recipients"),  # a row that is out of joint
    ],
)
def test_who_it_was(recipients: tuple[str, ...], known: tuple[int, ...], words: str) -> None:
    assert say_who(replace(ROW, recipients=recipients), "open", known) == words


@pytest.mark.parametrize(
    ("recipients", "recipient", "words"),
    [
        (FIVE[:1], 0, ""),
        (FIVE[:1], 1, ""),
        (FIVE[:3], 0, "One of 3 recipients"),
        (FIVE[:3], 2, "Copy of b@x.org"),
    ],
)
def test_whose_copy_it_was(recipients: tuple[str, ...], recipient: int, words: str) -> None:
    assert say_copy(replace(ROW, recipients=recipients), "open", recipient) == words


def test_a_shared_copy_has_nothing_to_tell_of_each() -> None:
    assert view_all(detail(ROW)) == ()
    assert view_all(detail(replace(EACH, recipients=FIVE[:1], opened_by=(1,)))) == ()


def test_each_has_done_something_or_not_yet() -> None:
    readers = (
        ReaderRow(1, opens=Seen(1, 1, 10, 10), clicks=Seen(0, 2)),
        ReaderRow(2, opens=Seen(2, 3, 10, 30), clicks=Seen(3, 3, 20, 20)),
        ReaderRow(3, opens=Seen(0, 1), clicks=Seen(0, 1)),
    )
    row = replace(EACH, recipients=FIVE[:4])
    assert view_all(detail(row, readers=readers)) == (
        RecipientView("a@x.org", "", "", (Deed("opened once", 10),), hit=True, ordinal=1),
        RecipientView(
            "b@x.org",
            "",
            "",
            (Deed("opened twice", 10, 30), Deed("link followed 3 times", 20)),
            hit=True,
            ordinal=2,
        ),
        RecipientView(
            "c@x.org", "", "", (Deed("not yet; twice by machines"),), hit=False, ordinal=3
        ),
        RecipientView("d@x.org", "", "", (Deed("not yet"),), hit=False),
    )


def test_of_hits_that_are_not_kept_nobody_says_not_yet() -> None:
    row = replace(EACH, raw_open_count=9)
    views = view_all(detail(row, readers=(ReaderRow(1, Seen(1, 1, 5, 5)),)))
    assert [deed.words for each in views for deed in each.done] == [
        "opened once",
        "not kept",
        "not kept",
    ]


def test_each_has_fared_otherwise() -> None:
    """Of a shared copy it is known where it went, and never who opened it."""
    outcomes = (
        OutcomeRow(1, "delivered", "250 2.0.0 ok"),
        OutcomeRow(3, "refused", "550 5.1.1 no such user"),
    )
    assert view_all(detail(replace(ROW, opened_by=(1,)), *outcomes)) == (
        RecipientView("a@x.org", "Delivered", "250 2.0.0 ok", (), hit=False),
        RecipientView("b@x.org", "", "", (), hit=False),
        RecipientView("c@x.org", "Refused", "550 5.1.1 no such user", (), hit=False),
    )


EVE_MINDS = (Objected(2, "open", "refused"), Objected(2, "click", "refused"))


def test_whoever_is_not_tracked_does_not_count_among_those_it_may_have_been() -> None:
    row = replace(ROW, objected=(*EVE_MINDS, Objected(3, "open", "no consent")))
    assert say_who(row, "click", ()) == "likely one of 2 recipients"
    assert say_who(row, "open", ()) == "likely a@x.org"
    assert say_copy(row, "click", 0) == "One of 2 recipients"
    assert say_copy(row, "open", 0) == "Copy of a@x.org"


def test_of_whoever_is_not_tracked_it_says_why() -> None:
    row = replace(ROW, objected=(*EVE_MINDS, Objected(3, "open", "no consent")))
    assert [say_done(each) for each in view_all(detail(row))] == [
        "",
        "not tracked: has refused",
        "opens not tracked: has not agreed",
    ]
    each = replace(row, per_recipient=True)
    readers = (ReaderRow(1, Seen(1, 1, 5, 5)),)
    assert [(say_done(each), each.hit) for each in view_all(detail(each, readers=readers))] == [
        ("opened once", True),
        ("not tracked: has refused", False),
        ("not yet; opens not tracked: has not agreed", False),
    ]
    opens_alone = replace(each, clicks=False)
    assert say_done(view_all(detail(opens_alone))[2]) == "opens not tracked: has not agreed"


def test_of_whoever_refuses_later_it_says_that_nothing_more_is_known() -> None:
    now = Decisions("unless-refused", {("a@x.org", "open"): False, ("b@x.org", "click"): False})
    row = replace(ROW, objected=EVE_MINDS)
    assert [say_done(each) for each in view_all(detail(row), now)] == [
        "opens no longer tracked: has refused",
        "not tracked: has refused",
        "",
    ]
    assert say_silence(row, now) == (
        "They share one copy: what one of them refuses is recorded of nobody."
    )
    each = replace(row, per_recipient=True)
    [reader, *_] = view_all(detail(each, readers=(ReaderRow(1, Seen(1, 1, 5, 5)),)), now)
    assert say_done(reader) == "opened once; opens no longer tracked: has refused"
    assert say_silence(each, now) == ""
    assert say_silence(replace(row, recipients=FIVE[:1]), now) == ""
    assert say_silence(row, Decisions("always", now.known)) == ""
    assert say_done(view_all(detail(replace(ROW, opens=False)), now)[1]) == (
        "links no longer tracked: has refused"
    )
