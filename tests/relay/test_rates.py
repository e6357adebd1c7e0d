"""Rates, on a clock of their own; and what a client hears of them."""

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relays import PASSWORD, RawClient, Script, running_relay

from relay import rates
from relay.rates import HOUR, Rate, Rates


class Clock:
    now = 1_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_hours_worth_at_once_then_one_by_one(clock: Clock) -> None:
    rate = Rate(60, clock=clock)
    assert [rate.take(1) for _ in range(60)] == [0] * 60
    assert rate.take(1) == 60
    assert rate.take(2) == 0  # another sender
    clock.now += 59.5
    assert rate.take(1) == 1
    clock.now += 0.5
    assert [rate.take(1), rate.take(1)] == [0, 60]
    clock.now += HOUR
    assert [rate.take(1) for _ in range(61)] == [0] * 60 + [60]


@pytest.mark.parametrize("per_hour", [1, 7, 999, 100_000])
def test_the_shares_add_up_to_the_hour(clock: Clock, per_hour: int) -> None:
    rate = Rate(per_hour, clock=clock)
    assert not any(rate.take(1) for _ in range(per_hour))
    wait = rate.take(1)
    assert HOUR / per_hour <= wait < HOUR / per_hour + 1
    clock.now += wait
    assert rate.take(1) == 0


@given(st.integers(1, 50), st.lists(st.floats(0, HOUR), max_size=200))
def test_never_more_than_two_hours_worth_in_an_hour(per_hour: int, pauses: list[float]) -> None:
    clock = Clock()
    rate = Rate(per_hour, clock=clock)
    taken: list[float] = []
    for pause in pauses:
        clock.now += pause
        wait = rate.take(1)
        if wait == 0:
            taken.append(clock.now)
        else:
            clock.now += wait  # what is told is true
            assert rate.take(1) == 0
            taken.append(clock.now)
    for first in taken:
        assert sum(first <= each < first + HOUR for each in taken) <= 2 * per_hour


def test_no_limit_remembers_nobody(clock: Clock) -> None:
    rate = Rate(0, clock=clock)
    assert not any(rate.take(1) for _ in range(1000))
    assert not rate._full_at


def test_the_memory_is_bounded_and_keeps_who_sends(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "MAX_KEYS", 100)
    rate = Rate(2, clock=clock)
    assert [rate.take(0), rate.take(0)] == [0, 0]
    for sender_id in range(1, 1000):
        rate.take(sender_id)
        rate.take(sender_id)
        assert len(rate._full_at) <= 100
    assert rate.take(999) == rate.take(950) == 1800
    assert rate.take(0) == 0  # forgotten


async def test_what_a_client_hears(store_template: Path, tmp_path: Path, clock: Clock) -> None:
    allowed = Rates(messages=2, recipients=3, clock=clock)
    async with (
        Script().running() as script,
        running_relay(store_template, tmp_path, script.port, rates=allowed) as relay,
        await RawClient.connect(relay.ports["plain"]) as client,
    ):
        await client.reply()
        await client.ask("EHLO client.example.com")
        login = b64encode(f"\0ana\0{PASSWORD}".encode()).decode()
        assert await ask(client, f"AUTH PLAIN {login}") == "235"
        assert await ask(client, "MAIL FROM:<ceo@example.com>") == "550"  # costs nothing
        assert await ask(client, "MAIL FROM:<ana@example.com>") == "250"
        for recipient in ("a", "b", "c"):
            assert await ask(client, f"RCPT TO:<{recipient}@example.org>") == "250"
        assert await ask(client, "RCPT TO:<no-track@letterbell.invalid>") == "250"  # nobody
        assert await client.ask("RCPT TO:<d@example.org>") == (
            "450 4.7.1 3 recipients an hour are allowed; try again in 1200 s"
        )
        assert await ask(client, "DATA") == "354"
        await client.send(b"From: ana@example.com\r\n\r\n.\r\n")
        assert (await client.reply())[:3] == "250"
        assert await ask(client, "MAIL FROM:<ana@example.com>") == "250"
        assert await ask(client, "RSET") == "250"
        assert await client.ask("MAIL FROM:<ana@example.com>") == (
            "450 4.7.1 2 messages an hour are allowed; try again in 1800 s"
        )
        clock.now += 1800
        assert await ask(client, "MAIL FROM:<ana@example.com>") == "250"


async def ask(client: RawClient, line: str) -> str:
    """The code of the reply."""
    return (await client.ask(line))[:3]
