"""Whose wish wins, as a table: the most restrictive of the message's, then the sender's toggles."""

from dataclasses import replace

import pytest

from collector.senders import Sender
from relay.content import Content
from relay.controls import OFF
from relay.envelope import Client, Envelope, Identity, Recipient, Wishes
from relay.policy import plan

ANA = Sender(1, "ana", ("ana@example.com",), opens=True, clicks=False, sticky=True, enabled=True)
ENVELOPE = Envelope(
    identity=Identity(sender=ANA),
    mail_from=b"ana@example.com",
    parameters={},
    recipients=(Recipient(b"bob@example.com", {}), Recipient(b"eve@example.com", {})),
    content=Content.of(b""),
    client=Client("::1", b"a"),
    received_at_ms=0,
)


@pytest.mark.parametrize(
    ("wishes", "opens", "clicks", "reason"),
    [
        (Wishes(), True, False, None),
        (Wishes(clicks=True), True, True, None),
        (Wishes(opens=False), False, False, "off for this message"),
        (Wishes(opens=False, clicks=True), False, True, None),
        (OFF, False, False, "off for this message"),
    ],
)
def test_the_message_beats_the_toggles(
    wishes: Wishes, opens: bool, clicks: bool, reason: str | None
) -> None:
    [copy] = plan(ENVELOPE, ANA, wishes).copies
    assert (copy.opens, copy.clicks, copy.reason) == (opens, clicks, reason)
    assert copy.may_change
    assert copy.recipients == ENVELOPE.recipients


def test_a_sender_who_tracks_nothing() -> None:
    [copy] = plan(ENVELOPE, replace(ANA, opens=False), Wishes()).copies
    assert copy.reason == "off for this sender"


def test_a_bounce_is_never_tracked_whatever_it_wishes() -> None:
    [copy] = plan(replace(ENVELOPE, mail_from=b""), ANA, Wishes(True, True)).copies
    assert (copy.opens, copy.clicks, copy.reason) == (False, False, "null sender")
    assert not copy.may_change


# Three sources of a wish and the toggle; what becomes of it, and of the toggle where it is sticky.
PRECEDENCE = [
    # header, recipient, login, toggle -> tracked, remembered
    (None, None, None, True, True, None),
    (None, None, None, False, False, None),
    (True, None, None, False, True, True),
    (False, None, None, True, False, False),
    (None, True, None, False, True, True),
    (None, False, None, True, False, False),
    (None, None, True, False, True, None),  # a device's setting: remembered on the device
    (None, None, False, True, False, None),
    (True, False, None, True, False, False),
    (False, True, None, True, False, False),
    (True, True, None, False, True, True),
    (True, None, False, False, False, None),  # a wish that does not come true is not remembered
    (None, True, False, False, False, None),
    (False, None, True, True, False, False),
    (None, False, True, True, False, False),
    (True, True, False, True, False, None),
    (True, True, True, False, True, True),
    (True, None, None, True, True, None),  # as it is already
    (False, False, False, False, False, None),
    (False, None, None, False, False, None),
]


@pytest.mark.parametrize("sticky", [True, False])
@pytest.mark.parametrize("which", ["opens", "clicks"])
@pytest.mark.parametrize(
    ("header", "recipient", "login", "toggle", "tracked", "remembered"), PRECEDENCE
)
def test_precedence(
    header: bool | None,
    recipient: bool | None,
    login: bool | None,
    toggle: bool,
    tracked: bool,
    remembered: bool | None,
    which: str,
    sticky: bool,
) -> None:
    other = "clicks" if which == "opens" else "opens"
    sender = replace(ANA, sticky=sticky, **{which: toggle, other: True})
    envelope = replace(
        ENVELOPE,
        identity=Identity(sender=sender, wishes=Wishes(**{which: login})),
        wishes=Wishes(**{which: recipient}),
    )
    planned = plan(envelope, sender, Wishes(**{which: header}))
    [copy] = planned.copies
    assert getattr(copy, which) is tracked
    assert getattr(copy, other) is True
    assert getattr(planned.remember, which) is (remembered if sticky else None)
    assert getattr(planned.remember, other) is None


@pytest.mark.parametrize(
    ("sticky", "wishes", "remember"),
    [
        (True, Wishes(), Wishes()),
        (True, Wishes(opens=True, clicks=False), Wishes()),  # as it is already
        (True, Wishes(opens=False), Wishes(opens=False)),
        (True, Wishes(opens=True, clicks=True), Wishes(clicks=True)),
        (False, OFF, Wishes()),
    ],
)
def test_what_is_remembered(sticky: bool, wishes: Wishes, remember: Wishes) -> None:
    assert plan(ENVELOPE, replace(ANA, sticky=sticky), wishes).remember == remember
