"""A sender's notifications as an Atom feed (RFC 4287) behind a secret address.

The address is all that a feed reader shows, so whoever has it reads the feed: it is long, can be
made anew, and only its hash is kept. It tells of its sender's notifications and of nothing else.
"""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from uuid import NAMESPACE_URL, uuid5

from lxml import etree
from sqlalchemy import Connection, bindparam, delete, insert, select

from collector.outward.outbox import NEWS_COLUMNS, News, read_news
from collector.schema import atom, message, notification, sender
from collector.store import Store

ENTRIES = 100
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
NAMESPACE = "http://www.w3.org/2005/Atom"
# What XML 1.0 takes in no form.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed's address opens; times in milliseconds since the epoch. The newest first."""

    sender_id: int
    language: str
    created_at_ms: int
    news: Sequence[News]


class Feeds:
    """Every method may raise StoreUnavailable."""

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._now_ms = now_ms

    async def since(self, sender_id: int) -> int | None:
        """When the sender's feed was made, in milliseconds since the epoch; None: there is none."""
        rows = await self._store.read(_OF, {"of_sender": sender_id})
        return rows[0].created_at_ms if rows else None

    async def make(self, sender_id: int, language: str) -> str:
        """A new feed's token, which nobody can ask for again; the address of before is closed."""
        token = secrets.token_urlsafe(32)
        row = {
            "sender_id": sender_id,
            "token_hash": _hashed(token),
            "language": language,
            "created_at_ms": self._now_ms(),
        }
        await self._store.write(partial(_replace, row=row))
        return token

    async def close(self, sender_id: int) -> None:
        """Its address opens nothing any more."""
        await self._store.change(_CLOSE, {"of_sender": sender_id})

    async def open(self, token: str) -> Feed | None:
        """The feed behind a token; None where there is none, or its sender is disabled."""
        if not TOKEN.fullmatch(token):
            return None
        rows = await self._store.read(_BEHIND, {"hashed": _hashed(token)})
        if not rows:
            return None
        [row] = rows
        news = await self._store.read(_NEWS, {"of_sender": row.sender_id})
        return Feed(
            row.sender_id,
            row.language,
            row.created_at_ms,
            [read_news(each) for each in news],
        )


def write_feed(
    feed: Feed, *, address: str, public_url: str, title: str, headline: Callable[[News], str]
) -> bytes:
    """The feed as XML. `address` is its own, `headline` says what an entry tells."""
    root = etree.Element(f"{{{NAMESPACE}}}feed", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    root.set("{http://www.w3.org/XML/1998/namespace}lang", feed.language)
    updated = max((each.last_ms for each in feed.news), default=feed.created_at_ms)
    _add(root, "id", _id(address))
    _add(root, "title", title)
    _add(root, "updated", _moment(updated))
    _add(_add(root, "author"), "name", "Letterbell")
    _add(root, "link", rel="self", type="application/atom+xml", href=address)
    _add(root, "link", rel="alternate", type="text/html", href=f"{public_url}/")
    for each in feed.news:
        entry = _add(root, "entry")
        page = f"{public_url}/mail/{each.message_id}"
        _add(entry, "id", _id(f"{page}/{each.kind}/{each.recipient}/{each.first_ms}"))
        _add(entry, "title", headline(each))
        _add(entry, "published", _moment(each.first_ms))
        _add(entry, "updated", _moment(each.last_ms))
        _add(entry, "link", rel="alternate", type="text/html", href=page)
        _add(entry, "content", each.subject or headline(each), type="text")
    octets: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return octets


def etag(octets: bytes) -> str:
    """RFC 9110 §8.8.3, strong."""
    return f'"{blake2b(octets, digest_size=12).hexdigest()}"'


def _add(parent: etree._Element, name: str, text: str = "", **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
    if text:
        element.text = _NO_XML.sub("\ufffd", text)
    return element


def _id(name: str) -> str:
    return uuid5(NAMESPACE_URL, name).urn


def _moment(at_ms: int) -> str:
    """RFC 3339."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hashed(token: str) -> bytes:
    return blake2b(token.encode("ascii"), digest_size=32).digest()


def _replace(connection: Connection, row: dict[str, object]) -> None:
    connection.execute(_CLOSE, {"of_sender": row["sender_id"]})
    connection.execute(insert(atom), row)


_OF_SENDER = atom.c.sender_id == bindparam("of_sender")
_OF = select(atom.c.created_at_ms).where(_OF_SENDER)
_CLOSE = delete(atom).where(_OF_SENDER)
_BEHIND = (
    select(atom.c.sender_id, atom.c.language, atom.c.created_at_ms)
    .join(sender)
    .where(atom.c.token_hash == bindparam("hashed"), sender.c.enabled)
)
_NEWS = (
    select(*NEWS_COLUMNS)
    .select_from(notification)
    .join(message, message.c.id == notification.c.message_id)
    .where(notification.c.sender_id == bindparam("of_sender"))
    .order_by(notification.c.id.desc())
    .limit(ENTRIES)
)
