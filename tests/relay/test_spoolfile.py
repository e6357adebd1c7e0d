"""A message's file in the spool: what is written is read again, and damage is seen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.envelope import Deferred, Delivered, Outcome, Recipient, Refused, Unreached, Withheld
from relay.spoolfile import (
    DamagedFile,
    Entry,
    Event,
    Got,
    Held,
    NewerFile,
    Outline,
    Released,
    State,
    Told,
    Tried,
    read_log,
    read_preamble,
    write_event,
    write_mail,
    write_preamble,
)

ADDRESSES = {1: b"ana@example.com", 2: "\u00fcmit@example.com".encode(), 3: b'"a b"@example.com'}
TIMES = st.integers(0, 2**48)
ORDINALS = st.sets(st.sampled_from(sorted(ADDRESSES)), min_size=1).map(lambda of: tuple(sorted(of)))


def entry(**changes: object) -> Entry:
    everyone = tuple(Recipient(address, {}, n) for n, address in ADDRESSES.items())
    first = Outline(size=11, head=4, crc=7, is_ascii=True, recipients=everyone[:1])
    second = Outline(size=20, head=20, crc=2**32 - 1, is_ascii=False, recipients=everyone[1:])
    made = Entry(
        id=2**63 + 1,
        sender_id=3,
        login="ana@example.com",
        received_at_ms=1_764_000_000_000,
        mail_from=b"ana@example.com",
        parameters={},
        route=b"ana@example.com",
        tracked=True,
        copies=(first, second),
        state=State(pending=frozenset(ADDRESSES), next_ms=5),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    ordinal = draw(st.sampled_from(sorted(ADDRESSES)))
    kind = draw(st.sampled_from([Delivered, Deferred, Unreached, Refused]))
    return kind(
        recipient=ADDRESSES[ordinal],
        code=draw(st.integers(200, 599)),
        enhanced=draw(st.sampled_from(["", "5.1.1"])),
        text=draw(st.binary(max_size=20)),
        ordinal=ordinal,
        host=draw(st.text(max_size=10)),
    )


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Tried, TIMES, TIMES),
    st.builds(Got, st.lists(outcomes(), max_size=4).map(tuple), TIMES, TIMES),
    st.builds(Told, ORDINALS, st.sampled_from(["failed", "expired", "delayed", "relayed"]), TIMES),
    st.builds(Held, st.text(max_size=20), TIMES),
    st.builds(Released, TIMES, TIMES),
)
LOGS = st.lists(EVENTS, max_size=8)


def written(events: list[Event], of: Entry) -> list[bytes]:
    return [b"\n" + write_mail(of), *map(write_event, events)]


def state_after(events: list[Event], of: Entry) -> Entry:
    for event in events:
        of = of.after(event)
    return of


@given(
    LOGS,
    st.dictionaries(st.binary(max_size=5), st.none() | st.binary(max_size=5), max_size=3),
    st.binary(max_size=40),
    st.none() | st.binary(min_size=1, max_size=40),
)
def test_what_is_written_is_read(
    events: list[Event], parameters: dict[bytes, bytes | None], octets: bytes, sealed: bytes | None
) -> None:
    made = entry(parameters=parameters, mail_from=octets, route=octets, sealed=sealed)
    log = b"".join(written(events, made))
    assert read_log(log, made.size) == (state_after(events, made), len(log))


@given(LOGS, st.data())
def test_a_torn_end_never_happened(events: list[Event], data: st.DataObject) -> None:
    lines = written(events, entry())
    log = b"".join(lines)
    cut = data.draw(st.integers(len(lines[0]), len(log)))
    whole = 1
    while whole < len(lines) and len(b"".join(lines[: whole + 1])) <= cut:
        whole += 1
    read, end = read_log(log[:cut], entry().size)
    assert read == state_after(events[: whole - 1], entry())
    assert end == len(b"".join(lines[:whole]))


@given(LOGS.filter(bool), st.data())
def test_a_flipped_bit_is_never_believed(events: list[Event], data: st.DataObject) -> None:
    """Before the last line it is damage; in it, the line never happened."""
    lines = written(events, entry())
    log = bytearray(b"".join(lines))
    place = data.draw(st.integers(0, len(log) - 1))
    log[place] ^= 1 << data.draw(st.integers(0, 7))
    before = state_after(events[:-1], entry())
    if place < len(log) - len(lines[-1]):
        try:
            read, _ = read_log(bytes(log), entry().size)
        except DamagedFile:
            return
        # an LF that went made one line of the last two: neither happened
        assert read == state_after(events[:-2], entry())
    else:
        assert read_log(bytes(log), entry().size)[0] == before


@given(LOGS, LOGS)
def test_what_is_settled_stays_settled(events: list[Event], more: list[Event]) -> None:
    first, later = state_after(events, entry()).state, state_after(events + more, entry()).state
    assert later.pending <= first.pending
    assert later.told >= first.told
    for ordinal in set(ADDRESSES) - first.pending:
        if ordinal in first.latest:
            assert later.latest[ordinal] == first.latest[ordinal]
    assert later.is_settled or not first.is_settled


def test_attempts_are_those_that_upstream_answered_for_the_mail() -> None:
    not_now = Deferred(recipient=b"", code=451, ordinal=1)
    away = Unreached(recipient=b"", code=451, ordinal=1)
    state = State(pending=frozenset({1, 2}))
    for event in [Tried(1, 2), Got((not_now,), 1, 2), Tried(3, 4), Got((away,), 3, 4), Tried(5, 6)]:
        state = state.after(event)
    assert (state.attempts, state.breaks, state.trying) == (1, 1, True)
    assert state.latest[1] == away


def test_the_refused_are_owed_a_report_until_it_is_told() -> None:
    state = State(pending=frozenset({1, 2}))
    refused = Refused(recipient=b"", code=550, ordinal=1)
    state = state.after(Got((refused, Delivered(recipient=b"", code=250, ordinal=2)), 1, 2))
    assert (state.pending, state.owed, state.is_settled) == (frozenset(), {1}, False)
    assert state.after(Told((1,), "failed", 2)).is_settled


def test_the_expired_are_pending_no_more() -> None:
    state = State(pending=frozenset({1, 2})).after(Told((2,), "expired", 9))
    assert state.pending == {1}
    assert not state.owed


def test_a_delay_is_told_once_and_settles_nobody() -> None:
    state = State(pending=frozenset({1})).after(Told((1,), "delayed", 9))
    assert state.delay_told
    assert state.pending == {1}


def test_releasing_forgets_the_breaks() -> None:
    state = State(pending=frozenset({1}))
    for event in [Tried(1, 1), Tried(2, 2), Tried(3, 3), Held("it broke three times", 4)]:
        state = state.after(event)
    assert (state.held, state.breaks) == ("it broke three times", 3)
    assert state.after(Released(5, 5)) == State(pending=frozenset({1}), next_ms=5)


def test_the_withheld_are_not_written() -> None:
    line = write_event(Got((Withheld(recipient=b"", code=250, ordinal=1),), 1, 2))
    assert read_log(b"\n" + write_mail(entry()) + line, entry().size)[0].state.latest == {}


def test_the_preamble() -> None:
    assert write_preamble(62_011) == b"letterbell-spool 1 000000062011\n"
    assert read_preamble(write_preamble(62_011)) == 62_011


@pytest.mark.parametrize(
    "octets", [b"", b"\0" * 32, b"letterbell-spool 1 ", b"letterbell-spool 1 00000006201x\n"]
)
def test_a_damaged_preamble(octets: bytes) -> None:
    with pytest.raises(DamagedFile):
        read_preamble(octets)


@pytest.mark.parametrize("octets", [b"letterbell-spool 2 whatever", b"letterbell-spool 12 \n"])
def test_a_later_version_is_no_damage(octets: bytes) -> None:
    with pytest.raises(NewerFile):
        read_preamble(octets)


@pytest.mark.parametrize(
    "log",
    [
        b"",
        b"\n",
        b"x" + write_mail(entry()),
        b"\n" + write_event(Tried(1, 2)),
        b"\n" + write_mail(entry()) + write_mail(entry()),
        b"\n" + write_mail(entry(copies=())),
    ],
)
def test_what_is_no_log(log: bytes) -> None:
    with pytest.raises(DamagedFile):
        read_log(log, entry().size)


def test_sealed_credentials_do_not_print() -> None:
    assert "secret" not in repr(entry(sealed=b"secret"))
