"""A link works once, for a while, and for nobody who guesses."""

from collector.pages.tickets import LIFETIME, Ticket, Tickets

ANA = Ticket(1, "ana@example.com", "iPhone")
EVE = Ticket(2, "eve@example.com", "iPhone")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_once() -> None:
    tickets = Tickets()
    token = tickets.issue(ANA)
    assert tickets.take(token) == ANA
    assert tickets.take(token) is None


def test_no_other_token_is_one() -> None:
    tickets = Tickets()
    token = tickets.issue(ANA)
    for wrong in ("", "x", token[:-1], token + "=", token.swapcase(), "\udcff", "a" * 10_000):
        assert tickets.take(wrong) is None
    assert tickets.take(token) == ANA


def test_until_it_is_too_old() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    token, late = tickets.issue(ANA), tickets.issue(EVE)
    clock.now += LIFETIME - 1
    assert tickets.take(token) == ANA
    clock.now += 1
    assert tickets.take(late) is None


def test_a_sender_has_one_at_a_time_and_old_ones_are_not_kept() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    first, others = tickets.issue(ANA), tickets.issue(EVE)
    second = tickets.issue(ANA)
    assert tickets.take(first) is None
    assert tickets.take(second) == ANA
    assert tickets.take(others) == EVE
    for number in range(100):
        tickets.issue(Ticket(number, "x@example.com", "iPhone"))
    clock.now += LIFETIME
    tickets.issue(ANA)
    assert len(tickets._waiting) == 1


def test_one_that_was_taken_in_vain_can_be_taken_again() -> None:
    tickets = Tickets()
    token = tickets.issue(ANA)
    tickets.restore(token, ANA)
    assert tickets.take(token) == ANA
    tickets.restore(token, ANA)
    assert (tickets.take(token), tickets.take(token)) == (ANA, None)


def test_tokens_are_not_kept_as_they_are() -> None:
    tickets = Tickets()
    token = tickets.issue(ANA)
    assert token not in repr(tickets._waiting)
    assert len(token) == 32
