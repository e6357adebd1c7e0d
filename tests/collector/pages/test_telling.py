"""Notifications in words, for where they are told elsewhere."""

from collector.outward.outbox import News
from collector.pages.languages import NAMES
from collector.pages.speech import current
from collector.pages.telling import LISTED, MAILS, Words

WORDS = Words("https://t.example.com")


def make(number: int = 1, **changes: object) -> News:
    values: dict[str, object] = {
        "id": number,
        "kind": "open",
        "recipient": 0,
        "verdict": "person",
        "count": 1,
        "first_ms": 1_700_000_000_000 + number * 60_000,
        "last_ms": 1_700_000_000_000,
        "message_id": number,
        "subject": f"Mail {number}",
        "recipients": ("ben@example.net",),
        "sent_at_ms": 0,
    }
    return News(**(values | changes))  # type: ignore[arg-type]


def test_one_is_told_as_it_is() -> None:
    assert WORDS.tell([make(5)], "en") == (
        "Opened, likely by a person: “Mail 5” to ben@example.net",
        "https://t.example.com/mail/5",
    )
    shared = make(kind="click", recipients=("a@example.net", "b@example.net"), subject="  ")
    assert WORDS.headline(shared, "en") == "Link followed, likely by a person: “(no subject)”"


def test_many_are_listed_and_then_counted() -> None:
    title, text = WORDS.tell([make(number) for number in range(1, LISTED + 4)], "en")
    *lines, more, home = text.splitlines()
    assert title == f"{LISTED + 3} notifications"
    assert len(lines) == LISTED
    assert (more, home) == ("and 3 more", "https://t.example.com/")


def test_none_are_a_test() -> None:
    assert WORDS.tell((), "en") == ("Letterbell: a test", "Notifications will come this way.")


def test_a_digest_is_by_mail_the_newest_first() -> None:
    news = [make(1), make(2), make(3, message_id=1, kind="click", subject="Mail 1")]
    letter = WORDS.write_digest(news, "en")
    assert letter.subject == "3 notifications: Mail 1"
    assert letter.text.index("Mail 1") < letter.text.index("Mail 2")
    assert letter.text.count("https://t.example.com/mail/") == 2
    assert "14 Nov, 22:16 UTC · Link followed, likely by a person · ben@example.net" in letter.text


def test_a_digest_is_of_a_bearable_length() -> None:
    letter = WORDS.write_digest([make(number) for number in range(1, MAILS + 8)], "en")
    assert letter.text.count("/mail/") == letter.html.count("/mail/") == MAILS
    assert "and 7 more" in letter.text
    assert "and 7 more" in letter.html
    one = WORDS.write_digest([make(number, message_id=1) for number in range(1, 15)], "en")
    assert "and 4 more" in one.text


def test_a_subject_is_no_markup_and_no_second_line() -> None:
    news = [make(1, subject="<script>alert(1)</script>\r\nBcc: eve@example.net")]
    letter = WORDS.write_digest(news, "en")
    assert "<script>" not in letter.html
    assert "\n" not in letter.subject
    assert "\n" not in WORDS.headline(news[0], "en")


def test_every_language_is_spoken_and_nobody_elses_changes() -> None:
    before = current()
    for language in (*NAMES, "xx"):
        letter = WORDS.write_digest([make()], language)
        assert f'<html lang="{language if language in NAMES else "en"}">' in letter.html
        assert WORDS.title(language)
    assert current() is before
