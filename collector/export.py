"""Everything that the store has about one person, item by item, as docs/export.schema.json says.

Of others it tells no more than is needed: who sent them mail, and with how many they shared a copy.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BindParameter, Row, Select, Text, bindparam, cast, func, select

from collector import client
from collector.person import Person
from collector.schema import (
    agent,
    api_key,
    atom,
    consent,
    device,
    digest,
    hit,
    message,
    notification,
    sender,
    sender_address,
    session,
    target,
)
from collector.store import Store

AT_ONCE = 500  # rows that are read in one go

Item = dict[str, Any]
Part = Callable[[Store, Person], AsyncIterator[Item]]


async def _accounts(store: Store, person: Person) -> AsyncIterator[Item]:
    """Whom they sign in as, or send mail as."""
    for row in await _find_accounts(store, person):
        own = {"of_sender": row.id}
        addresses = await store.read(_ADDRESSES, own)
        yield {
            "login": row.login,
            "addresses": [each.address for each in addresses],
            "enabled": row.enabled,
            "opens": row.opens,
            "clicks": row.clicks,
            "sticky": row.sticky,
            "per_recipient": row.per_recipient,
            "consent": row.consent,
            "notify": row.notify,
            "has_password": row.password_hash is not None,
            "created": moment(row.created_at_ms),
            "devices": [
                {
                    "name": each.name,
                    "created": moment(each.created_at_ms),
                    "last_used": moment(each.last_used_at_ms),
                }
                for each in await store.read(_DEVICES, own)
            ],
            "api_keys": [
                {
                    "name": each.name,
                    "scope": each.scope,
                    "created": moment(each.created_at_ms),
                    "last_used": moment(each.last_used_at_ms),
                }
                for each in await store.read(_API_KEYS, own)
            ],
            "targets": [
                {
                    "kind": each.kind,
                    "address": each.shown,
                    "language": each.language,
                    "created": moment(each.created_at_ms),
                    "last_sent": moment(each.sent_at_ms),
                    "last_failed": moment(each.failed_at_ms),
                    "switched_off": moment(each.disabled_at_ms),
                }
                for each in await store.read(_TARGETS, own)
            ],
            "digest": [{"language": each.language} for each in await store.read(_DIGEST, own)],
            "feed": [
                {"language": each.language, "created": moment(each.created_at_ms)}
                for each in await store.read(_FEED, own)
            ],
            "sessions": [
                {"expires": moment(each.expires_at_ms)} for each in await store.read(_SESSIONS, own)
            ],
        }


async def _received(store: Store, person: Person) -> AsyncIterator[Item]:
    """Mail to them, and the hits that are theirs or may be."""
    mentioning = cast(message.c.recipients, Text).icontains(person.needle)
    async for row in _each(store, _MESSAGES.where(mentioning)):
        ordinals = [n for n, each in enumerate(row.recipients, 1) if person.is_at(each)]
        if not ordinals:
            continue
        outcomes = {ordinal: (state, words) for ordinal, state, words in row.outcomes or ()}
        state, said = outcomes.get(ordinals[0], (row.state, row.reply))
        everybody = len({each.casefold() for each in row.recipients})
        theirs = {*ordinals, 0} if everybody == 1 else {*ordinals}
        hits = await store.read(_HITS, {"of_message": row.id})
        yield {
            **_message(row),
            "sender": row.login,
            "recipients": everybody,
            "state": state,
            "said": said,
            "hits": [
                {**_hit(each), "whose": "theirs" if each.recipient in theirs else "shared"}
                for each in hits
                if each.recipient in {*theirs, 0}
            ],
            "notifications": [
                {**_news(each), "whose": "theirs" if each.recipient in theirs else "shared"}
                for each in await store.read(_NEWS, {"of_message": row.id})
                if each.recipient in {*theirs, 0}
            ],
        }


async def _sent(store: Store, person: Person) -> AsyncIterator[Item]:
    """Mail from their account, as their own pages show it."""
    ids = [row.id for row in await _find_accounts(store, person)]
    async for row in _each(store, _MESSAGES.where(message.c.sender_id.in_(ids))):
        hits = await store.read(_HITS, {"of_message": row.id})
        yield {
            **_message(row),
            "recipients": row.recipients,
            "state": row.state,
            "said": row.reply,
            "outcomes": [
                {"recipient": row.recipients[ordinal - 1], "state": state, "said": words}
                for ordinal, state, words in row.outcomes or ()
            ],
            "open_count": row.open_count,
            "click_count": row.click_count,
            "hits": [
                {
                    **_hit(each),
                    "recipient": row.recipients[each.recipient - 1] if each.recipient else None,
                }
                for each in hits
            ],
            "notifications": [
                {
                    **_news(each),
                    "recipient": row.recipients[each.recipient - 1] if each.recipient else None,
                    "read": moment(each.read_at_ms),
                }
                for each in await store.read(_NEWS, {"of_message": row.id})
            ],
        }


async def _decisions(store: Store, person: Person) -> AsyncIterator[Item]:
    """What they have agreed to and refused, towards each sender."""
    for row in await store.read(_DECISIONS.where(consent.c.address.icontains(person.needle))):
        if person.is_at(row.address):
            yield {
                "sender": row.login,
                "kind": row.kind,
                "granted": row.granted,
                "at": moment(row.at_ms),
                "how": row.how,
                "text_version": row.text_version,
            }


# What is known of people, a part for each table that knows of them.
PARTS: Mapping[str, Part] = {
    "accounts": _accounts,
    "received": _received,
    "sent": _sent,
    "decisions": _decisions,
}


def moment(at_ms: int | None) -> str | None:
    """A time in ISO 8601, UTC."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


async def find_logins(store: Store, person: Person) -> list[str]:
    """The logins that are theirs. Raises StoreUnavailable."""
    return [row.login for row in await _find_accounts(store, person)]


async def _find_accounts(store: Store, person: Person) -> Sequence[Row[Any]]:
    addresses = await store.read(select(sender_address))
    ids = {row.sender_id for row in addresses if person.is_at(row.address)}
    rows = await store.read(select(sender).order_by(sender.c.login_key))
    return [row for row in rows if row.id in ids or person.is_at(row.login)]


async def _each(store: Store, query: Select[Any]) -> AsyncIterator[Row[Any]]:
    """The messages of a query, oldest first."""
    query = query.where(message.c.id > bindparam("after")).order_by(message.c.id).limit(AT_ONCE)
    after = -1
    while rows := await store.read(query, {"after": after}):
        for row in rows:
            yield row
        after = rows[-1].id


def _message(row: Row[Any]) -> Item:
    return {
        "id": f"{row.id:x}",
        "sent": moment(row.sent_at_ms),
        "delivered": moment(row.delivered_at_ms),
        "from": row.mail_from,
        "subject": row.subject,
        "message_id": row.message_id_header,
        "opens": row.opens,
        "clicks": row.clicks,
        "untracked_reason": row.untracked_reason,
        "per_recipient": row.per_recipient,
        "stopped": moment(row.stopped_at_ms),
        "links": [{"link": ordinal, "target": target} for ordinal, target, _ in row.links],
    }


def _hit(row: Row[Any]) -> Item:
    return {
        "at": moment(row.at_ms),
        "kind": row.kind,
        "link": row.link,
        "verdict": row.verdict,
        "rule": row.rule,
        "network": None if row.network is None else client.show(row.network),
        "agent": row.text,
    }


def _news(row: Row[Any]) -> Item:
    return {
        "kind": row.kind,
        "verdict": row.verdict,
        "count": row.count,
        "first": moment(row.first_ms),
        "last": moment(row.last_ms),
    }


_DECISIONS = select(consent, sender.c.login).join(sender).order_by(consent.c.id)
_MESSAGES = select(message, sender.c.login).join(sender)
_HITS = (
    select(hit, func.coalesce(agent.c.text, "").label("text"))
    .outerjoin(agent, hit.c.agent_id == agent.c.id)
    .where(hit.c.message_id == bindparam("of_message"))
    .order_by(hit.c.id)
)
_NEWS = (
    select(notification)
    .where(notification.c.message_id == bindparam("of_message"))
    .order_by(notification.c.id)
)
_OF_SENDER: BindParameter[int] = bindparam("of_sender")
_ADDRESSES = (
    select(sender_address)
    .where(sender_address.c.sender_id == _OF_SENDER)
    .order_by(sender_address.c.position)
)
_API_KEYS = select(api_key).where(api_key.c.sender_id == _OF_SENDER).order_by(api_key.c.id)
_DEVICES = select(device).where(device.c.sender_id == _OF_SENDER).order_by(device.c.id)
_TARGETS = select(target).where(target.c.sender_id == _OF_SENDER).order_by(target.c.id)
_DIGEST = select(digest.c.language).where(digest.c.sender_id == _OF_SENDER)
_FEED = select(atom.c.language, atom.c.created_at_ms).where(atom.c.sender_id == _OF_SENDER)
_SESSIONS = select(session).where(session.c.sender_id == _OF_SENDER)
