"""Links of one copy followed within two seconds."""

from collector.bursts import Bursts

COPY, OTHER = (1, 0), (1, 1)


def test_different_links_add_up_within_the_window() -> None:
    bursts = Bursts()
    assert [
        bursts.different_links(COPY, link, at) for link, at in [(1, 0), (2, 900), (3, 2000)]
    ] == [
        1,
        2,
        3,
    ]
    assert bursts.different_links(COPY, 4, 2001) == 3  # the first is out of the window by now


def test_the_same_link_counts_once() -> None:
    bursts = Bursts()
    assert [bursts.different_links(COPY, 1, at) for at in (0, 1, 2)] == [1, 1, 1]


def test_copies_do_not_add_up() -> None:
    bursts = Bursts()
    bursts.different_links(COPY, 1, 0)
    assert bursts.different_links(OTHER, 2, 0) == 1


def test_old_clicks_are_forgotten() -> None:
    bursts = Bursts()
    for number in range(1000):
        bursts.different_links((number, 0), 1, at_ms=number * 100)
    assert len(bursts._copies) <= 21
