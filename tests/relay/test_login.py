"""AUTH as a whole, over the wire: what guessing costs, and whom."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from relays import PASSWORD, RawClient, Relay, Sink, running_relay, until

from collector.passwords import Passwords
from relay.auth import Accounts
from relay.envelope import Envelope, Reply, Wishes
from relay.guard import Guard
from relay.pipeline import Pipeline

Start = Callable[..., AbstractAsyncContextManager[Relay]]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def start(store_template: Path, tmp_path: Path) -> Start:
    @asynccontextmanager
    async def running(**options: Any) -> AsyncIterator[Relay]:
        async with (
            Sink().running() as sink,
            running_relay(store_template, tmp_path, sink.port, **options) as relay,
        ):
            yield relay

    return running


def plain(login: str, password: str) -> bytes:
    return b"AUTH PLAIN " + base64.b64encode(f"\0{login}\0{password}".encode())


async def greeted(relay: Relay) -> RawClient:
    client = await RawClient.connect(relay.ports["plain"])
    await client.reply()
    assert (await client.ask("EHLO client.example.com")).startswith("250")
    return client


async def log_in(relay: Relay, login: str, password: str) -> str:
    """The reply, in a session of its own."""
    async with await greeted(relay) as client:
        return await client.ask(plain(login, password))


async def test_guessing_over_many_sessions_is_slowed_before_anything_is_computed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    matches = Passwords.matches

    async def spy(self: Passwords, password: str, known: str | None) -> bool:
        checked.append(password)
        return await matches(self, password, known)

    monkeypatch.setattr(Passwords, "matches", spy)
    clock = Clock()
    async with start(guard=Guard(clock=clock)) as relay:
        for number in range(5):
            assert (await log_in(relay, "ana", f"guess {number}")).startswith("535 5.7.8")
        async with await greeted(relay) as client:
            reply = await client.ask(plain("ana", PASSWORD))
            assert reply == "421 4.7.0 Too many wrong logins; try again in 1 s"
            assert await client.reply() == ""
        assert len(checked) == 5
        clock.now += 1
        assert (await log_in(relay, "ana", PASSWORD)).startswith("235 ")
        assert (await log_in(relay, "ana", "wrong")).startswith("535 ")


async def test_a_login_that_is_none_costs_what_a_wrong_password_does(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies and the work behind them, at each of the failures up to the wait."""
    worked: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: PasswordHasher, stored: str, password: bytes) -> bool:
        worked.append(stored.rsplit("$", 2)[0])  # the parameters
        return bool(verify(self, stored, password))

    async def guess(login: str) -> list[tuple[str, list[str]]]:
        """Each reply with the work that it took."""
        told = []
        for number in range(7):
            worked.clear()
            told.append((await log_in(relay, login, f"guess {number}"), list(worked)))
        return told

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    async with start(guard=Guard(clock=Clock())) as relay:
        known, unknown = await guess("ana"), await guess("nobody")
    assert known == unknown
    assert [len(work) for _, work in known] == [1] * 5 + [0] * 2


async def test_who_hangs_up_before_the_answer_has_guessed_as_well(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking = asyncio.Event()

    async def endless(*_: object) -> bool:
        checking.set()
        return await asyncio.Event().wait()

    async with start(guard=Guard(clock=Clock())) as relay:
        with monkeypatch.context() as slow:
            slow.setattr(Passwords, "matches", endless)
            for number in range(5):
                async with await greeted(relay) as client:
                    await client.send(plain("ana", f"guess {number}") + b"\r\n")
                    await checking.wait()
                    checking.clear()
                    client.reset()
                    await until(lambda: not relay.service.connections._sessions)
        assert (await log_in(relay, "ana", PASSWORD)).startswith("421 4.7.0")


async def send(client: RawClient) -> str:
    """The reply to a mail of ana's."""
    for line in ("MAIL FROM:<ana@example.com>", "RCPT TO:<bob@example.org>", "DATA"):
        await client.ask(line)
    return await client.ask(b"From: ana@example.com\r\n\r\nbody\r\n.")


async def test_an_app_password_is_good_until_it_is_revoked(start: Start) -> None:
    """Also for a session that is open already."""
    async with start() as relay:
        password = await relay.senders.devices.add(relay.ana.id, "phone")
        assert (await log_in(relay, "ana", PASSWORD)).startswith("235 ")
        async with await greeted(relay) as client:
            assert (await client.ask(plain("ana", password))).startswith("235 ")
            assert (await send(client)).startswith("250 ")
            await relay.senders.devices.revoke(relay.ana.id, "phone")
            assert await send(client) == "550 5.7.1 This login was removed, revoked or disabled"
        assert await log_in(relay, "ana", password) == "535 5.7.8 Login or password is wrong"


async def test_where_app_passwords_alone_count_the_own_one_is_told_so(start: Start) -> None:
    async with start(
        authority=lambda senders, _: Accounts(senders, app_passwords_only=True)
    ) as relay:
        password = await relay.senders.devices.add(relay.ana.id, "phone")
        assert (await log_in(relay, "ana", password)).startswith("235 ")
        for login, wrong in (("ana", PASSWORD), ("nobody", PASSWORD), ("ana", "wrong")):
            assert await log_in(relay, login, wrong) == (
                "535 5.7.8 Login or password is wrong: an app password is wanted here"
            )


async def test_a_new_sender_with_an_old_number_is_not_who_logged_in(start: Start) -> None:
    async with start() as relay, await greeted(relay) as client:
        assert (await client.ask(plain("ana", PASSWORD))).startswith("235 ")
        await relay.senders.remove(relay.ana.id)
        eve = await relay.senders.add("eve", PASSWORD, ["ana@example.com"])
        assert eve.id == relay.ana.id
        assert (await send(client)).startswith("550 5.7.1 This login was removed")


async def test_a_suffix_is_the_logins_wish_and_no_second_login(start: Start) -> None:
    seen: list[Envelope] = []

    def keep(pipeline: Pipeline) -> Callable[[Envelope], Awaitable[Reply]]:
        async def accept(envelope: Envelope) -> Reply:
            seen.append(envelope)
            return await pipeline.accept(envelope)

        return accept

    async with start(accept=keep, guard=Guard(clock=Clock())) as relay:
        async with await greeted(relay) as client:
            assert (await client.ask(plain("ana+no-opens", PASSWORD))).startswith("235 ")
            assert (await send(client)).startswith("250 ")
        assert seen[0].identity.wishes == Wishes(opens=False)
        assert seen[0].sender.login == "ana"
        for login in ("ana", "ana+no-opens", "ana+links", "ANA+track", "ana"):
            assert (await log_in(relay, login, "wrong")).startswith("535 ")
        assert (await log_in(relay, "ana+no-links", PASSWORD)).startswith("421 4.7.0")
