"""Whose wish wins, as a table: the message's own, then the sender's toggles."""

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
