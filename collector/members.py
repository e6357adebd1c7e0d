"""Senders as an admin sees them: who they are and what they may do, and the day they were last
seen. Nothing of their mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Label, Select, exists, func, or_, select

from collector.periods import DAY_MS
from collector.schema import api_key, device, message, sender, sender_address, session
from collector.senders import login_key
from collector.store import Store
from collector.tokens import TAIL_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One sender; `seen_ms` is the day (its begin, UTC) that it last sent mail, signed in or had a
    program use its password or key; None: never, as far as that is still known."""

    id: int
    login: str
    addresses: tuple[str, ...]
    enabled: bool
    is_admin: bool
    has_password: bool
    created_at_ms: int
    seen_ms: int | None


@dataclass(frozen=True, slots=True)
class Members:
    """Some of those that were looked for, by login, and how many there are."""

    shown: tuple[Member, ...]
    found: int


async def read_members(store: Store, *, search: str, limit: int, session_seconds: int) -> Members:
    """Those whose login or address holds `search`, in any case. Raises StoreUnavailable."""
    wanted = _holding(search)
    [(found,)] = await store.read(select(func.count()).select_from(sender).where(*wanted))
    query = _MEMBERS.where(*wanted).order_by(sender.c.login_key).limit(limit)
    return Members(await _read(store, query, session_seconds), found)


async def read_member(store: Store, sender_id: int, *, session_seconds: int) -> Member | None:
    """One of them, if it is there. Raises StoreUnavailable."""
    found = await _read(store, _MEMBERS.where(sender.c.id == sender_id), session_seconds)
    return found[0] if found else None


def _holding(search: str) -> list[ColumnElement[bool]]:
    part = login_key(search)
    if not part:
        return []
    address = exists().where(
        sender_address.c.sender_id == sender.c.id,
        func.lower(sender_address.c.address).contains(part, autoescape=True),
    )
    return [or_(sender.c.login_key.contains(part, autoescape=True), address)]


async def _read(store: Store, query: Select[Any], session_seconds: int) -> tuple[Member, ...]:
    rows = await store.read(query)
    ids = [row.id for row in rows]
    addresses = await _read_addresses(store, ids)
    return tuple(
        Member(
            id=row.id,
            login=row.login,
            addresses=tuple(addresses.get(row.id, ())),
            enabled=row.enabled,
            is_admin=row.is_admin,
            has_password=row.has_password,
            created_at_ms=row.created_at_ms,
            seen_ms=_last_day(
                row.device_ms,
                row.key_ms,
                None if row.session_ms is None else row.session_ms - session_seconds * 1000,
                None if row.newest_id is None else row.newest_id >> TAIL_BITS,
            ),
        )
        for row in rows
    )


def _last_day(*times: int | None) -> int | None:
    last = max((each for each in times if each is not None), default=None)
    return None if last is None else last - last % DAY_MS


async def _read_addresses(store: Store, ids: Sequence[int]) -> Mapping[int, list[str]]:
    query = (
        select(sender_address.c.sender_id, sender_address.c.address)
        .where(sender_address.c.sender_id.in_(ids))
        .order_by(sender_address.c.sender_id, sender_address.c.position)
    )
    found: dict[int, list[str]] = {}
    for sender_id, address in await store.read(query):
        found.setdefault(sender_id, []).append(address)
    return found


def _newest(column: Column[Any], owner: Column[Any], name: str) -> Label[Any]:
    newest = select(func.max(column)).where(owner == sender.c.id)
    return newest.scalar_subquery().label(name)


_MEMBERS = select(
    sender.c.id,
    sender.c.login,
    sender.c.enabled,
    sender.c.is_admin,
    sender.c.password_hash.is_not(None).label("has_password"),
    sender.c.created_at_ms,
    _newest(device.c.last_used_at_ms, device.c.sender_id, "device_ms"),
    _newest(api_key.c.last_used_at_ms, api_key.c.sender_id, "key_ms"),
    _newest(session.c.expires_at_ms, session.c.sender_id, "session_ms"),
    _newest(message.c.id, message.c.sender_id, "newest_id"),
)
