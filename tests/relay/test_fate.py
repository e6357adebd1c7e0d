"""What the record says of a message in our custody."""

import pytest
from custodies import BOB, EVE

from collector.store import Outcome as Recorded
from relay.envelope import Deferred, Delivered, Outcome, Recipient, Refused
from relay.fate import QUEUED, recorded
from relay.spoolfile import Entry, Event, Got, Outline, State, Told

BUSY = Deferred(recipient=BOB, code=451, enhanced="4.2.1", text=b"busy", ordinal=1)
TAKEN = Delivered(recipient=BOB, code=250, text=b"ok", ordinal=1)
TAKEN_TOO = Delivered(recipient=EVE, code=250, text=b"ok", ordinal=2)
GONE = Refused(recipient=EVE, code=550, enhanced="5.1.1", text=b"no eve", ordinal=2)


def entry(*events: Event) -> Entry:
    to = (Recipient(BOB, {}, 1), Recipient(EVE, {}, 2))
    made = Entry(
        id=1,
        sender_id=1,
        login="ana",
        received_at_ms=0,
        mail_from=b"",
        parameters={},
        route=b"",
        tracked=True,
        copies=(Outline(size=0, head=0, crc=0, is_ascii=True, recipients=to),),
        state=State(pending=frozenset({1, 2})),
    )
    for event in events:
        made = made.after(event)
    return made


def got(*outcomes: Outcome) -> Got:
    return Got(outcomes, 1, 2)


@pytest.mark.parametrize(
    ("events", "state", "reply", "outcomes"),
    [
        ([], "queued", QUEUED, None),
        ([got(TAKEN, TAKEN_TOO)], "delivered", "250 ok", None),
        (
            [got(BUSY)],
            "queued",
            "451 4.2.1 busy",
            ((1, "queued", "451 4.2.1 busy"), (2, "queued", QUEUED)),
        ),
        (
            [got(TAKEN, GONE)],
            "delivered",
            "250 ok",
            ((1, "delivered", "250 ok"), (2, "refused", "550 5.1.1 no eve")),
        ),
        (
            [got(BUSY, TAKEN_TOO)],
            "queued",
            "451 4.2.1 busy",
            ((1, "queued", "451 4.2.1 busy"), (2, "delivered", "250 ok")),
        ),
        (
            [got(BUSY, GONE), Told((1,), "expired", 3)],
            "refused",
            "451 4.2.1 busy",
            ((1, "refused", "451 4.2.1 busy"), (2, "refused", "550 5.1.1 no eve")),
        ),
    ],
)
def test_what_is_recorded(events: list[Event], state: str, reply: str, outcomes: object) -> None:
    said = recorded(entry(*events), 9)
    assert (said.at_ms, said.state, said.reply, said.outcomes) == (9, state, reply, outcomes)


def test_it_is_taken_as_soon_as_one_has_it() -> None:
    assert recorded(entry(got(BUSY, TAKEN_TOO)), 9).is_taken
    assert not recorded(entry(got(BUSY)), 9).is_taken
    assert Recorded(at_ms=1, state="delivered", reply="").is_taken
