"""What a sender wishes to be notified of, and how many notifications become few. Pure.

A mailing that is opened a hundred times is one piece of news to a person, whether it was one mail
with copies of their own or a hundred mails: so what is alike is folded when it is shown. Stored are
single notifications, one a copy, so that nothing is lost by it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from collector.consent import Kind

# "first": the first believed open and click of each copy; "all": every believed one.
Notify = Literal["off", "first", "all"]
NOTIFY: tuple[Notify, ...] = get_args(Notify)
DEFAULT_NOTIFY: Notify = "first"

FOLD_AT = 4  # so many alike are shown as one
FOLD_MS = 120_000  # different mails are alike if no more than this lies between their hits


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Believed hits of one kind on one copy of a message.

    `recipient` is 0 where the copy is shared; `verdict` is that on the first hit. Times in
    milliseconds since the epoch; `read_at_ms` is None while it is unread.
    """

    id: int
    message_id: int
    kind: Kind
    recipient: int
    verdict: str
    count: int
    first_ms: int
    last_ms: int
    read_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Fold:
    """Notifications that are shown as one, newest first: one, or FOLD_AT and more that are alike:
    of one kind, all read or all unread."""

    members: tuple[Notification, ...]

    @property
    def newest(self) -> Notification:
        return self.members[0]

    @property
    def mails(self) -> int:
        """On how many messages."""
        return len({each.message_id for each in self.members})

    @property
    def is_unread(self) -> bool:
        return self.newest.read_at_ms is None

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among others, the newest highest: its last hit, and an id."""
        return self.newest.last_ms, self.newest.id


def fold(notifications: Iterable[Notification]) -> list[Fold]:
    """One sender's notifications as they are shown, newest first.

    First those of one message are folded, whenever they came, then those of different messages that
    came shortly after each other.
    """
    folds: list[Fold] = []
    for alike in _split(notifications, lambda each: (each.kind, each.read_at_ms is None)):
        left: list[Notification] = []
        for of_message in _split(alike, lambda each: each.message_id):
            if len(of_message) >= FOLD_AT:
                folds.append(_join(of_message))
            else:
                left.extend(of_message)
        for chain in _chains(left):
            folds.extend([_join(chain)] if len(chain) >= FOLD_AT else map(_alone, chain))
    return sorted(folds, key=lambda each: each.place, reverse=True)


def _split(
    notifications: Iterable[Notification], key: Callable[[Notification], Hashable]
) -> Iterable[list[Notification]]:
    """Those with equal keys together."""
    found: dict[Hashable, list[Notification]] = {}
    for each in notifications:
        found.setdefault(key(each), []).append(each)
    return found.values()


def _chains(notifications: Iterable[Notification]) -> Iterator[list[Notification]]:
    """Those that follow each other within FOLD_MS together."""
    chain: list[Notification] = []
    for each in sorted(notifications, key=_place):
        if chain and each.last_ms - chain[-1].last_ms > FOLD_MS:
            yield chain
            chain = []
        chain.append(each)
    if chain:
        yield chain


def _join(notifications: Iterable[Notification]) -> Fold:
    return Fold(tuple(sorted(notifications, key=_place, reverse=True)))


def _alone(notification: Notification) -> Fold:
    return Fold((notification,))


def _place(notification: Notification) -> tuple[int, int]:
    return notification.last_ms, notification.id
