"""Senders and their sessions: who is let in, what is refused, when a change shows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from places import Place
from sqlalchemy import text

from collector import memory, passwords
from collector import senders as module
from collector.errors import StoreUnavailable
from collector.passwords import Passwords
from collector.senders import Sender, SenderError, Senders, login_key
from collector.store import Sent, Store

Lock = Callable[[], AbstractContextManager[None]]
OTHER_HASHER = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)


@pytest.fixture
async def senders(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Senders]:
    """With cheap hashes; test_passwords.py sees to it that real ones are dear."""
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    made = Senders(store)
    yield made
    made.close()


@pytest.fixture
async def ana(senders: Senders) -> Sender:
    return await senders.add("Ana", "right", ["ana@Example.com", "*@ana.example"])


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each password that is really checked."""
    seen: list[str] = []
    matches = Passwords.matches

    async def spy(self: Passwords, password: str, known: str | None) -> bool:
        seen.append(password)
        return await matches(self, password, known)

    monkeypatch.setattr(Passwords, "matches", spy)
    return seen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that senders.py sees: set `clock[0]`."""
    now = [1_000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.time, "time_ns", lambda: int(now[0] * 1_000_000_000))
    return now


@pytest.fixture
def elsewhere(place: Place) -> Callable[[str], object]:
    """`elsewhere("UPDATE …")`: another process, as the command line is one, changes the store."""
    return place.execute


async def test_a_new_sender(senders: Senders, ana: Sender) -> None:
    expected = Sender(
        id=ana.id,
        login="Ana",
        addresses=("ana@example.com", "*@ana.example"),
        opens=True,
        clicks=True,
        sticky=True,
        enabled=True,
    )
    assert ana == expected
    assert await senders.find("aNA ") == expected
    assert await senders.current(ana.id) == expected
    assert await senders.list() == (expected,)


async def test_the_first_toggles_can_be_chosen(senders: Senders) -> None:
    made = await senders.add("app", "right", [], opens=False, clicks=False, sticky=False)
    assert (made.opens, made.clicks, made.sticky, made.per_recipient) == (False,) * 4
    assert (await senders.add("per", "right", [], per_recipient=True)).per_recipient
    assert await senders.find("app") == made


async def test_many_are_listed_by_login(senders: Senders, ana: Sender) -> None:
    ben, cleo = await asyncio.gather(
        senders.add("ben", "right", ["b2@x.org", "b1@x.org"]), senders.add("Cleo", "right", [])
    )
    assert await senders.list() == (ana, ben, cleo)


async def test_nobody_is_found(senders: Senders) -> None:
    assert await senders.find("nobody") is None
    assert await senders.current(42) is None
    assert await senders.list() == ()


@pytest.mark.parametrize("login", ["ana", "ANA", " Ana ", "\uff21na"])
async def test_a_login_is_taken_whatever_its_case(
    senders: Senders, ana: Sender, login: str
) -> None:
    with pytest.raises(SenderError, match="already; choose another login"):
        await senders.add(login, "right", [])


@pytest.mark.parametrize("login", ["ana+no-opens", "Ana+TRACK ", "ana\uff0blinks", "+opens"])
async def test_a_login_does_not_end_as_a_wish_does(senders: Senders, login: str) -> None:
    with pytest.raises(SenderError, match=r"turns tracking on or off .*; choose another login"):
        await senders.add(login, "right", [])


@pytest.mark.parametrize("login", ["ana+news", "ana+track@example.com", "no-track", "ana+"])
async def test_a_plus_is_a_letter_like_others(senders: Senders, login: str) -> None:
    assert (await senders.add(login, "right", [])).login == login


@pytest.mark.parametrize("login", ["", "  ", "a\nb", "a\0b", "a" * 256, "\ud800"])
async def test_a_bad_login_is_refused(senders: Senders, login: str) -> None:
    with pytest.raises(SenderError, match="is no login; use 1 to 255"):
        await senders.add(login, "right", [])


async def test_an_empty_password_is_refused(senders: Senders, ana: Sender) -> None:
    with pytest.raises(SenderError, match="password is empty"):
        await senders.add("ben", "", [])
    with pytest.raises(SenderError, match="password is empty"):
        await senders.set_password(ana.id, "")


@pytest.mark.parametrize(
    ("addresses", "says"), [(["ana"], "'ana' is no mail"), (["a@x.org", "a@X.ORG"], "twice")]
)
async def test_bad_addresses_are_refused(
    senders: Senders, ana: Sender, addresses: list[str], says: str
) -> None:
    with pytest.raises(SenderError, match=says):
        await senders.add("ben", "right", addresses)
    with pytest.raises(SenderError, match=says):
        await senders.set_addresses(ana.id, addresses)
    assert await senders.list() == (ana,)


async def test_the_right_password_lets_in(senders: Senders, ana: Sender) -> None:
    assert await senders.authenticate("aNa", "right") == ana


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("Ana", "wrong"),
        ("Ana", ""),
        ("Ana", "right "),
        ("Ana", "\ud800\0"),
        ("nobody", "right"),
        ("", ""),
        ("\ud800\0", "right"),
    ],
)
async def test_anything_else_does_not(
    senders: Senders, ana: Sender, checks: list[str], login: str, password: str
) -> None:
    assert await senders.authenticate(login, password) is None
    assert checks == [password]  # an unknown login costs a check, too


async def test_a_disabled_sender_is_not_let_in(senders: Senders, ana: Sender) -> None:
    token = await senders.open_session(ana.id, 60)
    await senders.authenticate("ana", "right")
    await senders.set_enabled(ana.id, False)
    assert await senders.authenticate("ana", "right") is None
    assert await senders.current(ana.id) is None
    assert await senders.session(token) is None
    assert await senders.find("ana") == replace(ana, enabled=False)
    await senders.set_enabled(ana.id, True)
    assert await senders.authenticate("ana", "right") == ana


async def test_a_checked_password_is_remembered_for_a_minute(
    senders: Senders, ana: Sender, checks: list[str], clock: list[float]
) -> None:
    for _ in range(3):
        assert await senders.authenticate("ana", "right") == ana
    assert await senders.authenticate("ana", "wrong") is None
    assert await senders.authenticate("ana", "wrong") is None
    assert checks == ["right", "wrong", "wrong"]
    clock[0] += 59
    await senders.authenticate("ana", "right")
    assert len(checks) == 3
    clock[0] += 2
    await senders.authenticate("ana", "right")
    assert len(checks) == 4


async def test_equal_questions_at_one_time_are_asked_once(
    senders: Senders, ana: Sender, checks: list[str]
) -> None:
    answers = await asyncio.gather(*(senders.authenticate("ana", "right") for _ in range(20)))
    assert answers == [ana] * 20
    assert checks == ["right"]


async def test_who_hangs_up_does_not_fail_the_others(
    senders: Senders, ana: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking, answer = asyncio.Event(), asyncio.Event()

    async def matches(self: Passwords, password: str, known: str | None) -> bool:
        checking.set()
        return await answer.wait()

    monkeypatch.setattr(Passwords, "matches", matches)
    impatient = asyncio.create_task(senders.authenticate("ana", "right"))
    patient = asyncio.create_task(senders.authenticate("ana", "right"))
    await checking.wait()
    impatient.cancel()
    answer.set()
    assert await patient == ana


async def test_nothing_remembered_gives_the_password_away(senders: Senders, ana: Sender) -> None:
    await senders.authenticate("ana", "right")
    assert "right" not in repr([vars(senders), vars(senders._checks), vars(senders._accounts)])


async def test_a_new_password(senders: Senders, ana: Sender) -> None:
    await senders.authenticate("ana", "right")
    token = await senders.open_session(ana.id, 60)
    await senders.set_password(ana.id, "new")
    assert await senders.authenticate("ana", "right") is None
    assert await senders.authenticate("ana", "new") == ana
    assert await senders.session(token) is None


async def test_an_old_hash_is_renewed_at_the_next_login(
    senders: Senders, ana: Sender, store: Store, elsewhere: Callable[[str], object]
) -> None:
    old = OTHER_HASHER.hash("right")
    elsewhere(f"UPDATE sender SET password_hash = '{old}'")
    assert await senders.authenticate("ana", "right") == ana
    [row] = await store.read(text("SELECT password_hash FROM sender"))
    assert row.password_hash != old
    assert OTHER_HASHER.check_needs_rehash(row.password_hash)
    assert await senders.authenticate("ana", "right") == ana


@pytest.mark.usefixtures("impatient")
async def test_a_hash_that_cannot_be_renewed_still_lets_in(
    locked: Lock, senders: Senders, ana: Sender, elsewhere: Callable[[str], object]
) -> None:
    elsewhere(f"UPDATE sender SET password_hash = '{OTHER_HASHER.hash('right')}'")
    with locked():
        assert await senders.authenticate("ana", "right") == ana


async def test_own_changes_show_at_once(senders: Senders, ana: Sender) -> None:
    assert await senders.current(ana.id) == ana
    changed = await senders.set_tracking(ana.id, opens=False, sticky=False, per_recipient=True)
    assert changed == replace(ana, opens=False, sticky=False, per_recipient=True)
    assert await senders.current(ana.id) == changed
    assert await senders.set_tracking(ana.id) == changed
    await senders.set_addresses(ana.id, ["new@x.org"])
    assert await senders.current(ana.id) == replace(changed, addresses=("new@x.org",))


async def test_changes_from_elsewhere_show_within_five_seconds(
    senders: Senders, ana: Sender, clock: list[float], elsewhere: Callable[[str], object]
) -> None:
    assert await senders.current(ana.id) == ana
    elsewhere("UPDATE sender SET opens = false")
    clock[0] += 4.9
    assert await senders.current(ana.id) == ana
    assert await senders.find("ana") == replace(ana, opens=False)
    clock[0] += 0.2
    assert await senders.current(ana.id) == replace(ana, opens=False)
    elsewhere("DELETE FROM sender")
    clock[0] += 5
    assert await senders.current(ana.id) is None


async def test_a_read_overtaken_by_a_change_is_not_remembered(
    senders: Senders, ana: Sender
) -> None:
    """Otherwise the old row would show for five seconds."""
    reading = asyncio.create_task(senders.current(ana.id))
    await asyncio.sleep(0)
    changed = await senders.set_tracking(ana.id, clicks=False)
    await reading
    assert await senders.current(ana.id) == changed


async def test_a_known_sender_stays_known_while_the_store_is_away(
    senders: Senders, ana: Sender, store: Store, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await senders.authenticate("ana", "right") == ana
    assert await senders.current(ana.id) == ana

    async def fail(*args: object) -> None:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(store, "read", fail)
    clock[0] += 50
    assert await senders.authenticate("ana", "right") == ana
    assert await senders.current(ana.id) == ana
    with pytest.raises(StoreUnavailable):
        await senders.authenticate("ben", "right")
    with pytest.raises(StoreUnavailable):
        await senders.current(99)


async def test_memory_is_bounded(
    senders: Senders, ana: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_REMEMBERED", 3)
    for number in range(5):
        await senders.add(f"sender {number}", "right", [])
        assert await senders.current(ana.id) == ana
        assert await senders.authenticate(f"sender {number}", "right")
        assert len(senders._checks._verified) <= 3
        assert len(senders._accounts._rows) <= 3


async def test_a_session(senders: Senders, ana: Sender, store: Store) -> None:
    token = await senders.open_session(ana.id, 60)
    assert await senders.session(token) == ana
    assert await senders.session(token + "x") is None
    assert await senders.session("\ud800") is None
    [row] = await store.read(text("SELECT token_hash FROM session"))
    assert token.encode() not in row.token_hash
    await senders.close_session(token)
    assert await senders.session(token) is None
    await senders.close_session(token)


async def test_a_session_ends(
    senders: Senders, ana: Sender, store: Store, clock: list[float]
) -> None:
    over = await senders.open_session(ana.id, 10)
    kept = await senders.open_session(ana.id, 100)
    clock[0] += 10
    assert await senders.session(over) is None
    assert await senders.session(kept) == ana
    await senders.open_session(ana.id, 100)  # sweeps
    assert len(await store.read(text("SELECT 1 FROM session"))) == 2


async def test_who_is_gone_is_said(senders: Senders) -> None:
    for change in (
        senders.set_password(9, "new"),
        senders.set_addresses(9, []),
        senders.set_enabled(9, True),
        senders.set_tracking(9, opens=True),
        senders.set_tracking(9),
        senders.remove(9),
        senders.open_session(9, 60),
    ):
        with pytest.raises(SenderError, match="no sender 9"):
            await change


async def test_removing_takes_everything_along(
    senders: Senders, store: Store, make_sent: Callable[..., Sent], sender_id: int
) -> None:
    """`sender_id` is a sender made without a password; another one must stay."""
    ben = await senders.add("ben", "right", ["ben@x.org"])
    await store.record_sent(make_sent())
    await store.record_sent(make_sent(sender_id=ben.id))
    await senders.open_session(sender_id, 60)
    await senders.remove(sender_id)
    assert await senders.current(sender_id) is None
    assert await senders.list() == (ben,)
    left = "SELECT sender_id FROM {} WHERE sender_id = " + str(sender_id)
    for table in ("message", "session", "sender_address"):
        assert await store.read(text(left.format(table))) == []
    assert len(await store.read(text("SELECT 1 FROM message"))) == 1


@pytest.mark.usefixtures("impatient")
async def test_every_change_says_when_the_store_is_locked(
    place: Place, senders: Senders, ana: Sender
) -> None:
    token = await senders.open_session(ana.id, 60)
    with place.locked():
        outcomes = await asyncio.gather(
            senders.add("ben", "right", []),
            senders.set_password(ana.id, "new"),
            senders.set_addresses(ana.id, []),
            senders.set_enabled(ana.id, False),
            senders.set_tracking(ana.id, opens=False),
            senders.remove(ana.id),
            senders.open_session(ana.id, 60),
            senders.close_session(token),
            return_exceptions=True,
        )
        assert {type(each) for each in outcomes} == {StoreUnavailable}
        assert all(place.lock_error in str(each) for each in outcomes)
        assert await senders.current(ana.id) == ana
        assert await senders.session(token) == ana
    assert await senders.list() == (ana,)


def test_a_login_without_an_end_is_cut_before_it_is_compared() -> None:
    """Normalizing takes the square of a text's length, and strangers write logins."""
    assert len(login_key("\u0345\u0316" * 500_000)) < 2_000
