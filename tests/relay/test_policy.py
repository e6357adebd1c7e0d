"""Whose wish wins, as a table: the most restrictive of the message's, then the sender's toggles.

And who gets which copy: everybody exactly one.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.senders import Sender
from relay.content import Content
from relay.controls import OFF
from relay.envelope import Client, Envelope, Identity, Recipient, Wishes
from relay.policy import MAX_COPIES, MAX_OCTETS, plan

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


@pytest.mark.parametrize(
    ("header", "recipient", "login", "origin"),
    [
        (None, None, None, "setting"),
        (True, None, None, "header"),
        (None, True, None, "address"),
        (None, None, True, "login"),
        (True, True, True, "header"),  # all the same: the first that said so
        (True, False, None, "address"),
        (True, True, False, "login"),
        (False, None, True, "header"),
    ],
)
@pytest.mark.parametrize("which", ["opens", "clicks"])
def test_it_is_noted_who_decided(
    header: bool | None, recipient: bool | None, login: bool | None, origin: str, which: str
) -> None:
    other = "clicks" if which == "opens" else "opens"
    sender = replace(ANA, opens=True, clicks=True)
    envelope = replace(
        ENVELOPE,
        identity=Identity(sender=sender, wishes=Wishes(**{which: login}).by("login")),
        wishes=Wishes(**{which: recipient}).by("address"),
    )
    wished = plan(envelope, sender, Wishes(**{which: header}).by("header")).wished
    assert getattr(wished, f"{which}_from") == origin
    assert getattr(wished, which) is (False not in (header, recipient, login))
    assert (getattr(wished, other), getattr(wished, f"{other}_from")) == (True, "setting")


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


# --- copies ---------------------------------------------------------------------------------------

EACH = replace(ANA, per_recipient=True)


def to(*addresses: bytes, size: int = 0) -> Envelope:
    recipients = (Recipient(address, {}, n) for n, address in enumerate(addresses, 1))
    return replace(ENVELOPE, recipients=tuple(recipients), content=Content(b"", bytes(size)))


@pytest.mark.parametrize(
    ("addresses", "copies"),
    [
        ((b"bob@x.org",), [(1, {1})]),  # also of one alone: nobody is to see that there are others
        ((b"bob@x.org", b"eve@x.org"), [(1, {1}), (2, {2})]),
        ((b"bob@x.org", b"eve@x.org", b"bob@X.Org"), [(1, {1, 3}), (2, {2})]),
        ((b"bob@x.org", b"Bob@x.org"), [(1, {1}), (2, {2})]),  # may be two people: RFC 5321 §2.4
        ((b"postmaster", b"postmaster", b"a@b@x.org"), [(1, {1, 2}), (3, {3})]),
    ],
)
def test_a_copy_for_each(addresses: tuple[bytes, ...], copies: list[tuple[int, set[int]]]) -> None:
    planned = plan(to(*addresses), EACH, Wishes())
    found = [(each.recipient, {who.ordinal for who in each.recipients}) for each in planned.copies]
    assert found == copies
    assert planned.shared_reason is None
    assert all(
        (each.opens, each.clicks, each.reason) == (True, False, None) for each in planned.copies
    )


@pytest.mark.parametrize(
    ("envelope", "sender", "wishes"),
    [
        (to(b"bob@x.org", b"eve@x.org"), ANA, Wishes()),
        (to(b"bob@x.org", b"eve@x.org"), EACH, OFF),
        (to(b"bob@x.org", b"eve@x.org"), replace(EACH, opens=False), Wishes()),
        (replace(to(b"bob@x.org", b"eve@x.org"), mail_from=b""), EACH, Wishes()),
    ],
)
def test_one_copy_where_it_tells_nothing(
    envelope: Envelope, sender: Sender, wishes: Wishes
) -> None:
    planned = plan(envelope, sender, wishes)
    [copy] = planned.copies
    assert (copy.recipients, copy.recipient) == (envelope.recipients, 0)
    assert planned.shared_reason is None


@pytest.mark.parametrize(
    ("recipients", "size", "reason"),
    [
        (MAX_COPIES, 10, None),
        (MAX_COPIES + 1, 10, "more than 100 recipients"),
        (4, MAX_OCTETS // 4, None),
        (4, MAX_OCTETS // 4 + 1, "too large for 4 copies"),
        (1, MAX_OCTETS + 1, None),
    ],
)
def test_too_much_is_shared_and_says_so(recipients: int, size: int, reason: str | None) -> None:
    addresses = [b"%d@x.org" % number for number in range(recipients)]
    envelope = to(*addresses, *addresses[:1], size=size)
    planned = plan(envelope, EACH, Wishes())
    assert planned.shared_reason == reason
    assert len(planned.copies) == (1 if reason else recipients)
    if reason:
        assert planned.copies[0].recipients == envelope.recipients
        assert planned.copies[0].recipient == 0


some = st.builds(
    b"%b@%b".__mod__,
    st.tuples(st.sampled_from([b"a", b"A", b"b", b'"a b"']), st.sampled_from([b"x.y", b"X.y"])),
)


@given(st.lists(some | st.binary(min_size=1, max_size=3), min_size=1, max_size=12), st.booleans())
def test_everybody_gets_exactly_one(addresses: list[bytes], per_recipient: bool) -> None:
    envelope = to(*addresses)
    copies = plan(envelope, replace(ANA, per_recipient=per_recipient), Wishes()).copies
    everybody = [who for copy in copies for who in copy.recipients]
    assert sorted(everybody, key=lambda who: who.ordinal) == list(envelope.recipients)
    for copy in copies:
        ordinals = [who.ordinal for who in copy.recipients]
        assert copy.recipient == (min(ordinals) if per_recipient else 0)
        assert not per_recipient or len({who.address.lower() for who in copy.recipients}) == 1
