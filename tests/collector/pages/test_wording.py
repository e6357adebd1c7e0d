import pytest

from collector.pages.wording import say_hit, say_rule, say_state
from collector.schema import HIT_KINDS, STATES
from collector.verdict import BELIEVED, KINDS, RULES


@pytest.mark.parametrize("kind", HIT_KINDS)
def test_each_verdict_has_words_of_its_own(kind: str) -> None:
    assert len({say_hit(kind, verdict) for verdict in KINDS}) == len(KINDS)


def test_opened_and_followed_are_said_of_believed_hits_only() -> None:
    for verdict in KINDS:
        said = say_hit("open", verdict)
        assert said.startswith("Opened") == (verdict in BELIEVED), said
        said = say_hit("click", verdict)
        assert said.startswith("Link followed") == (verdict in BELIEVED), said


def test_an_unheard_verdict_is_not_believed() -> None:
    assert say_hit("open", "of tomorrow") == say_hit("open", "unknown")


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_each_rule_says_why(rule: str) -> None:
    assert say_rule(rule) != rule


def test_a_rule_without_words_is_named() -> None:
    assert say_rule("of-tomorrow") == "of-tomorrow"


def test_each_state_has_a_chip_and_a_sentence() -> None:
    assert {say_state(state)[0] for state in STATES} == {
        "Sending",
        "Delivered",
        "Delayed",
        "Refused",
        "Queued",
    }
    assert all(say_state(state)[1] for state in STATES)
