"""Who may be tracked, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.consent import (
    HOWS,
    MODES,
    Decisions,
    Mode,
    canonical,
    is_news,
    may_follow,
    objection,
)

RULES = [
    # mode, decided -> what speaks against it
    ("always", None, None),
    ("always", True, None),
    ("always", False, None),
    ("unless-refused", None, None),
    ("unless-refused", True, None),
    ("unless-refused", False, "refused"),
    ("only-consented", None, "no consent"),
    ("only-consented", True, None),
    ("only-consented", False, "refused"),
]


@pytest.mark.parametrize(("mode", "decided", "against"), RULES)
def test_what_a_decision_says_in_each_mode(
    mode: Mode, decided: bool | None, against: str | None
) -> None:
    assert objection(mode, decided) == against
    known = {} if decided is None else {("bob@example.org", "click"): decided}
    decisions = Decisions(mode, known)  # type: ignore[arg-type]
    assert decisions.objection("Bob@Example.org", "click") == against
    assert decisions.objection("bob@example.org", "open") == objection(mode, None)
    assert decisions.objection("eve@example.org", "click") == objection(mode, None)


def test_the_table_is_whole() -> None:
    assert {mode for mode, _, _ in RULES} == set(MODES)


@pytest.mark.parametrize(
    ("mode", "known", "all_may"),
    [
        ("always", {("a@x", "open"): False}, False),  # asked one by one, all may
        ("always", {}, True),
        ("unless-refused", {}, True),
        ("unless-refused", {("a@x", "open"): True}, True),
        ("unless-refused", {("a@x", "open"): False}, False),
        ("only-consented", {}, False),
        ("only-consented", {("a@x", "open"): True}, False),
    ],
)
def test_where_nobody_can_object(mode: Mode, known: dict, all_may: bool) -> None:
    assert Decisions(mode, known).let_all is all_may


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("held", HOWS)
def test_ones_own_refusal_is_ones_own_to_take_back(held: str, how: str) -> None:
    assert may_follow(held, False, how)  # type: ignore[arg-type]
    assert may_follow(held, True, how) is (held != "notice" or how == "notice")  # type: ignore[arg-type]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("held", HOWS)
def test_ones_own_word_is_news_where_others_had_spoken(held: str, how: str) -> None:
    assert is_news(held, how) is (how == "notice" and held != "notice")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "written",
    [
        "bob@bücher.example",
        " Bob@BÜCHER.example",
        "bob@xn--bcher-kva.example",
        "BOB@XN--BCHER-KVA.EXAMPLE",
        '"bob"@bücher.example',
        '"b\\ob"@bücher.example',
        "bob@bu\u0308cher.example",
    ],
)
def test_one_person_in_every_spelling(written: str) -> None:
    assert canonical(written) == "bob@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "other", ["bo.b@x.org", "bob+news@x.org", "bob@y.org", "bob", "@x.org", ""]
)
def test_another_is_another(other: str) -> None:
    assert canonical(other) != canonical("bob@x.org")


@given(st.text())
def test_any_text_has_one_spelling(text: str) -> None:
    assert canonical(f" {text}\t") == canonical(text)
    assert canonical(f"{text}@EXAMPLE.org") == canonical(f"{text}@example.ORG")
