"""Many notifications become few, none is lost, and little is folded where there is little."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.folding import FOLD_AT, FOLD_MS, Notification, fold

MINUTE = 60_000


def note(number: int, **changes: object) -> Notification:
    """The open of a mail of its own, at a time of its own: `number` minutes after the first."""
    some = Notification(
        id=number,
        message_id=number,
        kind="open",
        recipient=0,
        verdict="person",
        count=1,
        first_ms=number * MINUTE,
        last_ms=number * MINUTE,
        read_at_ms=None,
    )
    return replace(some, **changes)  # type: ignore[arg-type]


notifications = st.lists(
    st.builds(
        Notification,
        id=st.integers(1, 2**40),
        message_id=st.integers(1, 5),
        kind=st.sampled_from(["open", "click"]),
        recipient=st.integers(0, 9),
        verdict=st.just("person"),
        count=st.integers(1, 3),
        first_ms=st.just(0),
        last_ms=st.integers(0, 5 * FOLD_MS),
        read_at_ms=st.none() | st.just(7),
    ),
    unique_by=lambda each: each.id,
    max_size=60,
)


@given(notifications)
def test_each_is_in_one_fold_with_those_alike(given: list[Notification]) -> None:
    folds = fold(given)
    members = [each for one in folds for each in one.members]
    assert sorted(each.id for each in members) == sorted(each.id for each in given)
    for one in folds:
        assert len(one.members) == 1 or len(one.members) >= FOLD_AT
        assert len({(each.kind, each.read_at_ms) for each in one.members}) == 1
        assert one.newest == max(one.members, key=lambda each: (each.last_ms, each.id))
    places = [each.place for each in folds]
    assert places == sorted(places, reverse=True)


@given(notifications)
def test_their_order_does_not_matter(given: list[Notification]) -> None:
    assert fold(given) == fold(reversed(given))


def test_a_few_stay_as_they_are() -> None:
    few = [note(number) for number in range(1, FOLD_AT)]
    assert [each.members for each in fold(few)] == [(each,) for each in reversed(few)]


def test_a_burst_over_many_mails_is_one() -> None:
    many = [note(number) for number in range(1, 501)]
    [one] = fold(many)
    assert (one.mails, one.newest, one.is_unread) == (500, many[-1], True)


def test_a_burst_ends_where_nothing_comes_for_a_while() -> None:
    early = [note(number) for number in range(1, 5)]
    late = [note(number) for number in range(20, 23)]
    assert [len(each.members) for each in fold(early + late)] == [1, 1, 1, 4]


def test_the_copies_of_one_mail_are_one_whenever_they_are_opened() -> None:
    copies = [note(n * 1_000, message_id=7, recipient=n) for n in range(1, 43)]
    [one] = fold(copies)
    assert (one.mails, len(one.members)) == (1, 42)


def test_opens_and_clicks_and_what_was_read_stay_apart() -> None:
    opens = [note(number) for number in range(1, 9)]
    clicks = [note(number + 100, kind="click", last_ms=number * MINUTE) for number in range(1, 9)]
    read = [note(number + 200, read_at_ms=9, last_ms=number * MINUTE) for number in range(1, 9)]
    assert [len(each.members) for each in fold(opens + clicks + read)] == [8, 8, 8]
