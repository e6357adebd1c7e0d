from dataclasses import replace

import pytest

from collector.pages.timeline import FIRST, FOLD_MS, NEWEST, Moment, Story, tell
from collector.stats import HitRow, LinkRow, MessageDetail, MessageRow

SENT_MS = 1_700_000_000_000
MINUTE = 60_000
ROW = MessageRow(
    message_id=1,
    sent_at_ms=SENT_MS,
    delivered_at_ms=SENT_MS + 2_000,
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


def detail(
    *hits: HitRow, state: str = "delivered", reply: str = "250 2.0.0 ok", missing: int = 0
) -> MessageDetail:
    row = replace(
        ROW, state=state, delivered_at_ms=SENT_MS + 2_000 if state == "delivered" else None
    )
    links = (LinkRow(0, "https://example.com/", "See"),)
    return MessageDetail(row=row, links=links, hits=hits, reply=reply, missing=missing)


def hit(
    after_ms: int,
    kind: str = "open",
    verdict: str = "person",
    rule: str = "browser",
    link: int | None = None,
    recipient: int = 0,
) -> HitRow:
    return HitRow(
        at_ms=SENT_MS + after_ms,
        kind=kind,  # type: ignore[arg-type]
        link=link,
        verdict=verdict,
        rule=rule,
        agent="",
        recipient=recipient,
        hit_id=after_ms,
    )


def of_hits(story: Story) -> list[Moment]:
    return [moment for moment in story.moments if moment.hits]


def test_moments_stand_in_the_order_of_time() -> None:
    story = tell(
        detail(
            hit(1_000, "open", "scanner", "before-delivery"),
            hit(130_000),
            hit(140_000, "click", link=0),
        ),
        {0: "See"},
    )
    assert [(each.key, each.icon, each.tone, each.title) for each in story.moments] == [
        ("sent", "send", "plain", "Sent"),
        ("hit-1000", "eye", "quiet", "Loaded by a security scanner"),
        ("outcome", "check", "good", "Accepted by the mail server"),
        ("hit-130000", "eye", "good", "Opened"),
        ("hit-140000", "link", "good", "Link followed: “See”"),
    ]
    assert [moment.elapsed for moment in story.moments] == [
        "",
        "1 second after it was sent",
        "2 seconds after it was sent",
        "2 minutes after it was sent",
        "2 minutes after it was sent",
    ]
    assert (story.hidden, story.missing) == (0, 0)


def test_nothing_comes_before_it_was_sent() -> None:
    keys = [each.key for each in tell(detail(hit(0), hit(2_000, verdict="tool")), {}).moments]
    assert keys == ["sent", "hit-0", "outcome", "hit-2000"]


def test_hits_say_who_it_was_and_by_which_rule() -> None:
    [scanned] = of_hits(tell(detail(hit(5_000, "open", "scanner", "safe-links")), {}))
    assert scanned.doubt
    assert scanned.doubt.word == "likely no reader"
    assert scanned.doubt.why == "It came from Microsoft's mail protection"
    assert scanned.doubt.weight == "It is not counted."
    [loaded] = of_hits(tell(detail(hit(5_000, "open", "prefetch", "apple-prefetch")), {}))
    assert loaded.title == "Loaded by Apple's privacy proxy"
    assert loaded.doubt
    assert loaded.doubt.word == "may be no one"


def test_whose_copy_and_in_which_program() -> None:
    opened = replace(hit(5_000, recipient=2), agent="Thunderbird on Linux")
    each = replace(ROW, recipients=("ben@example.net", "eve@example.net"), per_recipient=True)
    told = replace(detail(opened), row=each)
    assert [moment.note for moment in of_hits(tell(told, {}))] == [
        "Copy of eve@example.net · Thunderbird on Linux"
    ]
    shared = replace(detail(hit(5_000)), row=replace(each, per_recipient=False))
    assert [moment.note for moment in of_hits(tell(shared, {}))] == ["One of 2 recipients"]
    machine = replace(opened, verdict="tool", rule="tool", agent="curl", recipient=0)
    assert [moment.note for moment in of_hits(tell(detail(machine), {}))] == [""]


def test_the_mail_server_is_quoted() -> None:
    refused = tell(detail(state="refused", reply="550 5.1.1 no such user"), {}).moments[-1]
    assert (refused.icon, refused.tone) == ("alert", "bad")
    assert (refused.note, refused.quotation) == ("550 5.1.1 no such user", True)


def test_without_an_answer_nothing_is_said_of_delivery() -> None:
    story = tell(detail(state="sending", reply=""), {})
    assert [moment.title for moment in story.moments] == ["Sent"]


def test_a_click_on_an_unknown_link_keeps_its_sentence() -> None:
    clicked = tell(detail(hit(60_000, "click", "tool", "tool", 7)), {0: "See"}).moments[-1]
    assert clicked.title == "Link fetched by a program"


def test_a_burst_of_the_same_is_one_line() -> None:
    burst = [hit(MINUTE + each * 9_000) for each in range(6)]
    [moment] = of_hits(tell(detail(*burst), {}))
    assert (moment.hits, moment.often) == (6, "6 times within a minute")
    assert (moment.at_ms, moment.last_ms) == (SENT_MS + MINUTE, SENT_MS + MINUTE + 45_000)
    assert moment.elapsed == "1 minute after it was sent"
    slower = [hit(each * FOLD_MS) for each in range(1, 5)]
    [moment] = of_hits(tell(detail(*slower), {}))
    assert moment.often == "4 times within 3 minutes"


@pytest.mark.parametrize(
    "other",
    [
        hit(2_000, "click", link=0),
        hit(2_000, verdict="proxy", rule="google-proxy"),
        hit(2_000, recipient=1),
        replace(hit(2_000), agent="Firefox on Linux"),
        hit(1_001 + FOLD_MS),
    ],
)
def test_what_differs_or_comes_later_is_another_line(other: HitRow) -> None:
    moments = of_hits(tell(detail(hit(1_000), other), {}))
    assert [(moment.hits, moment.often, moment.last_ms) for moment in moments] == [
        (1, "", None),
        (1, "", None),
    ]


def test_a_line_keeps_its_key_while_it_grows() -> None:
    burst = [hit(MINUTE + each) for each in range(5)]
    keys = [
        [moment.key for moment in of_hits(tell(detail(*burst[:end]), {}))] for end in range(1, 6)
    ]
    assert keys == [["hit-60000"]] * 5


def test_of_a_long_story_its_ends_are_told() -> None:
    hits = [hit(each * 2 * FOLD_MS) for each in range(1, 1_001)]
    story = tell(detail(*hits), {})
    assert (len(story.first), len(story.newest)) == (FIRST, NEWEST)
    assert story.hidden == 1_000 - (FIRST - 2) - NEWEST
    assert story.newest[-1].at_ms == hits[-1].at_ms
    whole = tell(detail(*hits), {}, whole=True)
    assert len(of_hits(whole)) == 1_000
    assert whole.hidden == 0
    assert whole.moments[FIRST].key == story.hidden_from


def test_a_story_that_is_barely_too_long_is_told_whole() -> None:
    hits = [hit(each * 2 * FOLD_MS) for each in range(1, FIRST + NEWEST)]
    story = tell(detail(*hits), {})
    assert len(story.moments) == FIRST + NEWEST + 1
    assert story.hidden == 0


def test_between_the_halves_hits_may_be_missing() -> None:
    hits = [hit(each) for each in (1_000, 2_000, 3_000, 4_000)]
    story = tell(detail(*hits, missing=5), {}, whole=True)
    assert [moment.key for moment in story.first] == ["sent", "hit-1000", "outcome"]
    assert [moment.key for moment in story.newest] == ["hit-3000"]
    assert [moment.hits for moment in of_hits(story)] == [2, 2]
    assert story.missing == 5
    stopped = replace(ROW, stopped_at_ms=SENT_MS + 9_000)
    late = tell(replace(detail(*hits, missing=5), row=stopped), {}, whole=True)
    assert [moment.key for moment in late.newest] == ["hit-3000", "stop"]


def test_one_copys_story() -> None:
    hits = (hit(1_000, recipient=1), hit(2_000, recipient=2), hit(3_000))
    assert [each.at_ms for each in of_hits(tell(detail(*hits), {}, recipient=2))] == [
        SENT_MS + 2_000
    ]
