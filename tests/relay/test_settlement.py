"""From outcomes to the one reply, as a table."""

import pytest

from relay.envelope import Deferred, Delivered, Outcome, Refused, Unreached, Withheld
from relay.settlement import defer, is_unreached, settle

TAKEN = Delivered(recipient=b"a@x", code=250, enhanced="2.0.0", text=b"queued as 7")
BARE = Delivered(recipient=b"a@x", code=250)
BUSY = Deferred(recipient=b"b@x", code=450, enhanced="4.2.1", text=b"mailbox busy")
GONE = Refused(recipient=b"c@x", code=550, enhanced="5.1.1", text=b"no such user")
PLAIN = Refused(recipient=b"c@x", code=554, text=b"go away")
HELD = Withheld(recipient=b"d@x", code=250)
AWAY = Unreached(recipient=b"a@x", code=451, enhanced="4.4.1", text=b"not to be reached")


@pytest.mark.parametrize(
    ("outcomes", "reply"),
    [
        ([TAKEN], b"250 2.0.0 queued as 7"),
        ([BARE, BARE], b"250 2.0.0 Ok"),
        ([GONE], b"550 5.1.1 no such user"),
        ([PLAIN], b"554 5.0.0 go away"),
        ([GONE] * 5, b"550 5.1.1 <c@x>, <c@x>, <c@x> and 2 more: no such user"),
    ],
)
def test_the_reply_where_all_fared_alike(outcomes: list[Outcome], reply: bytes) -> None:
    settled = settle(outcomes)
    assert settled
    assert settled.wire() == reply + b"\r\n"


@pytest.mark.parametrize(
    ("outcomes", "reply"),
    [
        ([BUSY], b"451 4.2.1 mailbox busy"),
        ([AWAY], b"451 4.4.1 not to be reached"),
        ([HELD, BUSY], b"451 4.2.1 mailbox busy"),
        ([BUSY, BUSY], b"451 4.2.1 <b@x>, <b@x>: mailbox busy"),
        ([GONE, HELD], b"451 4.3.0 The message cannot be kept just now; try again later"),
        ([GONE, TAKEN], b"451 4.3.0 The message cannot be kept just now; try again later"),
    ],
)
def test_what_is_to_be_kept_is_deferred_without_a_disk(
    outcomes: list[Outcome], reply: bytes
) -> None:
    assert settle(outcomes) is None
    assert defer(outcomes).wire() == reply + b"\r\n"


def test_upstream_is_away_where_nobody_was_asked_for() -> None:
    assert is_unreached([AWAY, AWAY])
    assert not is_unreached([AWAY, BUSY])
