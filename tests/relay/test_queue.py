"""Mail in our custody until it is settled: on a real spool, with a clock that is turned."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from custodies import BOB, EVE, START_MS, House, copies, outgoing, saying, taken
from relays import until
from structlog.testing import capture_logs

from collector.tokens import Key
from collector.waiting import Waiting
from relay.credentials import Password
from relay.envelope import Copy, Deferred, Delivered, Outcome, Refused, Relayed, Withheld
from relay.schedule import Pace
from relay.spool import SpoolError
from relay.spoolfile import Got, Tried

BUSY = Deferred(recipient=BOB, code=451, enhanced="4.2.1", text=b"busy", ordinal=1)
GONE = Refused(recipient=EVE, code=550, enhanced="5.1.1", text=b"no eve", ordinal=2)
HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def open_house(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(*arguments: Any, **named: Any) -> AsyncIterator[House]:
        house = House(tmp_path, *arguments, **named)
        try:
            yield house
        finally:
            await house.close()

    return opened


def recipients(copies: list[Copy]) -> list[list[int]]:
    return [[each.ordinal for each in copy.recipients] for copy in copies]


async def test_what_is_taken_is_gone(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        await house.take(outgoing(1))
        await house.rest()
        assert recipients(house.lane.attempts) == [[1]]
        assert not house.spool.entries
        assert [entry.state.pending for entry in house.recorded] == [frozenset()]
        assert isinstance(house.recorded[0].state.latest[1], Delivered)
        assert house.reports.told == []


async def test_each_recipient_fares_alone(open_house: Callable[..., Any]) -> None:
    """One is busy, one is gone, one gets it: each is settled once, and nobody twice."""
    async with open_house(saying(BUSY, GONE)) as house:
        await house.take(outgoing(1, BOB, EVE, b"joe@example.org"))
        await house.rest()
        assert house.reports.told == [(1, [2], "failed")]
        house.lane.answer = taken
        await house.pass_time(HOUR)
        to_bob = [copy for copy in house.lane.attempts if copy.mail_from]
        assert recipients(to_bob) == [[1, 2, 3], [1]]
        assert len(house.lane.attempts) == 3  # and the report
        assert not house.spool.entries


async def test_waits_double_from_five_minutes_to_an_hour(open_house: Callable[..., Any]) -> None:
    times: list[float] = []
    async with open_house() as house:

        def busy(copy: Copy) -> tuple[Outcome, ...]:
            times.append(house.clock.now)
            return (BUSY,)

        house.lane.answer = busy
        house.reports.wanted = False
        await house.take(outgoing(1))
        await house.pass_time(5 * DAY + HOUR)
        assert not house.spool.entries
    waits = [later - earlier for earlier, later in pairwise(times)]
    for expected, wait in zip([300, 600, 1200, 2400, *[3600] * 200], waits, strict=False):
        assert 0.85 * expected <= wait <= 1.15 * expected
    assert 110 < len(times) < 140


async def test_at_the_end_the_sender_is_told_once(open_house: Callable[..., Any]) -> None:
    async with open_house(saying(BUSY)) as house:
        house.reports.wanted = False
        await house.take(outgoing(1))
        await house.pass_time(4 * HOUR - 600)
        assert house.reports.told == []
        await house.pass_time(700)
        assert house.reports.told == [(1, [1], "delayed")]
        await house.pass_time(5 * DAY)
        assert house.reports.told == [(1, [1], "delayed"), (1, [1], "expired")]
        assert not house.spool.entries
        assert house.recorded[-1].state.pending == frozenset()


async def test_a_delay_that_was_told_is_not_told_again(open_house: Callable[..., Any]) -> None:
    async with open_house(saying(BUSY)) as house:
        await house.take(outgoing(1))
        await house.pass_time(5 * HOUR)
        assert house.reports.told == [(1, [1], "delayed")]
        await house.reopen()
        await house.pass_time(5 * HOUR)
        assert house.reports.told == [(1, [1], "delayed")]


async def test_a_report_leaves_and_nobody_is_told_of_it(open_house: Callable[..., Any]) -> None:
    async with open_house(saying(replace(GONE, ordinal=1), reports_too=True)) as house:
        await house.take(outgoing(1))
        await house.rest()
        assert [copy.mail_from for copy in house.lane.attempts] == [b"ana@example.com", b""]
        assert [told[0] for told in house.reports.told] == [1, 1 + 2**32]
        assert not house.spool.entries


async def test_a_kill_behind_the_report_makes_no_third(open_house: Callable[..., Any]) -> None:
    """The report is in custody before its line is written: at worst there are two."""
    async with open_house(saying(replace(GONE, ordinal=1))) as house:
        note = house.spool.note

        async def killed(message_id: int, event: Any) -> Any:
            if not isinstance(event, Got | Tried):
                raise SpoolError("killed", "")
            return await note(message_id, event)

        house.spool.note = killed
        await house.take(outgoing(1))
        await house.rest()
        assert house.spool.entries[1].state.owed == {1}
        await house.reopen()
        await house.pass_time(HOUR)
        assert [told[:2] for told in house.reports.told if told[0] == 1] == [(1, [1])] * 2
        assert not house.spool.entries


async def test_away_for_a_day_with_ten_thousand(open_house: Callable[..., Any]) -> None:
    """One probe at a time, however many wait; and when it is back, all of them, without a herd."""
    async with open_house() as house:
        house.lane.away = True
        house.reports.wanted = False
        for number in range(10_000):
            await house.take(outgoing(number))
        await house.pass_time(DAY)
        assert len(house.lane.attempts) <= 300
        assert house.lane.most_at_once <= house.lane.width
        assert len(house.spool.entries) == 10_000
        tried = {entry.state.attempts for entry in house.spool.entries.values()}
        assert tried == {0}  # upstream's absence is not counted against any mail
        assert {told[2] for told in house.reports.told} == {"delayed"}
        house.lane.away = False
        before = len(house.lane.attempts)
        await house.pass_time(301)
        assert not house.spool.entries
        assert len(house.lane.attempts) == before + 10_000
        assert 1 < house.lane.most_at_once <= house.lane.width


async def test_an_upstream_that_stays_away_is_an_alarm(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        house.lane.away = True
        await house.take(outgoing(1))
        await house.pass_time(240)
        assert house.alarms.sounding == {}
        await house.pass_time(600)
        assert "mx.example.org:25" in house.alarms.sounding["upstream"]
        house.lane.away = False
        await house.pass_time(301)
        assert house.alarms.sounding == {}


async def test_what_waits_is_told_in_numbers(open_house: Callable[..., Any]) -> None:
    async with open_house(saying(BUSY)) as house:
        house.reports.wanted = False
        assert await house.queue.waiting() == ()
        await house.take(outgoing(1, received_at_ms=START_MS - 5_000))
        await house.take(outgoing(2))
        await house.rest()
        [waits] = await house.queue.waiting()
        assert waits == Waiting(
            upstream="mx.example.org:25",
            count=2,
            held=0,
            oldest_ms=START_MS - 5_000,
            is_away=False,
        )
        assert await house.queue.hold(1)
        house.lane.away = True
        await house.pass_time(HOUR)
        [waits] = await house.queue.waiting()
        assert (waits.count, waits.held, waits.is_away) == (2, 1, True)


async def test_what_waits_is_hurried(open_house: Callable[..., Any]) -> None:
    async with open_house(saying(BUSY)) as house:
        house.reports.wanted = False
        for number in (1, 2, 3):
            await house.take(outgoing(number))
        await house.rest()
        assert await house.queue.hold(3)
        assert house.queue.hurry("elsewhere:25") == 0
        await house.rest()
        assert len(house.lane.attempts) == 3
        house.lane.answer = taken
        assert house.queue.hurry("mx.example.org:25") == 2
        await house.rest()
        assert list(house.spool.entries) == [3]


async def test_an_upstream_that_is_away_is_looked_for_at_once(
    open_house: Callable[..., Any],
) -> None:
    async with open_house() as house:
        house.lane.away = True
        await house.take(outgoing(1))
        await house.pass_time(HOUR)
        before = len(house.lane.attempts)
        house.lane.away = False
        await house.pass_time(10)
        assert len(house.lane.attempts) == before
        house.queue.hurry("mx.example.org:25")
        await house.rest()
        assert not house.spool.entries


async def test_each_probe_is_another_mail(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        house.lane.away = True
        for number in (1, 2, 3):
            await house.take(outgoing(number, b"%d@example.org" % number))
        await house.pass_time(HOUR)
        probes = [copy.recipients[0].address for copy in house.lane.attempts[-6:]]
        assert len(set(probes[:3])) == 3
        assert probes[:3] == probes[3:]


async def test_a_probe_that_is_not_ours_leaves_nobody_waiting(
    open_house: Callable[..., Any],
) -> None:
    """A mail whose client waits is the probe when ours is due; it fails, and nobody wakes us."""
    async with open_house() as house:
        house.lane.away = True
        await house.take(outgoing(1))
        await house.rest()
        house.lane.gate.clear()
        inline = asyncio.create_task(house.lane.send(outgoing(2).copies[0]))
        await asyncio.sleep(0)
        await house.pass_time(6)
        for _ in range(10):  # the queue looks, and lies down again
            await asyncio.sleep(0)
        house.lane.gate.set()
        await inline
        assert house.clock.alarm is not None
        assert house.clock.alarm <= house.clock.now + 10  # not only when the mail grows old
        house.lane.away = False
        await house.pass_time(60)
        assert not house.spool.entries


@pytest.mark.parametrize("jump", [3600, -7200, 30 * 86_400, -400 * 86_400])
@pytest.mark.parametrize("restart", [False, True])
async def test_a_clock_that_jumps_loses_nothing(
    open_house: Callable[..., Any], jump: int, restart: bool
) -> None:
    """Nothing ends early for it, nothing waits for ever, nothing storms."""
    async with open_house(saying(BUSY)) as house:
        await house.take(outgoing(1))
        await house.pass_time(HOUR)
        before = len(house.lane.attempts)
        house.clock.jump_ms = 1000 * jump
        if restart:
            await house.reopen()
        house.lane.answer = taken
        await house.pass_time(1.2 * HOUR)
        assert before + 1 == len(house.lane.attempts)
        assert not house.spool.entries
        assert "expired" not in [told[2] for told in house.reports.told]


async def test_too_old_at_the_start_is_tried_for_an_hour(open_house: Callable[..., Any]) -> None:
    """The clock may not be right yet, and upstream not up."""
    async with open_house(saying(BUSY)) as house:
        await house.take(outgoing(1, received_at_ms=0))
        house.reports.wanted = False
        await house.pass_time(HOUR - 60)
        assert "expired" not in [told[2] for told in house.reports.told]
        before = len(house.lane.attempts)
        assert before > 2
        await house.pass_time(HOUR)
        assert house.reports.told[-1] == (1, [1], "expired")
        assert not house.spool.entries


async def test_a_clock_that_is_set_right_saves_what_looked_too_old(
    open_house: Callable[..., Any],
) -> None:
    async with open_house(saying(BUSY)) as house:
        house.clock.jump_ms = 30 * 86_400_000
        await house.take(outgoing(1))
        await house.pass_time(600)
        house.clock.jump_ms = 0
        await house.pass_time(4 * DAY)
        assert "expired" not in [told[2] for told in house.reports.told]
        await house.pass_time(DAY)
        assert "expired" in [told[2] for told in house.reports.told]


async def test_too_old_while_upstream_is_away_ends(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        house.lane.away = True
        house.reports.wanted = False
        for number in range(5):
            await house.take(outgoing(number))
        await house.pass_time(5 * DAY + 600)
        assert not house.spool.entries
        assert [told[2] for told in house.reports.told].count("expired") == 5


async def test_what_breaks_three_attempts_is_held_and_the_others_go_on(
    open_house: Callable[..., Any],
) -> None:
    async with open_house() as house:

        def broken(copy: Copy) -> tuple[Outcome, ...]:
            if copy.recipients[0].address == EVE:
                raise RuntimeError("no such thing")
            return taken(copy)

        house.lane.answer = broken
        await house.take(outgoing(1, EVE))
        await house.take(outgoing(2, BOB))
        with capture_logs():
            await house.pass_time(DAY)
        assert [copy.recipients[0].address for copy in house.lane.attempts].count(EVE) == 3
        assert list(house.spool.entries) == [1]
        assert house.spool.entries[1].state.held == "it broke 3 attempts"
        assert "held" in house.alarms.sounding
        house.lane.answer = taken
        assert await house.queue.retry(1)
        await house.rest()
        assert not house.spool.entries
        assert "held" not in house.alarms.sounding


async def test_a_login_whose_key_is_gone_is_no_reason_to_send_by_another(
    open_house: Callable[..., Any],
) -> None:
    """It was passed through, and waits sealed. The relay's own login is not its sender's."""
    async with open_house(saying(BUSY)) as house:
        login = Password(b"ana@example.com", b"up stream secret")
        await house.take(replace(outgoing(1), credentials=login))
        await house.rest()
        assert len(house.lane.attempts) == 1
        key, house.key = house.key, Key(id=2, secret=b"n" * 32)
        with capture_logs():
            await house.reopen()
            await house.pass_time(HOUR)
        assert len(house.lane.attempts) == 1
        assert "tokens.keys" in house.spool.entries[1].state.held
        house.key, house.lane.answer = key, taken
        await house.reopen()
        await house.rest()
        assert await house.queue.retry(1)
        await house.rest()
        assert not house.spool.entries


async def test_three_kills_in_an_attempt_hold_it_as_well(
    open_house: Callable[..., Any],
) -> None:
    async with open_house() as house:
        house.lane.gate.clear()
        await house.spool.put(
            outgoing(1), next_ms=0, events=[Tried(1, 1), Tried(2, 2), Tried(3, 3)]
        )
        with capture_logs():
            await house.reopen()
            await house.rest()
        assert house.lane.attempts == []
        assert house.spool.entries[1].state.held == "3 attempts did not survive it"


async def test_a_stop_waits_and_is_no_fault_of_the_mail(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        house.lane.gate.clear()
        await house.take(outgoing(1))
        await house.until_tried()
        await house.queue.stop(0.01)
        state = house.spool.entries[1].state
        assert (state.trying, state.breaks, state.pending) == (False, 0, {1})
        await house.take(outgoing(2))
        assert len(house.lane.attempts) == 1


async def test_a_stop_lets_attempts_end(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        house.lane.gate.clear()
        await house.take(outgoing(1))
        await house.until_tried()
        asyncio.get_running_loop().call_later(0.01, house.lane.gate.set)
        await house.queue.stop(60)
        assert not house.spool.entries


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_copy_that_was_taken_is_not_sent_again_for_the_others_sake(
    open_house: Callable[..., Any], end: str
) -> None:
    """Many copies take long. Those that were answered are no longer on their way."""
    async with open_house() as house:

        def slow(copy: Copy) -> tuple[Outcome, ...]:
            if copy.recipients[0].ordinal == 2:
                house.lane.gate.clear()
            return taken(copy)

        house.lane.answer = slow
        await house.take(copies(outgoing(1), 4))
        await house.until_tried()
        await until(lambda: len(house.lane.attempts) == 3)
        if end == "stop":
            await house.queue.stop(0.01)
        state = house.spool.entries[1].state
        assert state.pending == {3, 4}
        assert (state.trying, state.breaks) == ((True, 1) if end == "kill" else (False, 0))
        house.lane.gate.set()


async def test_copies_of_one_attempt_count_as_one(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        busy = (1, 3)
        house.lane.answer = saying(*(replace(BUSY, ordinal=ordinal) for ordinal in busy))
        await house.take(copies(outgoing(1), 4))
        await house.rest()
        state = house.spool.entries[1].state
        assert (state.pending, state.attempts, set(state.latest)) == ({1, 3}, 1, {1, 2, 3, 4})


async def test_a_stop_waits_for_what_is_being_noted(open_house: Callable[..., Any]) -> None:
    """Upstream has it, and the store takes its time: it is not sent again by the next process."""
    async with open_house() as house:
        noting, noted = asyncio.Event(), asyncio.Event()

        async def record(entry: Any) -> None:
            noting.set()
            await noted.wait()

        house.custody._record = record
        await house.take(outgoing(1))
        await noting.wait()
        asyncio.get_running_loop().call_later(0.05, noted.set)
        await house.queue.stop(0.01)
        assert not house.spool.entries


@pytest.mark.parametrize("failing", ["note", "load", "done"])
async def test_a_disk_that_fails_is_waited_for(
    open_house: Callable[..., Any], failing: str
) -> None:
    async with open_house() as house:
        work = getattr(house.spool, failing)

        async def fails(*arguments: Any) -> Any:
            raise SpoolError("the disk fails", "mend it")

        setattr(house.spool, failing, fails)
        await house.take(outgoing(1))
        await house.pass_time(HOUR)
        assert "spool" in house.alarms.sounding
        assert len(house.lane.attempts) == (1 if failing == "done" else 0)
        setattr(house.spool, failing, work)
        await house.pass_time(60)
        assert not house.spool.entries
        assert len(house.lane.attempts) == 1
        assert "spool" not in house.alarms.sounding


async def test_a_disk_that_fails_for_long_fills_no_memory(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail's turn comes each half minute then; its age is to be looked at once."""
    async with open_house() as house:

        async def fails(*arguments: Any) -> Any:
            raise SpoolError("the disk fails", "mend it")

        with monkeypatch.context() as broken:
            broken.setattr(house.spool, "note", fails)
            await house.take(outgoing(1))
            await house.pass_time(6 * HOUR)
            assert len(house.queue._ages) == 1


async def test_answers_that_the_disk_did_not_take_are_not_forgotten(
    open_house: Callable[..., Any],
) -> None:
    """Whoever got it does not get it again while this process lives."""
    async with open_house(saying(replace(BUSY, recipient=EVE, ordinal=2))) as house:
        note = house.spool.note

        async def full(message_id: int, event: Any) -> Any:
            if isinstance(event, Got):
                raise SpoolError("full", "make room")
            return await note(message_id, event)

        house.spool.note = full
        await house.take(outgoing(1, BOB, EVE))
        await house.pass_time(HOUR)
        house.spool.note = note
        house.lane.answer = taken
        await house.pass_time(2 * HOUR)
        assert recipients(house.lane.attempts) == [[1, 2], [2]]
        assert not house.spool.entries


async def test_a_damaged_file_is_set_aside_and_told(
    open_house: Callable[..., Any], tmp_path: Path
) -> None:
    async with open_house() as house:
        entry = await house.spool.put(outgoing(1), next_ms=0)
        [path] = (tmp_path / "spool/01").iterdir()
        path.write_bytes(path.read_bytes().replace(b"hello\r\n\r\n", b"hallo\r\n\r\n"))
        with capture_logs():
            house.queue.add(entry)
            await house.rest()
        assert not house.spool.entries
        assert "damaged" in house.alarms.sounding
        assert house.lane.attempts == []


@pytest.mark.parametrize(
    ("outcome", "told", "tried"),
    [
        (Delivered(recipient=BOB, code=250, ordinal=1), [], 0),
        (Relayed(recipient=BOB, code=250, ordinal=1), [(1, [1], "relayed")], 0),
        (replace(GONE, recipient=BOB, ordinal=1), [(1, [1], "failed")], 0),
        (Withheld(recipient=BOB, code=250, ordinal=1), [], 1),
    ],
)
@pytest.mark.parametrize("early", [False, True])
async def test_an_attempt_is_adopted(
    open_house: Callable[..., Any], outcome: Outcome, told: list[Any], tried: int, early: bool
) -> None:
    async with open_house() as house:
        house.reports.wanted = False
        end = asyncio.Event()

        async def attempt() -> tuple[Outcome, ...]:
            await end.wait()
            return (outcome,)

        task = asyncio.create_task(attempt())
        if early:
            end.set()
            await task
        entry = await house.spool.put(outgoing(1), next_ms=0, events=[Tried(1, 2)])
        house.queue.adopt(entry, outgoing(1), task)
        await asyncio.sleep(0)
        assert early or house.spool.entries
        end.set()
        await house.rest()
        assert not house.spool.entries
        assert house.reports.told == told
        assert len(house.lane.attempts) == tried


async def test_whom_upstream_would_have_taken_waits_for_nobody_else(
    open_house: Callable[..., Any],
) -> None:
    """The attempt that was adopted was all or nothing, and one was busy; nothing was sent."""
    async with open_house(saying(BUSY)) as house:

        async def attempt() -> tuple[Outcome, ...]:
            return BUSY, Withheld(recipient=EVE, code=250, ordinal=2)

        mail = outgoing(1, BOB, EVE)
        entry = await house.spool.put(mail, next_ms=0, events=[Tried(1, 2)])
        house.queue.adopt(entry, mail, asyncio.create_task(attempt()))
        await house.rest()
        assert recipients(house.lane.attempts) == [[1, 2]]
        assert house.spool.entries[1].state.pending == {1}


async def test_an_adopted_attempt_ends_with_the_process(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:

        async def attempt() -> tuple[Outcome, ...]:
            await asyncio.Event().wait()
            return ()

        task = asyncio.create_task(attempt())
        entry = await house.spool.put(outgoing(1), next_ms=0, events=[Tried(1, 2)])
        house.queue.adopt(entry, outgoing(1), task)
        await asyncio.sleep(0)
        await house.queue.stop(0.01)
        assert task.cancelled()
        assert house.spool.entries[1].state.breaks == 0


async def test_the_operator_holds_retries_and_removes(open_house: Callable[..., Any]) -> None:
    async with open_house(saying(BUSY)) as house:
        house.reports.wanted = False
        await house.take(outgoing(1))
        await house.rest()
        assert await house.queue.hold(1)
        await house.pass_time(DAY)
        assert len(house.lane.attempts) == 1
        await house.reopen()
        await house.pass_time(DAY)
        assert len(house.lane.attempts) == 1
        assert await house.queue.retry(1)
        await house.rest()
        assert len(house.lane.attempts) == 2
        assert await house.queue.remove(1, silent=False)
        assert house.reports.told[-1] == (1, [1], "failed")
        assert not house.spool.entries
        with pytest.raises(KeyError):
            await house.queue.retry(1)


async def test_a_retry_is_a_look_at_an_upstream_that_is_away(
    open_house: Callable[..., Any],
) -> None:
    """Who has mended it does not wait for the next probe; who orders it for all makes no storm."""
    async with open_house() as house:
        house.lane.away = True
        house.reports.wanted = False
        for number in range(20):
            await house.take(outgoing(number))
        await house.pass_time(HOUR)
        before = len(house.lane.attempts)
        for number in range(20):
            await house.queue.retry(number)
            await house.rest()
        assert len(house.lane.attempts) == before + 1
        await house.pass_time(12)
        house.lane.away = False
        assert await house.queue.retry(7)
        await house.rest()
        assert not house.spool.entries


async def test_an_order_that_the_disk_refuses_is_told_and_done_later(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(saying(BUSY)) as house:
        await house.take(outgoing(1))
        await house.rest()

        async def fails(*arguments: Any) -> Any:
            raise SpoolError("the disk fails", "mend it")

        with monkeypatch.context() as broken:
            broken.setattr(house.spool, "note", fails)
            with pytest.raises(SpoolError):
                await house.queue.hold(1)
        assert "spool" in house.alarms.sounding
        await house.pass_time(DAY)
        assert house.spool.entries[1].state.held == "by the operator"
        assert "spool" not in house.alarms.sounding
        assert len(house.lane.attempts) == 1


@pytest.mark.parametrize("silent", [False, True])
async def test_what_is_removed_never_leaves_though_the_disk_refuses(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """A full disk: what was held is not released by the order to remove it."""
    async with open_house(saying(BUSY)) as house:
        house.reports.wanted = False
        await house.take(outgoing(1))
        await house.rest()
        await house.queue.hold(1)

        async def fails(*arguments: Any) -> Any:
            raise SpoolError("the disk is full", "make room")

        with monkeypatch.context() as broken:
            broken.setattr(house.spool, "note", fails)
            if silent:  # there is nothing to be written: its file goes
                assert await house.queue.remove(1, silent=True)
            else:
                with pytest.raises(SpoolError):
                    await house.queue.remove(1, silent=False)
        house.lane.answer = taken
        await house.pass_time(DAY)
        assert len(house.lane.attempts) == 1
        assert house.reports.told == ([] if silent else [(1, [1], "failed")])
        assert not house.spool.entries


async def test_removed_silently_nobody_is_told(open_house: Callable[..., Any]) -> None:
    async with open_house(saying(BUSY)) as house:
        await house.take(outgoing(1))
        await house.rest()
        assert await house.queue.remove(1, silent=True)
        assert house.reports.told == []
        assert not house.spool.entries
        assert isinstance(house.recorded[-1].state.latest[1], Refused)


async def test_what_is_at_work_is_left_alone(open_house: Callable[..., Any]) -> None:
    async with open_house() as house:
        house.lane.gate.clear()
        await house.take(outgoing(1))
        await house.until_tried()
        assert not await house.queue.hold(1)
        assert not await house.queue.remove(1, silent=True)
        assert not await house.queue.retry(1)
        house.lane.gate.set()


async def test_mail_goes_where_the_routes_of_now_say(
    open_house: Callable[..., Any],
) -> None:
    async with open_house() as house:
        house.lane.away = True
        old = house.lane
        for number in range(3):
            await house.take(outgoing(number))
        await house.pass_time(60)
        house.lane = type(old)(house.clock, taken)
        house.queue.reroute()
        await house.rest()
        assert len(house.lane.attempts) == 3
        assert not house.spool.entries


def test_the_pace_is_as_the_settings_say() -> None:
    assert Pace() == Pace(first=300, longest=3600, lifetime=432_000, delay=14_400)
