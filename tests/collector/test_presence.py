"""Where senders lately were: known for a while, within bounds, and to nobody who looks inside."""

import pickle
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import presence as module
from collector.client import Address, read_networks
from collector.presence import PRESENT_SECONDS, Presence

HOME = ip_address("93.184.216.34")
ANA, BEN = 1, 2
NOW = 1_700_000_000_000
LATER = NOW + PRESENT_SECONDS * 1000


@pytest.fixture
def presence() -> Presence:
    return Presence(read_networks(["93.184.217.0/24"]), now_ms=lambda: NOW)


def test_a_sender_was_where_they_were_seen(presence: Presence) -> None:
    presence.note(ANA, HOME, "submission")
    assert presence.seen(ANA, HOME, NOW + 1) == "submission"
    assert presence.seen(BEN, HOME, NOW + 1) is None
    assert presence.seen(ANA, ip_address("93.184.216.35"), NOW + 1) is None
    assert presence.seen(ANA, None, NOW + 1) is None
    presence.note(ANA, HOME, "page")
    assert presence.seen(ANA, HOME, NOW + 1) == "page"


def test_for_some_hours(presence: Presence) -> None:
    presence.note(ANA, HOME, "page")
    presence.note_session("token", ANA)
    assert presence.seen(ANA, HOME, LATER) == "page"
    assert presence.seen(ANA, HOME, LATER + 1) is None
    presence._now_ms = lambda: LATER
    assert presence.owner("token") == ANA
    presence._now_ms = lambda: LATER + 1
    assert presence.owner("token") is None


def test_a_hit_from_before_they_came_counts_too(presence: Presence) -> None:
    """It was judged late; who came there within the hour was not far."""
    presence.note(ANA, HOME, "page")
    assert presence.seen(ANA, HOME, NOW - 60_000) == "page"


def test_of_ipv6_the_network_counts(presence: Presence) -> None:
    """A machine changes the rest by itself."""
    presence.note(ANA, ip_address("2a00:1450:4001:82a::1"), "page")
    assert presence.seen(ANA, ip_address("2a00:1450:4001:82a:ffff::2"), NOW) == "page"
    assert presence.seen(ANA, ip_address("2a00:1450:4001:82b::1"), NOW) is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "172.18.0.1",
        "192.168.1.9",
        "100.64.0.1",
        "fe80::1",
        "fd00::1",
        "93.184.217.9",
    ],
)
def test_what_stands_for_others_is_nobodys_place(presence: Presence, address: str) -> None:
    presence.note(ANA, ip_address(address), "submission")
    assert presence.seen(ANA, ip_address(address), NOW) is None


def test_a_session_has_an_owner_until_it_is_over(presence: Presence) -> None:
    presence.note_session("token", ANA)
    assert presence.owner("token") == ANA
    assert presence.owner("other") is None
    assert presence.owner("\udcff") is None
    presence.forget_session("token")
    assert presence.owner("token") is None


def test_it_is_bounded_and_the_longest_unseen_go(
    presence: Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    for sender in (1, 2, 3, 1, 4):
        presence.note(sender, HOME, "page")
        presence.note_session(str(sender), sender)
    seen = [sender for sender in range(1, 5) if presence.seen(sender, HOME, NOW)]
    assert seen == [1, 3, 4]
    assert [presence.owner(str(sender)) for sender in range(1, 5)] == [1, None, 3, 4]


def test_no_address_and_no_session_is_kept(presence: Presence) -> None:
    presence.note(ANA, HOME, "page")
    presence.note_session("the token of a session", ANA)
    kept = pickle.dumps((presence._places, presence._sessions))
    assert HOME.packed not in kept
    assert str(HOME).encode() not in kept
    assert b"the token of a session" not in kept
    other = Presence(now_ms=lambda: NOW)
    other.note(ANA, HOME, "page")
    assert set(other._places) != set(presence._places)


@given(st.ip_addresses(), st.integers(1, 2**40), st.integers(0, 2**45))
def test_any_address_can_be_asked_about(address: Address, sender_id: int, at_ms: int) -> None:
    presence = Presence(now_ms=lambda: NOW)
    presence.note(sender_id, address, "page")
    assert presence.seen(sender_id, address, NOW) == ("page" if address.is_global else None)
    assert presence.seen(sender_id + 1, address, at_ms) is None
