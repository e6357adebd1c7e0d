"""API keys: shown once, one sender's, gone when revoked."""

import re
from collections.abc import Callable

import pytest
from places import Place
from sqlalchemy import text

from collector import passes
from collector.api.keys import ApiKeys
from collector.errors import StoreUnavailable
from collector.roster import SenderError
from collector.store import Store


@pytest.fixture
def keys(store: Store) -> ApiKeys:
    return ApiKeys(store)


async def test_a_keys_life(keys: ApiKeys, sender_id: int) -> None:
    made = await keys.add(sender_id, " The CRM ", "read")
    assert re.fullmatch(r"letterbell_[a-z2-7]{16}_[a-z2-7]{52}", made)
    [listed] = await keys.list(sender_id)
    assert (listed.sender_id, listed.name, listed.scope) == (sender_id, "The CRM", "read")
    assert listed.last_used_at_ms is None
    assert await keys.check(made) == listed
    await keys.revoke(sender_id, "The CRM")
    assert await keys.check(made) is None
    assert await keys.list(sender_id) == ()


@pytest.mark.parametrize(
    ("scope", "reads", "writes"), [("read", True, False), ("write", True, True)]
)
async def test_what_it_allows(
    keys: ApiKeys, sender_id: int, scope: str, reads: bool, writes: bool
) -> None:
    key = await keys.check(await keys.add(sender_id, "x", scope))
    assert key
    assert (key.allows("read"), key.allows("write")) == (reads, writes)


async def test_what_is_no_key(keys: ApiKeys, sender_id: int) -> None:
    one, other = [await keys.add(sender_id, name, "read") for name in ("one", "other")]
    name, key, secret = one.split("_")
    mixed = f"{name}_{key}_{other.split('_')[2]}"
    altered = f"{name}_{key}_{'b' if secret[0] == 'a' else 'a'}{secret[1:]}"
    for wrong in (mixed, altered, one[:-1], f"{one}\n", one.upper(), secret, "", f"{one}\udcff"):
        assert await keys.check(wrong) is None


async def test_it_is_kept_as_a_hash_and_shown_by_nothing(
    keys: ApiKeys, sender_id: int, store: Store
) -> None:
    made = await keys.add(sender_id, "x", "write")
    _, key, secret = made.split("_")
    [row] = await store.read(text("SELECT * FROM api_key"))
    assert len(row.secret_hash) == 32
    assert secret.encode() not in row.secret_hash
    listed = await keys.list(sender_id)
    assert secret not in repr([row, listed])
    assert key not in repr(listed)


async def test_revoked_elsewhere_it_ends_within_five_seconds(
    keys: ApiKeys, sender_id: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(passes.time, "monotonic", lambda: now[0])
    made = await keys.add(sender_id, "x", "read")
    assert await keys.check(made)
    await ApiKeys(store).revoke(sender_id, "x")
    now[0] += 5
    assert await keys.check(made) is None


async def test_its_use_is_noted_hourly(keys: ApiKeys, sender_id: int, store: Store) -> None:
    made = await keys.add(sender_id, "x", "read")
    await keys.check(f"{made[:-1]}{'a' if made[-1] != 'a' else 'b'}")
    await store.check()
    assert (await keys.list(sender_id))[0].last_used_at_ms is None
    posted = 0
    post = store.post

    def count(*arguments: object) -> None:
        nonlocal posted
        posted += 1
        post(*arguments)  # type: ignore[arg-type]

    store.post = count  # type: ignore[method-assign]
    for _ in range(3):
        assert await keys.check(made)
    await store.check()  # waits for what was posted before it
    [used] = await keys.list(sender_id)
    assert used.last_used_at_ms
    assert used.last_used_at_ms >= used.created_at_ms
    assert posted == 1


async def test_mistakes_are_named(keys: ApiKeys, sender_id: int, add_sender: Callable) -> None:
    await keys.add(sender_id, "x", "read")
    await keys.add(await add_sender("ben"), "x", "read")
    with pytest.raises(SenderError, match="there is an API key 'x' already; choose another name"):
        await keys.add(sender_id, "x", "write")
    with pytest.raises(SenderError, match="there is no API key 'y'"):
        await keys.revoke(sender_id, "y")
    with pytest.raises(SenderError, match="no sender 9"):
        await keys.add(9, "x", "read")
    with pytest.raises(SenderError, match="is no name; use 1 to 100"):
        await keys.add(sender_id, "a\nb", "read")


async def test_they_go_with_their_sender(keys: ApiKeys, sender_id: int, store: Store) -> None:
    await keys.add(sender_id, "x", "read")
    await store.write(lambda connection: connection.execute(text("DELETE FROM sender")))
    assert await store.read(text("SELECT 1 FROM api_key")) == []


@pytest.mark.usefixtures("impatient")
async def test_every_change_says_when_the_store_is_locked(
    place: Place, keys: ApiKeys, sender_id: int
) -> None:
    await keys.add(sender_id, "x", "read")
    with place.locked():
        for change in (keys.add(sender_id, "y", "read"), keys.revoke(sender_id, "x")):
            with pytest.raises(StoreUnavailable, match=place.lock_error):
                await change
