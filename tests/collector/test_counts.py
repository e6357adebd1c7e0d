"""What is summed of a message's hits; tests/collector/test_stats.py has it from the store."""

from collector.counts import NOTHING, Group, ReaderRow, Seen, clicks_by_link, read_readers

GROUPS = (
    Group("open", 0, None, Seen(9, 9, 1, 9)),
    Group("open", 2, None, Seen(1, 2, 30, 30)),
    Group("click", 2, 0, Seen(1, 1, 50, 50)),
    Group("click", 2, 1, Seen(0, 3)),
    Group("click", 1, 1, Seen(2, 2, 40, 60)),
    Group("click", 1, None, Seen(5, 5, 1, 1)),  # a row that is out of joint
)


def test_seen_adds_up() -> None:
    assert Seen(1, 2, 30, 40) + Seen(3, 4, 10, 20) == Seen(4, 6, 10, 40)
    assert Seen(1, 2, 30, 40) + Seen(0, 4) == Seen(1, 6, 30, 40)
    assert NOTHING + NOTHING == NOTHING


def test_clicks_by_link() -> None:
    assert clicks_by_link(GROUPS) == {0: Seen(1, 1, 50, 50), 1: Seen(2, 5, 40, 60)}


def test_readers_are_those_with_copies_of_their_own() -> None:
    assert read_readers(GROUPS) == (
        ReaderRow(1, NOTHING, Seen(7, 7, 1, 60)),
        ReaderRow(2, Seen(1, 2, 30, 30), Seen(1, 4, 50, 50)),
    )
