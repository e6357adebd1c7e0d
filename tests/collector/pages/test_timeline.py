from collector.pages.timeline import tell
from collector.stats import HitRow, LinkRow, MessageDetail, MessageRow

SENT_MS = 1_700_000_000_000


def detail(*hits: HitRow, state: str = "delivered", reply: str = "250 2.0.0 ok") -> MessageDetail:
    row = MessageRow(
        message_id=1,
        sent_at_ms=SENT_MS,
        delivered_at_ms=SENT_MS + 2_000 if state == "delivered" else None,
        recipients=("ben@example.net",),
        subject="Hello",
        opens=True,
        clicks=True,
        state=state,
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
    links = (LinkRow(0, "https://example.com/", "See", 0),)
    return MessageDetail(row=row, links=links, hits=hits, reply=reply)


def hit(after_ms: int, kind: str, verdict: str, rule: str, link: int | None = None) -> HitRow:
    return HitRow(
        at_ms=SENT_MS + after_ms, kind=kind, link=link, verdict=verdict, rule=rule, agent=""
    )


def test_moments_stand_in_the_order_of_time() -> None:
    moments = tell(
        detail(
            hit(1_000, "open", "scanner", "before-delivery"),
            hit(130_000, "open", "person", "browser"),
            hit(140_000, "click", "person", "browser", 0),
        ),
        {0: "See"},
    )
    assert [(moment.icon, moment.tone, moment.title) for moment in moments] == [
        ("send", "plain", "Sent"),
        ("eye", "quiet", "Loaded by a security scanner, not by a reader"),
        ("check", "good", "Accepted by the mail server"),
        ("eye", "good", "Opened, likely by a person"),
        ("link", "good", "Link followed, likely by a person: “See”"),
    ]
    assert [moment.elapsed for moment in moments] == [
        "",
        "1 second after it was sent",
        "2 seconds after it was sent",
        "2 minutes after it was sent",
        "2 minutes after it was sent",
    ]


def test_hits_say_by_which_rule() -> None:
    (_, _, scanned) = tell(detail(hit(5_000, "open", "scanner", "safe-links")), {})
    assert scanned.note == "It came from Microsoft's mail protection"
    assert not scanned.quotation


def test_the_mail_server_is_quoted() -> None:
    refused = tell(detail(state="refused", reply="550 5.1.1 no such user"), {})[-1]
    assert (refused.icon, refused.tone) == ("alert", "bad")
    assert (refused.note, refused.quotation) == ("550 5.1.1 no such user", True)


def test_without_an_answer_nothing_is_said_of_delivery() -> None:
    assert [moment.title for moment in tell(detail(state="sending", reply=""), {})] == ["Sent"]


def test_a_click_on_an_unknown_link_keeps_its_sentence() -> None:
    clicked = tell(detail(hit(60_000, "click", "tool", "tool", 7)), {0: "See"})[-1]
    assert clicked.title == "Link fetched by a program"
