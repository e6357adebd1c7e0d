"""App passwords: shown once, good for one sender's mail, gone when revoked."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from argon2 import PasswordHasher
from places import Place
from sqlalchemy import Executable, text

from collector import memory, passwords
from collector import passes as module
from collector.devices import Device, split_password
from collector.errors import StoreUnavailable
from collector.senders import Sender, SenderError, Senders, SignedIn
from collector.store import Store

Lock = Callable[[], AbstractContextManager[None]]


@pytest.fixture
async def senders(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Senders]:
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    made = Senders(store)
    yield made
    made.close()


@pytest.fixture
async def ana(senders: Senders) -> Sender:
    return await senders.add("ana", "right", ["ana@example.com"])


@pytest.fixture
async def ben(senders: Senders) -> Sender:
    return await senders.add("ben", "right", ["ben@example.com"])


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each hash that is computed, by its parameters."""
    seen: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: PasswordHasher, stored: str, password: bytes) -> bool:
        seen.append(stored.rsplit("$", 2)[0])
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    return seen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds: set `clock[0]`."""
    now = [1_000_000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.time, "time_ns", lambda: int(now[0] * 1_000_000_000))
    return now


def test_the_form() -> None:
    key, secret = "abcdefghijklmnop", "234567qrstuvwxyz"
    assert split_password(f"{key}-{secret}") == (key, secret)
    assert split_password(f" {key.upper()}-{secret} \n") == (key, secret)
    for other in ("", "right", f"{key}{secret}", f"{key}-{secret}x", f"{key}-{secret[:-1]}1"):
        assert split_password(other) is None


async def test_an_app_password_lets_its_sender_in(senders: Senders, ana: Sender) -> None:
    password = await senders.devices.add(ana.id, " Ana's phone ")
    assert re.fullmatch(r"[a-z2-7]{16}-[a-z2-7]{16}", password)
    [phone] = await senders.devices.list(ana.id)
    assert (phone.sender_id, phone.name, phone.last_used_at_ms) == (ana.id, "Ana's phone", None)
    assert await senders.authenticate_device("ANA", password) == SignedIn(ana, phone)
    assert await senders.authenticate_device("ana", f" {password.upper()} ") == SignedIn(ana, phone)


async def test_each_device_has_its_own(senders: Senders, ana: Sender) -> None:
    made = {name: await senders.devices.add(ana.id, name) for name in ("phone", "laptop", "cron")}
    assert len(set(made.values())) == 3
    for name, password in made.items():
        signed_in = await senders.authenticate_device("ana", password)
        assert signed_in
        assert signed_in.device
        assert signed_in.device.name == name


async def test_it_is_kept_as_a_hash_and_shown_by_nothing(
    senders: Senders, ana: Sender, store: Store
) -> None:
    password = await senders.devices.add(ana.id, "phone")
    secret = password.partition("-")[2]
    await senders.authenticate_device("ana", password)
    [row] = await store.read(text("SELECT * FROM device"))
    assert row.secret_hash.startswith("$argon2id$")
    told = repr([row, await senders.devices.list(ana.id), vars(senders._checks)])
    assert secret not in told
    assert password.partition("-")[0] not in repr(await senders.devices.list(ana.id))


async def test_it_is_no_password_for_the_pages(senders: Senders, ana: Sender) -> None:
    password = await senders.devices.add(ana.id, "phone")
    assert await senders.authenticate("ana", password) is None


async def test_the_own_password_goes_on_working_where_it_may(
    senders: Senders, ana: Sender, worked: list[str]
) -> None:
    assert await senders.authenticate_device("ana", "right") == SignedIn(ana)
    assert await senders.authenticate_device("ana", "wrong") is None
    worked.clear()
    for login in ("ana", "nobody"):
        assert await senders.authenticate_device(login, "right", own_password=False) is None
    assert worked == []  # nor is anything looked up
    password = await senders.devices.add(ana.id, "phone")
    assert await senders.authenticate_device("ana", password, own_password=False)


async def test_whatever_is_wrong_costs_one_hash_of_the_same_kind(
    senders: Senders, ana: Sender, ben: Sender, worked: list[str]
) -> None:
    anas = await senders.devices.add(ana.id, "phone")
    bens = await senders.devices.add(ben.id, "phone")
    revoked = await senders.devices.add(ana.id, "old")
    await senders.devices.revoke(ana.id, "old")
    key, _, secret = anas.partition("-")
    wrong = [
        ("ana", f"{key}-{'a' * 16}"),
        ("ana", f"{'a' * 16}-{secret}"),
        ("ana", bens),
        ("ana", f"{key}-{bens.partition('-')[2]}"),
        ("ben", anas),
        ("nobody", anas),
        ("", anas),
        ("ana", revoked),
    ]
    for login, password in wrong:
        worked.clear()
        assert await senders.authenticate_device(login, password) is None
        assert len(worked) == 1
    worked.clear()
    assert await senders.authenticate_device("ana", anas)
    assert await senders.authenticate_device("ana", "wrong") is None
    assert len(worked) == 2
    assert len(set(worked)) == 1


async def test_a_checked_one_is_remembered(
    senders: Senders, ana: Sender, worked: list[str], clock: list[float]
) -> None:
    password = await senders.devices.add(ana.id, "phone")
    for _ in range(3):
        assert await senders.authenticate_device("ana", password)
    assert len(worked) == 1
    clock[0] += 61
    assert await senders.authenticate_device("ana", password)
    assert len(worked) == 2


async def test_revoked_here_it_ends_at_once(senders: Senders, ana: Sender) -> None:
    password = await senders.devices.add(ana.id, "phone")
    signed_in = await senders.authenticate_device("ana", password)
    assert signed_in
    assert await senders.current(ana.id, signed_in.device) == ana
    await senders.devices.revoke(ana.id, "phone")
    assert await senders.current(ana.id, signed_in.device) is None
    assert await senders.current(ana.id) == ana
    assert await senders.authenticate_device("ana", password) is None
    # The next one has its row's number, and does not stand in for it.
    again = await senders.devices.add(ana.id, "phone")
    assert await senders.current(ana.id, signed_in.device) is None
    assert again != password


async def test_revoked_elsewhere_it_ends_within_five_seconds(
    senders: Senders, ana: Sender, place: Place, clock: list[float]
) -> None:
    password = await senders.devices.add(ana.id, "phone")
    signed_in = await senders.authenticate_device("ana", password)
    assert signed_in
    place.execute("DELETE FROM device")
    clock[0] += 5
    assert await senders.authenticate_device("ana", password) is None
    assert await senders.current(ana.id, signed_in.device) is None


async def test_a_disabled_sender_has_no_devices_that_work(senders: Senders, ana: Sender) -> None:
    password = await senders.devices.add(ana.id, "phone")
    await senders.set_enabled(ana.id, False)
    assert await senders.authenticate_device("ana", password) is None
    await senders.set_enabled(ana.id, True)
    assert await senders.authenticate_device("ana", password)


async def test_its_use_is_noted_hourly_and_by_nobodys_waiting(
    senders: Senders, ana: Sender, store: Store, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await senders.devices.add(ana.id, "phone")
    await senders.devices.add(ana.id, "laptop")
    first = int(clock[0] * 1000)
    posted: list[int] = []
    committed: asyncio.Queue[int] = asyncio.Queue()
    post = store.post

    def spy(statement: Executable, row: dict[str, Any]) -> None:
        posted.append(row["used_at_ms"])
        post(statement, row, lambda: committed.put_nowait(row["used_at_ms"]))

    monkeypatch.setattr(store, "post", spy)
    for _ in range(2):
        await senders.authenticate_device("ana", phone)
        await senders.authenticate_device("ana", f"{phone[:17]}{'a' * 16}")
        clock[0] += 3_599
    assert posted == [first]
    clock[0] += 1
    await senders.authenticate_device("ana", phone)
    assert posted == [first, int(clock[0] * 1000)]
    clock[0] += 1  # the loop's timers go by it, too
    assert [await committed.get(), await committed.get()] == posted
    told = [(each.name, each.last_used_at_ms) for each in await senders.devices.list(ana.id)]
    assert told == [("phone", posted[-1]), ("laptop", None)]


async def test_known_ones_work_while_the_store_is_away(
    senders: Senders, ana: Sender, store: Store, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    password = await senders.devices.add(ana.id, "phone")
    assert await senders.authenticate_device("ana", password)
    assert await senders.current(ana.id)

    async def fail(*args: object) -> None:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(store, "read", fail)
    clock[0] += 30
    signed_in = await senders.authenticate_device("ana", password)
    assert signed_in
    assert await senders.current(ana.id, signed_in.device) == ana
    with pytest.raises(StoreUnavailable):
        await senders.authenticate_device("ana", f"{'a' * 16}-{'b' * 16}")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a" * 101])
async def test_a_bad_name_is_refused(senders: Senders, ana: Sender, name: str) -> None:
    with pytest.raises(SenderError, match="is no name; use 1 to 100"):
        await senders.devices.add(ana.id, name)


async def test_mistakes_are_named(senders: Senders, ana: Sender, ben: Sender) -> None:
    await senders.devices.add(ana.id, "phone")
    await senders.devices.add(ben.id, "phone")
    with pytest.raises(SenderError, match="'phone' already; choose another name, or revoke"):
        await senders.devices.add(ana.id, "phone")
    with pytest.raises(SenderError, match="no sender 9"):
        await senders.devices.add(9, "phone")
    with pytest.raises(SenderError, match="no device 'laptop'"):
        await senders.devices.revoke(ana.id, "laptop")
    assert len(await senders.devices.list(ana.id)) == 1


async def test_they_go_with_their_sender(senders: Senders, ana: Sender, store: Store) -> None:
    password = await senders.devices.add(ana.id, "phone")
    await senders.remove(ana.id)
    assert await senders.authenticate_device("ana", password) is None
    assert await store.read(text("SELECT 1 FROM device")) == []


async def test_memory_is_bounded(
    senders: Senders, ana: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_REMEMBERED", 3)
    for number in range(5):
        password = await senders.devices.add(ana.id, f"device {number}")
        assert await senders.authenticate_device("ana", password)
    assert len(senders.devices._locks._rows) <= 3
    assert len(senders.devices._noted) <= 3


@pytest.mark.usefixtures("impatient")
async def test_every_change_says_when_the_store_is_locked(
    place: Place, senders: Senders, ana: Sender
) -> None:
    password = await senders.devices.add(ana.id, "phone")
    with place.locked():
        for change in (
            senders.devices.add(ana.id, "laptop"),
            senders.devices.revoke(ana.id, "phone"),
        ):
            with pytest.raises(StoreUnavailable, match=place.lock_error):
                await change
        assert await senders.authenticate_device("ana", password)


def test_a_device_does_not_print_its_key() -> None:
    assert "abcd" not in repr(Device(1, 1, "phone", 0, None, "abcd"))
