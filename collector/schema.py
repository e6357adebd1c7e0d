"""The tables, as SQLAlchemy Core: what is kept, and why each index is there.

Times are integer milliseconds since the epoch, UTC (`*_ms`). `hit` is the only table that grows
without bound, so a hit is a few small columns: its agent is a number in the dictionary `agent`,
its address a few bytes, and what lists need (counts, first, last) stands on the message's own row,
changed in the transaction that stores the hits.
"""

from typing import Any, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

from collector.consent import HOWS, MODES, Kind
from collector.folding import NOTIFY
from collector.verdict import KINDS

# SQLite gives a table its row id for a key only if the type reads INTEGER; it holds 64 bits all
# the same.
BigKey = BigInteger().with_variant(Integer, "sqlite")


class Word(TypeDecorator[str]):
    """One of a list of words, kept as its number in the list. Only ever append to such a list."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, words: tuple[str, ...]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else self.words.index(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.words[value]


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# A person or an app with a login.
sender = Table(
    "sender",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("login", Text, nullable=False),
    Column("login_key", Text, nullable=False),  # the login case-folded: unique whatever its case
    Column("password_hash", Text),  # argon2id, with its parameters; none: nobody may sign in by it
    Column("opens", Boolean, nullable=False),  # the sender's two toggles
    Column("clicks", Boolean, nullable=False),
    Column("sticky", Boolean, nullable=False),  # a choice for one message becomes the new default
    Column("enabled", Boolean, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    # Whether each recipient gets a copy of their own, so that hits tell who.
    Column("per_recipient", Boolean, nullable=False, server_default=false()),
    Column("consent", Word(MODES)),  # whether recipients must agree; none: as the site has it
    # Which believed hits they are notified of: the first ones, unless they wish otherwise.
    Column("notify", Word(NOTIFY), nullable=False, server_default="1"),
    UniqueConstraint("login_key"),
)

# The addresses a sender may send as; "*@example.com" allows a whole domain.
sender_address = Table(
    "sender_address",
    metadata,
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("position", SmallInteger, nullable=False),  # the first one is shown
    Column("address", Text, nullable=False),
    PrimaryKeyConstraint("sender_id", "address"),
)

# A mail program or app of a sender's, with a password of its own: KEY-SECRET, made by us.
device = Table(
    "device",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),  # finds the row, so that one hash is computed
    Column("secret_hash", Text, nullable=False),  # argon2id
    Column("created_at_ms", BigInteger, nullable=False),
    Column("last_used_at_ms", BigInteger),  # to the hour
    UniqueConstraint("sender_id", "name"),
    UniqueConstraint("key"),
)

SCOPES = ("read", "write")

# A program of a sender's that uses the JSON API, with a key of its own: made by us, too.
api_key = Table(
    "api_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),  # finds the row
    Column("secret_hash", LargeBinary, nullable=False),  # keeps 256 random bits: no argon2id
    Column("scope", Word(SCOPES), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("last_used_at_ms", BigInteger),  # to the hour
    UniqueConstraint("sender_id", "name"),
    UniqueConstraint("key"),
)

# Who is signed in to the pages. Only the hash of the cookie's value is kept.
session = Table(
    "session",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Index(None, "sender_id"),  # all of a sender's, when a password changes or the sender goes
    Index(None, "expires_at_ms"),  # the expired ones, to sweep
)

STATES = ("sending", "delivered", "deferred", "refused", "queued")

# One submission. Its id is the one in its tokens: time-ordered, so "newest first" is "highest id
# first". The wide columns stand last: lists then never read the pages that they overflow to.
message = Table(
    "message",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=False),
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("sent_at_ms", BigInteger, nullable=False),
    Column("delivered_at_ms", BigInteger),  # when upstream took it
    Column("state", Word(STATES), nullable=False),
    Column("opens", Boolean, nullable=False),  # what was tracked, after all rules
    Column("clicks", Boolean, nullable=False),
    # Believed (a person, or a proxy for one) and raw counts; the times are of believed hits.
    Column("open_count", Integer, nullable=False),
    Column("raw_open_count", Integer, nullable=False),
    Column("first_open_ms", BigInteger),
    Column("last_open_ms", BigInteger),
    Column("click_count", Integer, nullable=False),
    Column("raw_click_count", Integer, nullable=False),
    Column("first_click_ms", BigInteger),
    Column("last_click_ms", BigInteger),
    Column("subject", Text, nullable=False),
    # ["ana@example.com", …]: a recipient's ordinal is its place here, from 1
    Column("recipients", JSON, nullable=False),
    Column("mail_from", Text, nullable=False),
    Column("message_id_header", Text, nullable=False),
    Column("untracked_reason", Text),  # why nothing was rewritten, if nothing was
    Column("reply", Text, nullable=False),  # upstream's own words
    Column(
        "links", JSON, nullable=False
    ),  # [[ordinal, target, html], …]: one row, however many links
    Column("per_recipient", Boolean, nullable=False, server_default=false()),
    Column("shared_reason", Text),  # why one copy went to all though the sender wished otherwise
    # [[recipient's ordinal, state, words], …], where they did not all fare as `state` says
    Column("outcomes", JSON(none_as_null=True)),
    Column("stopped_at_ms", BigInteger),  # since when no hit is recorded, if the sender wished it
    # [[recipient's ordinal, "open" or "click", "refused" or "no consent"], …]: not tracked though
    # the message was
    Column("objected", JSON(none_as_null=True)),
    Index(None, "sender_id", "id"),  # a sender's list, newest first
)

# User agents or their families (families.py), each kept once.
agent = Table(
    "agent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),  # at most 300 characters, without control characters
    UniqueConstraint("text"),
)

HIT_KINDS: tuple[Kind, ...] = get_args(Kind)

# One fetched pixel or followed link.
hit = Table(
    "hit",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("message_id", ForeignKey("message.id", ondelete="CASCADE"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", Word(HIT_KINDS), nullable=False),
    Column("recipient", Integer, nullable=False),  # 0: one of those who share the copy
    Column("link", Integer),  # which link, of a click
    Column("verdict", Word(KINDS), nullable=False),  # what we believe made it
    Column("rule", Text, nullable=False),  # by which rule of verdict.py
    # Where it came from: the /24 (3 bytes) or /48 (6), or the whole address (4 or 16).
    Column("network", LargeBinary),
    Column("agent_id", ForeignKey("agent.id")),
    Index(None, "message_id"),  # one message's hits
)

# What a sender is notified of: believed hits on one copy of a message, folded while it is unread.
# Ids are never used again, so whoever has seen one finds what came since.
notification = Table(
    "notification",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", ForeignKey("message.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Word(HIT_KINDS), nullable=False),
    Column("recipient", Integer, nullable=False),  # 0: one of those who share the copy
    Column("verdict", Word(KINDS), nullable=False),  # on the first of its hits
    Column("count", Integer, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("read_at_ms", BigInteger),
    Index(None, "sender_id", "read_at_ms"),  # a sender's, the unread ones alone, too
    Index(None, "message_id", "kind", "recipient"),  # whether there is one of a copy already
    sqlite_autoincrement=True,
)

# What recipients have decided of being tracked by a sender. Rows are only added, as proof; the
# newest of an address and kind holds.
consent = Table(
    "consent",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("address_hash", LargeBinary, nullable=False),  # keyed: what stays of an erased address
    Column("address", Text),
    Column("kind", Word(HIT_KINDS), nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("how", Word(HOWS), nullable=False),
    Column("text_version", Text),  # of the notice's words
    # A sender's decisions about an address, whether there are any, and whether any is a refusal.
    Index(None, "sender_id", "granted", "address_hash"),
)

TARGET_KINDS = ("webhook", "service")

# Where a sender's notifications are sent to, beside the pages.
target = Table(
    "target",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Word(TARGET_KINDS), nullable=False),
    Column("shown", Text, nullable=False),  # its address for people, without what is secret
    Column("sealed", LargeBinary, nullable=False),  # its address and secret (outward/sealing.py)
    Column("language", Text, nullable=False),  # that it is written to in, ISO 639
    Column("created_at_ms", BigInteger, nullable=False),
    Column("next_at_ms", BigInteger, nullable=False),  # nothing is sent to it before
    Column("sent_at_ms", BigInteger),  # when it last took something
    Column("failed_at_ms", BigInteger),  # when it last did not, and why
    Column("reason", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("failing_since_ms", BigInteger),  # none: it took what was sent last
    Column("failures", Integer, nullable=False, server_default="0"),  # since then
    Column("left_out", Integer, nullable=False, server_default="0"),  # that were given up
    Column("disabled_at_ms", BigInteger),  # since when nothing is sent to it any more
    Index(None, "sender_id"),
)

# Notifications on their way to a target. What is told of them is read when they are sent.
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("target_id", ForeignKey("target.id", ondelete="CASCADE"), nullable=False),
    Column("notification_id", ForeignKey("notification.id", ondelete="CASCADE"), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("next_at_ms", BigInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),  # that failed by it alone
    Index(None, "target_id", "next_at_ms"),  # what is due at a target
    Index(None, "notification_id"),  # those of one that goes
    Index(None, "created_at_ms"),  # the oldest, to sweep
)

# Senders who get a mail a day of their notifications.
digest = Table(
    "digest",
    metadata,
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), primary_key=True),
    Column("language", Text, nullable=False),
    Column("since_id", BigInteger, nullable=False),  # the notification up to which it told
    Column("next_at_ms", BigInteger, nullable=False),
    Index(None, "next_at_ms"),
)

# Senders whose notifications feed readers may read. Only the hash of the address's token is kept.
atom = Table(
    "atom",
    metadata,
    Column("sender_id", ForeignKey("sender.id", ondelete="CASCADE"), primary_key=True),
    Column("token_hash", LargeBinary, nullable=False),
    Column("language", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    UniqueConstraint("token_hash"),
)

# What this database alone knows.
secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),  # "consent": the key of address_hash
    Column("value", LargeBinary, nullable=False),
)
