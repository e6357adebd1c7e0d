"""Argon2id hashes, made and checked in a few threads."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from collector.passwords import Passwords


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
