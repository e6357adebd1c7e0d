"""Addresses of lists: read and written again they say the same, and what cannot be says nothing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from collector.filters import MessageFilter
from collector.pages.narrowing import (
    DAY_MS,
    EVERY_MAIL,
    MAX_TEXT,
    PERIODS,
    Narrowing,
    read_narrowing,
)

NOW_MS = 1_700_000_000_000
MIDNIGHT_MS = 1_699_920_000_000  # of the day before
ALL = Narrowing(
    q="oak plans",
    opened=True,
    clicked=True,
    tracked=True,
    to="ben@example.net",
    days=7,
    since=date(2023, 11, 1),
    until=date(2023, 11, 14),
)


def read(address: str) -> Narrowing:
    return read_narrowing(URL(address).query)


def test_nothing_said_is_every_mail() -> None:
    assert read("/") == read("/?q=&to=&days=&since=&until=&before=7") == EVERY_MAIL
    assert EVERY_MAIL.address() == "/"
    assert EVERY_MAIL.matching(NOW_MS) == MessageFilter()
    assert EVERY_MAIL.chips() == ()
    assert not any(each.is_on for each in EVERY_MAIL.switches())


def test_all_at_once() -> None:
    assert ALL.address(before=5) == (
        "/?q=oak+plans&opened=yes&clicked=yes&tracked=yes&to=ben%40example.net&days=7"
        "&since=2023-11-01&until=2023-11-14&before=5"
    )
    assert read(ALL.address(before=5)) == ALL
    assert ALL.fields == {"opened": "yes", "clicked": "yes", "tracked": "yes"}
    assert ALL.matching(NOW_MS) == MessageFilter(
        words=("oak", "plans"),
        opened=True,
        clicked=True,
        tracked=True,
        recipient="ben@example.net",
        since_ms=NOW_MS - 7 * DAY_MS,
        until_ms=MIDNIGHT_MS + DAY_MS,
    )


def test_the_later_of_two_begins_counts() -> None:
    narrowing = Narrowing(days=30, since=date(2023, 11, 14))
    assert narrowing.matching(MIDNIGHT_MS + 31 * DAY_MS).since_ms == MIDNIGHT_MS + DAY_MS
    assert Narrowing(days=1, since=date(1, 1, 1)).matching(NOW_MS).since_ms == NOW_MS - DAY_MS


def test_what_is_not_opened_is_what_could_be() -> None:
    matching = read("/?opened=no").matching(NOW_MS)
    assert matching == MessageFilter(opened=False, opens_tracked=True)


@pytest.mark.parametrize(
    "query",
    [
        *("opened=true", "opened=YES", "clicked=no", "tracked=1", "days=8", "days=07", "days=-1"),
        *(
            "since=2023-02-30",
            "since=20231114",
            "until=yesterday",
            "until=2023-W46-2",
            "to=+",
            "q=%00",
        ),
    ],
)
def test_what_cannot_be_is_passed_over(query: str) -> None:
    assert read(f"/?{query}") == EVERY_MAIL


def test_long_and_odd_texts_become_short_and_plain() -> None:
    assert read(f"/?q={'x' * 1_000}").q == "x" * MAX_TEXT
    assert read("/?q=a%0d%0Ab%20%20c").q == "a b c"


def test_switches_turn_one_thing_round() -> None:
    switches = {each.words: each for each in Narrowing(q="oak", opened=False).switches()}
    assert [words for words, each in switches.items() if each.is_on] == ["Not opened"]
    assert switches["Not opened"].address == "/?q=oak"
    assert switches["Opened"].address == "/?q=oak&opened=yes"
    assert switches["Not tracked"].address == "/?q=oak&opened=no&tracked=no"


def test_chips_take_one_thing_away() -> None:
    chips = {each.words: each.address for each in ALL.chips()}
    assert list(chips) == [
        "“oak plans”",
        "To ben@example.net",
        "Last 7 days",
        "Since November 1, 2023",
        "Until November 14, 2023",
    ]
    for address in chips.values():
        [gone] = [
            name
            for name in Narrowing.__slots__
            if getattr(read(address), name) != getattr(ALL, name)
        ]
        assert gone in ("q", "to", "days", "since", "until")
    assert [each.words for each in Narrowing(days=1).chips()] == ["Last 24 hours"]


@given(
    st.builds(
        Narrowing,
        q=st.text(max_size=20).map(lambda text: " ".join(filter(str.isprintable, text.split()))),
        opened=st.none() | st.booleans(),
        clicked=st.sampled_from([None, True]),
        tracked=st.none() | st.booleans(),
        days=st.none() | st.sampled_from(PERIODS),
        since=st.none() | st.dates(),
        until=st.none() | st.dates(),
    )
)
def test_an_address_says_what_it_was_made_of(narrowing: Narrowing) -> None:
    assert read(narrowing.address()) == narrowing
    assert read_narrowing({}) == EVERY_MAIL
    narrowing.matching(NOW_MS)
    narrowing.chips()


@given(st.dictionaries(st.sampled_from(Narrowing.__slots__), st.text()))
def test_any_query_is_read(query: dict[str, str]) -> None:
    found = read_narrowing(query)
    assert read(found.address()) == found
