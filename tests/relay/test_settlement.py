"""From outcomes to the one reply, as a table."""

import pytest

from relay.envelope import Deferred, Delivered, Outcome, Refused, Withheld
from relay.settlement import settle

TAKEN = Delivered(recipient=b"a@x", code=250, enhanced="2.0.0", text=b"queued as 7")
BARE = Delivered(recipient=b"a@x", code=250)
BUSY = Deferred(recipient=b"b@x", code=450, enhanced="4.2.1", text=b"mailbox busy")
GONE = Refused(recipient=b"c@x", code=550, enhanced="5.1.1", text=b"no such user")
PLAIN = Refused(recipient=b"c@x", code=554, text=b"go away")
HELD = Withheld(recipient=b"d@x", code=250)


@pytest.mark.parametrize(
    ("outcomes", "reply"),
    [
        ([TAKEN], b"250 2.0.0 queued as 7"),
        ([BARE, BARE], b"250 2.0.0 Ok"),
        ([BUSY], b"451 4.2.1 mailbox busy"),
        ([GONE], b"550 5.1.1 no such user"),
        ([PLAIN], b"554 5.0.0 go away"),
        ([GONE, HELD], b"550 5.1.1 <c@x>: no such user (nothing was sent to anyone)"),
        ([HELD, BUSY], b"451 4.2.1 <b@x>: mailbox busy (nothing was sent to anyone)"),
        ([GONE, BUSY], b"451 4.2.1 <b@x>: mailbox busy (nothing was sent to anyone)"),
        (
            [GONE] * 5,
            b"550 5.1.1 <c@x>, <c@x>, <c@x> and 2 more: no such user (nothing was sent to anyone)",
        ),
    ],
)
def test_the_reply_to_outcomes(outcomes: list[Outcome], reply: bytes) -> None:
    assert settle(outcomes).wire() == reply + b"\r\n"
