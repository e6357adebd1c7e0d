"""Senders as an admin sees them: found by login or address, and the day they were last seen."""

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import update

from collector import passwords
from collector.members import Member, read_member, read_members
from collector.schema import api_key, device, session
from collector.senders import Sender, Senders
from collector.store import Sent, Store
from collector.tokens import mint_message_id

DAY_MS = 86_400_000
TTL = 7 * 86_400
DAY = 20_000 * DAY_MS


@pytest.fixture
async def senders(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Senders]:
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    made = Senders(store)
    yield made
    made.close()


@pytest.fixture
async def ana(senders: Senders) -> Sender:
    return await senders.add("Ann", "right", ["ana@example.com", "*@ana.example"])


@pytest.fixture
def find(store: Store):
    async def search(text: str, limit: int = 10) -> tuple[list[str], int]:
        found = await read_members(store, search=text, limit=limit, session_seconds=TTL)
        return [each.login for each in found.shown], found.found

    return search


@pytest.fixture
def look(store: Store, ana: Sender):
    async def read() -> Member:
        found = await read_member(store, ana.id, session_seconds=TTL)
        assert found is not None
        return found

    return read


async def test_by_login_and_address_in_any_case(senders: Senders, ana: Sender, find) -> None:
    await senders.add("ben", "right", ["ben@example.net", "ben@ana.example"])
    await senders.add("100%", "right", [])
    assert await find("") == (["100%", "Ann", "ben"], 3)
    assert await find("ANA") == (["Ann", "ben"], 2)
    assert await find(" example.NET ") == (["ben"], 1)
    assert await find("%") == (["100%"], 1)
    assert await find("_") == ([], 0)
    assert await find("", limit=2) == (["100%", "Ann"], 3)


async def test_what_is_known_of_one(senders: Senders, ana: Sender, look) -> None:
    found = await look()
    assert (found.login, found.addresses) == ("Ann", ("ana@example.com", "*@ana.example"))
    assert (found.enabled, found.is_admin, found.has_password) == (True, False, True)
    await senders.set_enabled(ana.id, False)
    await senders.set_admin(ana.id, True)
    found = await look()
    assert (found.enabled, found.is_admin) == (False, True)
    passed = await senders.ensure("up", ["up@example.com"], opens=True, clicks=True)
    assert passed is not None
    other = await read_member(senders._store, passed.id, session_seconds=TTL)
    assert other is not None
    assert not other.has_password


async def test_nobody(store: Store) -> None:
    assert await read_member(store, 7, session_seconds=TTL) is None


async def test_seen_on_the_last_day_of_all_that_tells(
    store: Store, senders: Senders, ana: Sender, look, make_sent: Callable[..., Sent]
) -> None:
    assert (await look()).seen_ms is None
    sent = make_sent(sender_id=ana.id, message_id=mint_message_id(DAY + 5_000, 1))
    await store.record_sent(sent)
    assert (await look()).seen_ms == DAY
    await senders.open_session(ana.id, TTL)
    await senders.devices.add(ana.id, "phone")
    await senders.api_keys.add(ana.id, "app", "read")
    for days, statement in enumerate(
        (
            update(session).values(expires_at_ms=DAY + DAY_MS + 7 + TTL * 1000),
            update(device).values(last_used_at_ms=DAY + 2 * DAY_MS + 7),
            update(api_key).values(last_used_at_ms=DAY + 3 * DAY_MS + 7),
        ),
        1,
    ):
        await store.write(lambda connection, what=statement: connection.execute(what))
        assert (await look()).seen_ms == DAY + days * DAY_MS
