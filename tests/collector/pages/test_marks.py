from dataclasses import replace

import pytest

from collector.pages.marks import Mark, eye, link
from collector.stats import MessageRow

SENT_MS = 1_700_000_000_000
MINUTE = 60_000

ROW = MessageRow(
    message_id=1,
    sent_at_ms=SENT_MS,
    delivered_at_ms=SENT_MS + 500,
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
OPENED = replace(
    ROW,
    open_count=1,
    raw_open_count=1,
    first_open_ms=SENT_MS + 2 * MINUTE,
    last_open_ms=SENT_MS + 2 * MINUTE,
)


def said(mark: Mark) -> tuple[str, str, str]:
    return mark.state, mark.label, mark.note


def test_waiting_until_something_is_believed() -> None:
    assert said(eye(ROW)) == ("waiting", "Not opened yet", "")
    assert said(link(ROW)) == ("waiting", "No link followed yet", "")


def test_machines_do_not_turn_it_solid_and_are_told() -> None:
    scanned = replace(ROW, raw_open_count=2, raw_click_count=1)
    assert said(eye(scanned)) == (
        "waiting",
        "Not opened yet",
        "loaded twice by machines, which is not counted",
    )
    assert said(link(scanned))[2] == "fetched once by machines, which is not counted"


def test_the_first_open_says_when_and_by_whom_as_far_as_known() -> None:
    mark = eye(OPENED)
    assert said(mark) == ("hit", "Opened 2 minutes after it was sent", "likely a person")
    assert (mark.count, mark.first_ms, mark.last_ms) == (1, SENT_MS + 2 * MINUTE, None)


def test_several_opens_are_counted_and_the_last_is_told() -> None:
    last = SENT_MS + 90 * MINUTE
    mark = eye(replace(OPENED, open_count=3, last_open_ms=last))
    assert mark.note == "likely a person; 3 times in all"
    assert (mark.count, mark.last_ms) == (3, last)


def test_a_shared_copy_never_names_its_reader() -> None:
    shared = replace(OPENED, recipients=("a@example.net", "b@example.net", "c@example.net"))
    assert eye(shared).note == "likely one of 3 recipients"


@pytest.mark.parametrize(
    ("mark", "label"),
    [
        (eye(replace(ROW, opens=False)), "Opens not tracked"),
        (link(replace(ROW, clicks=False)), "No link tracked"),
    ],
)
def test_off_is_not_the_same_as_not_yet(mark: Mark, label: str) -> None:
    assert said(mark) == ("off", label, "")


def test_off_says_why_the_mail_was_left_alone() -> None:
    row = replace(ROW, opens=False, clicks=False, untracked_reason="no HTML part")
    assert eye(row).note == link(row).note == "no HTML part"


def test_what_was_hit_stays_told_after_tracking_stopped() -> None:
    assert eye(replace(OPENED, opens=False)).state == "hit"


def test_each_mark_reads_its_own_counts() -> None:
    clicked = replace(
        ROW,
        click_count=2,
        raw_click_count=2,
        first_click_ms=SENT_MS + MINUTE,
        last_click_ms=SENT_MS + 3 * MINUTE,
    )
    assert eye(clicked).state == "waiting"
    assert link(clicked).label == "Link followed 1 minute after it was sent"
    assert link(clicked).icon == "link"
