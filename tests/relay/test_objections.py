"""Nobody is tracked against their will, and everybody gets exactly one copy."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.consent import MODES, Decisions, Kind, Mode, Objected, Objection
from collector.senders import Sender
from relay.content import Content
from relay.envelope import Client, Envelope, Identity, Recipient, Wishes
from relay.objections import heed, untrack
from relay.policy import MAX_OCTETS, Plan, plan

ANA = Sender(1, "ana", ("ana@x.org",), opens=True, clicks=True, sticky=True, enabled=True)
EACH = replace(ANA, per_recipient=True)
BOB, EVE, KIM, DAN = b"bob@x.org", b"eve@x.org", b"kim@x.org", b"dan@x.org"
# Eve minds opens, Kim minds clicks, Dan minds both.
NO: dict[tuple[str, Kind], bool] = {
    ("eve@x.org", "open"): False,
    ("kim@x.org", "click"): False,
    ("dan@x.org", "open"): False,
    ("dan@x.org", "click"): False,
}


def to(*addresses: bytes) -> Envelope:
    return Envelope(
        identity=Identity(sender=ANA),
        mail_from=b"ana@x.org",
        parameters={},
        recipients=tuple(Recipient(each, {}, n) for n, each in enumerate(addresses, 1)),
        content=Content.of(b""),
        client=Client("::1", b"a"),
        received_at_ms=0,
    )


def heeded(
    envelope: Envelope,
    sender: Sender = ANA,
    known: dict[tuple[str, Kind], bool] = NO,
    mode: Mode = "unless-refused",
    size: int = 0,
) -> Plan:
    return heed(plan(envelope, sender, Wishes()), Decisions(mode, known), size)


def copies(planned: Plan) -> list[tuple[list[int], int, bool, bool]]:
    """Of each: whose it is, which recipient its hits tell, and what is tracked."""
    return [
        ([who.ordinal for who in each.recipients], each.recipient, each.opens, each.clicks)
        for each in planned.copies
    ]


def test_a_shared_mail_becomes_four_copies_at_most() -> None:
    planned = heeded(to(BOB, EVE, KIM, DAN, b"Eve@X.org", b"ada@x.org"))
    assert copies(planned) == [
        ([1, 6], 0, True, True),
        ([2, 5], 0, False, True),
        ([3], 0, True, False),
        ([4], 0, False, False),
    ]
    assert set(planned.objected) == {
        Objected(2, "open", "refused"),
        Objected(3, "click", "refused"),
        Objected(4, "open", "refused"),
        Objected(4, "click", "refused"),
        Objected(5, "open", "refused"),
    }
    assert planned.reason is None
    assert planned.is_recorded


def test_of_copies_for_each_those_with_nothing_of_ours_are_one() -> None:
    planned = heeded(to(DAN, BOB, b"Dan@X.org", EVE, b"bob@X.org"), EACH)
    assert copies(planned) == [
        ([1, 3], 0, False, False),
        ([2, 5], 2, True, True),
        ([4], 4, False, True),
    ]


def test_what_the_sender_does_not_track_nobody_objects_to() -> None:
    clicks_alone = replace(ANA, opens=False)
    assert heeded(to(BOB, EVE), clicks_alone) == plan(to(BOB, EVE), clicks_alone, Wishes())
    planned = heeded(to(BOB, DAN), clicks_alone)
    assert copies(planned) == [([1], 0, False, True), ([2], 0, False, False)]
    assert planned.objected == (Objected(2, "click", "refused"),)


@pytest.mark.parametrize("sender", [ANA, EACH], ids=["shared", "each"])
@pytest.mark.parametrize(
    ("addresses", "mode", "reason"),
    [
        ([DAN], "unless-refused", "its recipient has refused it"),
        ([DAN, b"dan@X.org"], "unless-refused", "its recipients have refused it"),
        ([BOB], "only-consented", "its recipient has not agreed to it"),
        (
            [BOB, DAN],
            "only-consented",
            "its recipients have refused it or not agreed to it",
        ),
    ],
)
def test_where_nobody_may_be_tracked_the_record_says_so(
    sender: Sender, addresses: list[bytes], mode: Mode, reason: str
) -> None:
    planned = heeded(to(*addresses), sender, mode=mode)
    assert copies(planned) == [(list(range(1, len(addresses) + 1)), 0, False, False)]
    assert planned.reason == reason
    assert planned.is_recorded
    assert planned.copies[0].may_change  # quotes are mended all the same


@pytest.mark.parametrize("mode", ["always", "unless-refused"])
def test_a_plan_that_nobody_objects_to_is_the_plan(mode: Mode) -> None:
    before = plan(to(BOB, EVE), ANA, Wishes())
    known: dict[tuple[str, Kind], bool] = {} if mode == "unless-refused" else NO
    assert heed(before, Decisions(mode, known), 0) is before


def test_what_would_be_too_much_is_not_tracked() -> None:
    planned = heeded(to(BOB, EVE, DAN), size=MAX_OCTETS // 3 + 1)
    assert copies(planned) == [([1, 2, 3], 0, False, False)]
    assert planned.reason == "some recipients object, and it is too large for 3 copies"
    assert len(heeded(to(BOB, EVE, DAN), size=MAX_OCTETS // 3).copies) == 3


def test_what_is_not_known_is_not_tracked_and_not_recorded() -> None:
    planned = untrack(plan(to(EVE, BOB), EACH, Wishes()), "who knows")
    assert copies(planned) == [([1, 2], 0, False, False)]
    assert planned.reason == "who knows"
    assert not planned.is_recorded


addresses = st.sampled_from([BOB, EVE, KIM, DAN, b"DAN@X.org", b"ada@x.org"])
decided = st.dictionaries(
    st.tuples(
        st.sampled_from(["bob@x.org", "eve@x.org", "kim@x.org", "dan@x.org"]),
        st.sampled_from(["open", "click"]),
    ),
    st.booleans(),
)


@given(
    st.lists(addresses, min_size=1, max_size=8),
    st.sampled_from(MODES),
    decided,
    st.booleans(),
    st.booleans(),
)
def test_everybody_gets_one_copy_and_nobody_one_they_mind(
    some: list[bytes],
    mode: Mode,
    known: dict[tuple[str, Kind], bool],
    per_recipient: bool,
    opens: bool,
) -> None:
    envelope, decisions = to(*some), Decisions(mode, known)
    sender = replace(ANA, per_recipient=per_recipient, opens=opens)
    planned = heed(plan(envelope, sender, Wishes()), decisions, 0)
    everybody = [who for copy in planned.copies for who in copy.recipients]
    assert sorted(everybody, key=lambda who: who.ordinal) == list(envelope.recipients)
    told: dict[tuple[int, Kind], Objection] = {
        (each.recipient, each.kind): each.objection for each in planned.objected
    }
    for copy in planned.copies:
        assert (copy.reason is None) is (copy.opens or copy.clicks)
        assert copy.recipient == 0 or copy.recipient == min(who.ordinal for who in copy.recipients)
        for who in copy.recipients:
            for kind, wished, done in (("open", opens, copy.opens), ("click", True, copy.clicks)):
                against = decisions.objection(who.text, kind)  # type: ignore[arg-type]
                assert done is (wished and against is None)
                assert told.get((who.ordinal, kind)) == (against if wished else None)  # type: ignore[call-overload]
