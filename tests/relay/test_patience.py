"""How long a session may take, on a clock of the test's own."""

import pytest

from relay.patience import LOGIN_SECONDS, MIN_RATE, OUR_TURN, WINDOW, Patience

IDLE = 300.0


def look(patience: Patience, now: float, received: int = 0, **measures: bool) -> float:
    said = {"waiting": True, "in_message": False, "signed_in": True, **measures}
    return patience.look(now, received, **said)


def test_a_silent_client_is_given_the_idle_time() -> None:
    patience = Patience(IDLE, started=0.0)
    patience.begin(100.0, received=40)
    assert look(patience, 100.0 + IDLE - 1.0) == 1.0
    assert look(patience, 100.0 + IDLE) == 0.0


def test_a_stranger_is_given_a_minute_whatever_it_says() -> None:
    patience = Patience(IDLE, started=0.0)
    for second in range(int(LOGIN_SECONDS)):
        patience.begin(float(second), received=second)
        assert look(patience, float(second), signed_in=False) > 0.0
    assert look(patience, LOGIN_SECONDS, signed_in=False) == 0.0


@pytest.mark.parametrize("signed_in", [True, False])
def test_while_it_is_our_turn_nobody_is_late_and_no_look_is_in_the_past(signed_in: bool) -> None:
    patience = Patience(IDLE, started=0.0)
    assert look(patience, 10 * IDLE, waiting=False, signed_in=signed_in) == OUR_TURN


def test_a_steady_message_may_take_for_ever_also_after_a_large_one() -> None:
    patience = Patience(IDLE, started=0.0)
    received = 25_000_000  # of mails before
    patience.begin(0.0, received)
    now = 0.0
    for _ in range(100):
        now += WINDOW
        received += int(MIN_RATE * WINDOW)
        assert look(patience, now, received, in_message=True) == WINDOW
    now += WINDOW
    assert look(patience, now, received + 1, in_message=True) == 0.0


def test_a_message_is_measured_over_no_less_than_a_window() -> None:
    patience = Patience(IDLE, started=0.0)
    patience.begin(5.0, received=0)
    assert look(patience, 10.0, 1, in_message=True) == WINDOW - 5.0


def test_a_short_idle_time_is_the_window_as_well() -> None:
    assert look(Patience(2.0, started=0.0), 2.0, 10, in_message=True) == 0.0
