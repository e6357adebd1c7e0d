"""Argon2id hashes, made and checked in a few threads."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from collector import passwords as module
from collector.passwords import Passwords, PasswordsBusy


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_the_right_one_matches(passwords: Passwords) -> None:
    known = await passwords.hash("grün \ud800")
    assert known.startswith("$argon2id$")
    assert await passwords.matches("grün \ud800", known)
    assert not await passwords.matches("grün ?", known)
    assert not passwords.outdated(known)


async def test_nobody_has_no_right_one(passwords: Passwords) -> None:
    assert not await passwords.matches("", None)


async def test_nobody_costs_as_much_as_somebody(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same parameters are computed, for an unknown login as for a known one."""
    known = await passwords.hash("right")
    verified: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: PasswordHasher, stored: str, password: bytes) -> bool:
        verified.append(stored)
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    assert not await passwords.matches("wrong", known)
    assert not await passwords.matches("wrong", None)
    parameters = {each.rsplit("$", 2)[0] for each in verified}
    assert len(verified) == 2
    assert len(parameters) == 1


@pytest.mark.parametrize("stored", ["", "!", "$argon2id$", "plain"])
async def test_what_is_no_hash_matches_nothing(passwords: Passwords, stored: str) -> None:
    assert not await passwords.matches(stored, stored)


async def test_other_parameters_are_outdated(passwords: Passwords) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("right")
    assert passwords.outdated(weak)
    assert await passwords.matches("right", weak)


async def test_more_than_can_be_checked_soon_are_turned_away(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no later one suffers for it."""
    known = await passwords.hash("right")
    go_on = threading.Event()
    verify = PasswordHasher.verify

    def slowly(self: PasswordHasher, stored: str, password: bytes) -> bool:
        go_on.wait()
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", slowly)
    taken = [
        asyncio.create_task(passwords.matches("right", known))
        for _ in range(module.THREADS + module.MAX_WAITING)
    ]
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusy):
        await passwords.matches("right", known)
    with pytest.raises(PasswordsBusy):
        await passwords.hash("new")
    go_on.set()
    assert all(await asyncio.gather(*taken))
    assert await passwords.matches("right", known)


async def test_who_no_longer_waits_makes_room(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 0)
    for _ in range(5):
        checks = [asyncio.create_task(passwords.matches("x", None)) for _ in range(module.THREADS)]
        await asyncio.sleep(0)
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
    assert not await passwords.matches("x", None)


async def test_they_are_computed_in_threads_that_give_way(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[tuple[str, int]] = []
    verify = PasswordHasher.verify

    def spy(self: PasswordHasher, stored: str, password: bytes) -> bool:
        priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        where.append((threading.current_thread().name, priority))
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    await passwords.matches("x", None)
    [(name, priority)] = where
    assert name.startswith("argon2")
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert priority == (max(own, module.NICE) if sys.platform == "linux" else own)
