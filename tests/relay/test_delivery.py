"""Inline first: to upstream while the client waits, else into our custody, else the client's."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from custodies import BOB, EVE, House, copies, outgoing, saying, taken
from structlog.testing import capture_logs

from relay.delivery import Delivery, Settled
from relay.envelope import Copy, Deferred, Outcome, Outgoing, Refused, Relayed, Withheld
from relay.spool import SpoolError
from relay.spoolfile import Entry

BUSY = Deferred(recipient=BOB, code=451, enhanced="4.2.1", text=b"busy", ordinal=1)
GONE = Refused(recipient=EVE, code=550, enhanced="5.1.1", text=b"no eve", ordinal=2)
WITHHELD = Withheld(recipient=BOB, code=250, ordinal=1)


class Door(House):
    """A house with a delivery in front of it, on the clock that all have."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder)
        self.posted: list[Entry] = []
        self.delivery = Delivery(
            upstreams=self,  # type: ignore[arg-type]  # it asks for `to` alone
            spool=self.spool,
            queue=self.queue,
            alarms=self.alarms,
            pace=self.pace,
            record=self.posted.append,
            reporter=self.reports,
            now_ms=self.clock.wall_ms,
            **options,
        )

    def to(self, mail: Outgoing) -> Any:
        return self.lane

    def break_disk(self) -> Callable[[], None]:
        async def fails(*arguments: Any, **named: Any) -> Any:
            raise SpoolError("the disk fails", "mend it")

        put, self.spool.put = self.spool.put, fails  # type: ignore[method-assign]
        return lambda: setattr(self.spool, "put", put)


@pytest.fixture
async def door(tmp_path: Path) -> Any:
    house = Door(tmp_path)
    yield house
    await house.close()


def inline(*outcomes: Outcome) -> Callable[[Copy], tuple[Outcome, ...]]:
    return lambda copy: outcomes


def said(settled: Settled) -> str:
    return settled.reply.wire().decode().rstrip()


async def test_what_upstream_takes_never_touches_the_disk(door: Door, tmp_path: Path) -> None:
    settled = await door.delivery.deliver(outgoing(1))
    assert (said(settled), settled.state) == ("250 2.0.0 ok", "delivered")
    assert door.posted == []
    assert [path for path in (tmp_path / "spool").rglob("*") if path.is_file()] == [
        tmp_path / "spool/lock"
    ]


async def test_what_upstream_refuses_the_client_hears(door: Door) -> None:
    door.lane.answer = inline(replace(GONE, ordinal=1))
    settled = await door.delivery.deliver(outgoing(1))
    assert (said(settled), settled.state) == ("550 5.1.1 no eve", "refused")
    assert not door.spool.entries


async def test_who_wants_to_hear_of_success_does(door: Door) -> None:
    """Upstream will not say it. Without a disk it is not said, and the mail is with upstream."""
    door.reports.wanted = True
    door.lane.answer = inline(Relayed(recipient=BOB, code=250, text=b"ok", ordinal=1))
    assert said(await door.delivery.deliver(outgoing(1))) == "250 2.0.0 ok"
    assert door.reports.told == [(1, [1], "relayed")]
    [report] = door.spool.entries.values()
    assert (report.mail_from, report.recipients[0].address) == (b"", b"ana@example.com")
    door.break_disk()
    with capture_logs():
        assert said(await door.delivery.deliver(outgoing(2))) == "250 2.0.0 ok"


async def test_a_part_that_went_on_is_told_with_the_rest(door: Door) -> None:
    took = Relayed(recipient=BOB, code=250, text=b"ok", ordinal=1)
    door.lane.answer = inline(took, GONE)
    assert said(await door.delivery.deliver(outgoing(1, BOB, EVE))) == "250 2.0.0 queued as 1"
    door.lane.answer = taken
    await door.pass_time(1)
    assert sorted(door.reports.told) == [(1, [1], "relayed"), (1, [2], "failed")]
    assert not door.spool.entries


async def test_what_is_deferred_is_queued(door: Door) -> None:
    door.lane.answer = inline(BUSY)
    settled = await door.delivery.deliver(outgoing(1))
    assert (said(settled), settled.state) == ("250 2.0.0 queued as 1", "queued")
    assert [entry.id for entry in door.posted] == [1]
    state = door.spool.entries[1].state
    assert (state.latest, state.attempts) == ({1: BUSY}, 1)
    assert state.next_ms > door.clock.wall_ms() + 200_000


async def test_a_mix_was_sent_to_nobody_and_goes_out_at_once(door: Door) -> None:
    door.lane.answer = inline(WITHHELD, GONE)
    settled = await door.delivery.deliver(outgoing(1, BOB, EVE))
    assert said(settled) == "250 2.0.0 queued as 1"
    assert door.posted[0].state.pending == {1}
    assert door.posted[0].state.owed == {2}
    door.lane.answer = taken
    await door.pass_time(1)
    assert door.reports.told == [(1, [2], "failed")]
    assert not door.spool.entries


@pytest.mark.parametrize("outcomes", [(BUSY,), (WITHHELD, GONE)])
async def test_without_a_disk_the_client_keeps_it(door: Door, outcomes: Sequence[Outcome]) -> None:
    mend = door.break_disk()
    door.lane.answer = inline(*outcomes)
    with capture_logs():
        settled = await door.delivery.deliver(outgoing(1, BOB, EVE))
    assert said(settled).startswith("451 4.")
    assert settled.state == "deferred"
    assert "spool" in door.alarms.sounding
    mend()
    assert said(await door.delivery.deliver(outgoing(1, BOB, EVE))) == "250 2.0.0 queued as 1"


@pytest.mark.parametrize(
    ("when_away", "reply"),
    [
        ("queue", "250 2.0.0 queued as 1"),
        ("defer", "451 4.4.1 The mail server upstream cannot be reached; try again later"),
    ],
)
@pytest.mark.parametrize("known", [False, True])
async def test_while_upstream_is_away(door: Door, when_away: Any, reply: str, known: bool) -> None:
    door.delivery.when_away = when_away
    door.lane.away = True
    with capture_logs():
        if known:
            await door.delivery.deliver(outgoing(2))
        before = len(door.lane.attempts)
        assert said(await door.delivery.deliver(outgoing(1))) == reply
    assert len(door.lane.attempts) == before + (not known)
    assert (1 in door.spool.entries) == (when_away == "queue")


async def test_a_slow_attempt_goes_on_and_the_queue_has_it(door: Door) -> None:
    door.delivery.inline_timeout = 0.01
    door.lane.gate.clear()
    settled = await door.delivery.deliver(outgoing(1))
    assert (said(settled), settled.state) == ("250 2.0.0 queued as 1", "queued")
    assert door.spool.entries[1].state.trying
    door.lane.gate.set()
    await door.rest()
    assert len(door.lane.attempts) == 1
    assert not door.spool.entries


async def test_an_attempt_that_ends_while_the_disk_writes(door: Door) -> None:
    door.delivery.inline_timeout = 0.01
    door.lane.gate.clear()
    put = door.spool.put

    async def slowly(*arguments: Any, **named: Any) -> Any:
        door.lane.gate.set()
        await door.lane.ended.wait()
        return await put(*arguments, **named)

    door.spool.put = slowly  # type: ignore[method-assign]
    assert said(await door.delivery.deliver(outgoing(1))) == "250 2.0.0 queued as 1"
    await door.rest()
    assert len(door.lane.attempts) == 1
    assert not door.spool.entries


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (taken, "250 2.0.0 ok"),
        (inline(BUSY), "451 4.2.1 busy"),
        (inline(replace(GONE, ordinal=1)), "550 5.1.1 no eve"),
    ],
)
async def test_without_a_disk_a_slow_attempt_is_waited_for(
    door: Door, answer: Any, reply: str
) -> None:
    door.delivery.inline_timeout = 0.01
    door.break_disk()
    door.lane.answer = answer
    door.lane.gate.clear()
    asyncio.get_running_loop().call_later(0.05, door.lane.gate.set)
    with capture_logs():
        assert said(await door.delivery.deliver(outgoing(1))) == reply
    assert len(door.lane.attempts) == 1


async def test_when_the_relay_stops_nobody_waits(door: Door) -> None:
    door.lane.gate.clear()
    waiting = asyncio.create_task(door.delivery.deliver(outgoing(1)))
    await door.until_tried()
    door.delivery.hurry()
    assert said(await waiting) == "250 2.0.0 queued as 1"
    assert said(await door.delivery.deliver(outgoing(2))) == "250 2.0.0 queued as 2"
    door.lane.gate.set()


async def test_a_cancelled_delivery_leaves_no_attempt_behind(door: Door) -> None:
    door.lane.gate.clear()
    waiting = asyncio.create_task(door.delivery.deliver(outgoing(1)))
    await door.until_tried()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await door.lane.ended.wait()
    assert not door.spool.entries


async def test_several_copies_are_settled_as_one(door: Door) -> None:
    settled = await door.delivery.deliver(copies(outgoing(1), 3))
    assert (said(settled), len(door.lane.attempts)) == ("250 2.0.0 ok", 3)
    door.lane.answer = saying(replace(BUSY, ordinal=2))
    settled = await door.delivery.deliver(copies(outgoing(2), 3))
    assert said(settled) == "250 2.0.0 queued as 2"
    assert door.spool.entries[2].state.pending == {2}


async def test_many_copies_are_queued_at_once(door: Door) -> None:
    assert said(await door.delivery.deliver(copies(outgoing(1), 11))) == "250 2.0.0 queued as 1"
    await door.pass_time(1)
    assert len(door.lane.attempts) == 11
    assert not door.spool.entries


async def test_a_stop_keeps_what_is_known_of_some_copies(door: Door) -> None:
    """They left at once, one was answered: its recipient does not get it again."""
    door.delivery.inline_timeout = 0.01

    def first_alone(copy: Copy) -> tuple[Outcome, ...]:
        door.lane.gate.clear()
        return taken(copy)

    door.lane.answer = first_alone
    assert said(await door.delivery.deliver(copies(outgoing(1), 3))) == "250 2.0.0 queued as 1"
    await door.queue.stop(0.01)
    state = door.spool.entries[1].state
    assert (state.pending, state.trying) == ({2, 3}, False)
