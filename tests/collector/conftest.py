"""A store on each engine, a sender in it, and somebody else who locks the database."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest
from places import Place

from collector import postgres, roster, sqlite
from collector.store import Sent, SentLink, Store
from collector.tokens import mint_message_id

SENT_MS = 1_700_000_000_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The file of a store on SQLite, where `place` has it too."""
    return tmp_path / "letterbell.db"


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    opened = await Store.open(place.url)
    yield opened
    await opened.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for 20 ms, so that tests of locks are quick. Ask for it before `store`."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.02)
    monkeypatch.setattr(postgres, "LOCK_SECONDS", 0.02)


@pytest.fixture
def locked(place: Place) -> Callable[[], AbstractContextManager[None]]:
    """`with locked():` another connection holds the write lock."""
    return place.locked


@pytest.fixture
async def add_sender(store: Store) -> Callable[..., object]:
    """`await add_sender("ana")` is the id of a sender whose password nobody knows."""

    async def add(login: str) -> int:
        row = {
            "login": login,
            "login_key": login,
            "password_hash": "!",
            "opens": True,
            "clicks": True,
            "sticky": True,
            "enabled": True,
            "created_at_ms": SENT_MS,
        }
        return await store.write(lambda connection: roster.insert_sender(connection, row, []))

    return add


@pytest.fixture
async def sender_id(add_sender: Callable[..., object]) -> int:
    return await add_sender("ana")  # type: ignore[misc, no-any-return]


@pytest.fixture
def make_sent(sender_id: int) -> Callable[..., Sent]:
    """`make_sent(subject="Hi")`: one more message of that sender, a millisecond later."""
    numbers = count(1)

    def make(**changes: object) -> Sent:
        number = next(numbers)
        values: dict[str, object] = {
            "message_id": mint_message_id(SENT_MS + number, number),
            "sender_id": sender_id,
            "sent_at_ms": SENT_MS + number,
            "mail_from": "ana@example.com",
            "recipients": ("ben@example.net",),
            "subject": f"Mail {number}",
            "message_id_header": f"<{number}@example.com>",
            "opens": True,
            "clicks": True,
            "links": (SentLink(0, "https://example.com/", "<b>Look</b>"),),
        }
        return Sent(**{**values, **changes})  # type: ignore[arg-type]

    return make
