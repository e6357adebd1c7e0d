"""How long queued mail waits, and whose turn it is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from relay.schedule import Agenda, Pace


@given(st.integers(0, 10_000), st.integers(0, 2**64 - 1))
def test_waits_double_up_to_the_longest(attempts: int, message_id: int) -> None:
    wait = Pace().wait(attempts, message_id)
    plain = min(300 * 2 ** (max(attempts, 1) - 1), 3600)
    assert 0.85 * plain <= wait <= 1.15 * plain
    assert wait == Pace().wait(attempts, message_id)


def test_what_came_together_does_not_stay_together() -> None:
    waits = sorted(Pace().wait(1, number) for number in range(1000))
    assert waits[0] < 260 < 340 < waits[-1]
    assert max(later - earlier for earlier, later in pairwise(waits)) < 3


def test_whose_turn_it_is() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.add(1, "a", 10)
    agenda.add(2, "a", 5)
    agenda.add(3, "b", 5)
    agenda.line_up(4, "a")
    rooms = {"a": 2, "b": 0}
    assert agenda.next_due() == 5
    assert agenda.take(5, rooms.__getitem__) == [4, 2]
    assert agenda.take(20, rooms.__getitem__) == []
    assert list(agenda.lanes_with_ready()) == ["a", "b"]
    agenda.drop(4)
    assert agenda.take(20, rooms.__getitem__) == [1]
    rooms["b"] = 1
    assert agenda.take(20, rooms.__getitem__) == [3]
    assert (len(agenda), agenda.next_due()) == (3, None)


def test_moving_on_leaves_the_old_place() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.add(1, "a", 5)
    agenda.add(1, "b", 9)
    assert agenda.next_due() == 9
    assert agenda.take(7, lambda lane: 9) == []
    assert agenda.take(9, lambda lane: 9) == [1]
    agenda.add(1, "b", 12)
    assert not agenda.is_out(1)
    assert agenda.take(12, lambda lane: 9) == [1]


class Agendas(RuleBasedStateMachine):
    """Against a plain table of where each message is."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda: Agenda[str] = Agenda()
        self.model: dict[int, tuple[str, float | str]] = {}
        self.now = 0

    ids = st.integers(1, 6)
    lanes = st.sampled_from("ab")

    @rule(message_id=ids, lane=lanes, wait=st.integers(0, 5))
    def add(self, message_id: int, lane: str, wait: int) -> None:
        self.agenda.add(message_id, lane, self.now + wait)
        self.model[message_id] = (lane, self.now + wait)

    @rule(message_id=ids, lane=lanes)
    def line_up(self, message_id: int, lane: str) -> None:
        self.agenda.line_up(message_id, lane)
        self.model[message_id] = (lane, "ready")

    @rule(message_id=ids, lane=lanes)
    def send_out(self, message_id: int, lane: str) -> None:
        self.agenda.send_out(message_id, lane)
        self.model[message_id] = (lane, "out")

    @rule(message_id=ids)
    def drop(self, message_id: int) -> None:
        self.agenda.drop(message_id)
        self.model.pop(message_id, None)

    @rule(passed=st.integers(0, 4), width=st.integers(0, 3))
    def take(self, passed: int, width: int) -> None:
        self.now += passed
        for message_id, (lane, place) in self.model.items():
            if isinstance(place, int) and place <= self.now:
                self.model[message_id] = (lane, "ready")
        taken = self.agenda.take(self.now, lambda lane: width)
        assert len(taken) == len(set(taken))
        for message_id in taken:
            lane, place = self.model[message_id]
            assert place == "ready"
            self.model[message_id] = (lane, "out")
        for lane in "ab":
            places = [place for on, place in self.model.values() if on == lane]
            assert "ready" not in places or places.count("out") >= width
            if any(self.model[message_id][0] == lane for message_id in taken):
                assert places.count("out") <= width

    @invariant()
    def agrees(self) -> None:
        assert len(self.agenda) == len(self.model)
        for message_id in range(1, 7):
            place = self.model.get(message_id, ("", None))[1]
            assert (message_id in self.agenda) == (place is not None)
            assert self.agenda.is_out(message_id) == (place == "out")
        dues = [place for _, place in self.model.values() if isinstance(place, int)]
        assert self.agenda.next_due() == min(dues, default=None)
        ready = {lane for lane, place in self.model.values() if place == "ready"}
        assert set(self.agenda.lanes_with_ready()) == ready


TestAgendas = Agendas.TestCase
