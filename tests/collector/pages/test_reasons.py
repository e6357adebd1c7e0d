"""Every word of the rewriter's and the policy's has a sentence for its sender."""

import pytest

from collector.pages import reasons
from collector.pages.reasons import Leftover, say_reason, say_shared, tell_left
from collector.stats import SkippedRow
from relay.commands.rules import RULES

KNOWN = (reasons._OF_MAIL, reasons._OF_LINK, reasons._OF_PIXEL, reasons._OF_TEXT)
# What a mail or a text of it is left for that only a programmer would care for.
ODD = {
    *("text ends in a shifted charset", "NUL bytes", "too many attributes", "malformed header"),
    *("no blank line after the header", "two content-type fields"),
    *("two content-transfer-encoding fields", "two content-disposition fields"),
    *("a Content-Type parameter given twice", "unknown transfer encoding"),
    *("malformed quoted-printable", "malformed base64", "encoded multipart"),
    *("multipart without a boundary", "multipart without its end"),
    *("multipart/related without its root", "nested too deep", "a bare CR at a delimiter"),
    "carries a checksum",
}
# Told elsewhere, or never on record.
ELSEWHERE = {"attachment", "embedded", "no text", "plain text", "opens are off", "clicks are off"}


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.startswith("verification")])
def test_each_rule_has_its_sentence(rule: str) -> None:
    assert any(rule in table for table in KNOWN) != (rule in ODD | ELSEWHERE)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("no HTML part", "it has no HTML, and plain text is sent as it is"),
        ("its recipients have refused it", "its recipients have refused it"),
        ("nested too deep", say_reason("verification: the text changed elsewhere")),
    ],
)
def test_why_nothing_is_tracked(reason: str, words: str) -> None:
    assert say_reason(reason) == words


def test_why_those_who_object_cost_a_mail_its_tracking() -> None:
    assert say_reason("some recipients object, and it is too large for 3 copies") == (
        "some recipients object, and there cannot be a copy for each: it is too large for 3 copies"
    )


def test_why_one_copy_went_to_all() -> None:
    assert say_shared("more than 100 recipients") == "it went to more than 100 recipients"
    assert say_shared("too large for 9 copies") == "it is too large for 9 copies"
    assert say_shared("of tomorrow") == "of tomorrow"


def test_what_was_left_is_told_with_its_reason() -> None:
    rows = [
        SkippedRow("opt-out", 2, "example.com"),
        SkippedRow("scheme", 1, "mailto:"),
        SkippedRow("fragment", 1, ""),
        SkippedRow("no sure place", 1, ""),
        SkippedRow("NUL bytes", 1, ""),
    ]
    told = tell_left(rows)
    assert [(each.icon, each.what, each.number) for each in told] == [
        ("eye", "The pixel", ""),
        ("text", "A text of the mail", ""),
        ("link", "example.com", "2 links"),
        ("link", "Mail address", "1 link"),
        ("link", "A link", "1 link"),
    ]
    assert told[2] == Leftover("link", "example.com", "is marked as one not to track", "2 links")
