import pytest

from collector.families import FAMILIES
from collector.pages.wording import (
    say_hit,
    say_origin,
    say_program,
    say_rule,
    say_state,
    say_verdict,
    say_weight,
)
from collector.schema import HIT_KINDS, ORIGINS, STATES
from collector.verdict import BELIEVED, KINDS, RULES


@pytest.mark.parametrize("kind", HIT_KINDS)
def test_each_verdict_has_words_of_its_own(kind: str) -> None:
    assert len({(say_hit(kind, each), say_verdict(each)) for each in KINDS}) == len(KINDS)


def test_opened_and_followed_are_said_of_believed_hits_only() -> None:
    for verdict in KINDS:
        for rule in ("", *(rule.id for rule in RULES if rule.kind == verdict)):
            said = say_hit("open", verdict, rule)
            assert said.startswith("Opened") == (verdict in BELIEVED), said
            said = say_hit("click", verdict, rule)
            assert said.startswith("Link followed") == (verdict in BELIEVED), said


def test_no_verdict_is_said_to_be_known() -> None:
    assert all(say_verdict(each).startswith(("likely", "may be")) for each in KINDS)


def test_an_unheard_verdict_is_not_believed() -> None:
    assert say_hit("open", "of tomorrow") == say_hit("open", "unknown")
    assert say_verdict("of tomorrow") == say_verdict("unknown")


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_each_rule_says_why(rule: str) -> None:
    assert say_rule(rule) != rule


def test_a_rule_without_words_is_named() -> None:
    assert say_rule("of-tomorrow") == "of-tomorrow"


@pytest.mark.parametrize(
    ("kind", "verdict", "rule", "words"),
    [
        ("open", "proxy", "google-proxy", "It counts as opened."),
        ("click", "person", "browser", "It counts as clicked. That may be wrong."),
        ("open", "person", "apple-mail", "It counts as opened. That is little more than a guess."),
        ("open", "scanner", "safe-links", "It is not counted."),
        ("open", "self", "self-page", "It is not counted. That may be wrong."),
        ("open", "tool", "of-tomorrow", "It is not counted."),
    ],
)
def test_whether_it_counts_and_how_sure_that_is(
    kind: str, verdict: str, rule: str, words: str
) -> None:
    assert say_weight(kind, verdict, rule) == words


def test_programs_are_named_where_a_person_has_them() -> None:
    named = {say_program(family) for family in FAMILIES}
    assert {"", "Firefox on Windows", "Apple Mail", "Thunderbird on Linux"} <= named
    assert not {each for each in named if "another" in each or "proxy" in each or "curl" in each}
    assert say_program("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0") == (
        "Firefox on Linux"
    )
    assert say_program("<script>") == ""


@pytest.mark.parametrize("origin", ORIGINS)
def test_each_origin_has_words(origin: str) -> None:
    assert say_origin(origin).startswith("by ")


def test_each_state_has_a_chip_and_a_sentence() -> None:
    assert {say_state(state)[0] for state in STATES} == {
        "Sending",
        "Delivered",
        "Delayed",
        "Refused",
        "Queued",
    }
    assert all(say_state(state)[1] for state in STATES)
    assert say_state("of tomorrow") == ("Of tomorrow", "")
