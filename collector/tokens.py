"""The signed tokens in tracked links: minted and read here, and nowhere else.

Invariant: a token that reads back was minted here, for that kind, byte for byte. Whatever differs
in one character (also one that base64 would forgive) reads as None, and nothing tells forged from
unknown.

    token  = base64url, unpadded, of head || target || mac
    head   = version(1) key(1) message(8) recipient(2), and for a click link(2)
    target = the URL's bytes; clicks only
    mac    = keyed blake2b, 16 bytes, personalised by the kind, over head || target

A click's target travels in its token, so redirects need no database.
"""

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from hmac import compare_digest

VERSION = 1
MAC_SIZE = 16
MAX_TARGET = 8_000
MAX_ORDINAL = 0xFFFF
MAX_TOKEN = -(-(14 + MAX_TARGET + MAC_SIZE) * 4 // 3)
TAIL_BITS = 21

_OPEN = struct.Struct(">BBQH")
_CLICK = struct.Struct(">BBQHH")
_WEB_ADDRESS = re.compile(rb"(?i:https?)://[\x21-\x7e]+")


class TargetRefused(ValueError):  # noqa: N818 - named for what happened
    """A link that must not be wrapped; `reason` says why, without repeating the link."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key: its number (0 to 255, part of each token), its secret (16 to 64 bytes)."""

    id: int
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.id <= 255:
            raise ValueError(f"key id {self.id} is not between 0 and 255")
        if not 16 <= len(self.secret) <= blake2b.MAX_KEY_SIZE:
            raise ValueError(f"key {self.id}: its secret must be 16 to 64 bytes long")


@dataclass(frozen=True, slots=True)
class OpenToken:
    """A pixel's token: which message, and which recipient (0: the copy that all share)."""

    message_id: int
    recipient: int


@dataclass(frozen=True, slots=True)
class ClickToken:
    """A link's token: also the link's number in the message, and where it leads (ASCII bytes)."""

    message_id: int
    recipient: int
    link: int
    target: bytes


class _Signer:
    """Keyed blake2b, one prepared state a kind: copying it costs a third of keying anew."""

    __slots__ = ("_click", "_open")

    def __init__(self, secret: bytes) -> None:
        self._open = blake2b(key=secret, digest_size=MAC_SIZE, person=b"open")
        self._click = blake2b(key=secret, digest_size=MAC_SIZE, person=b"click")

    def open(self, payload: bytes) -> bytes:
        state = self._open.copy()
        state.update(payload)
        return state.digest()

    def click(self, payload: bytes) -> bytes:
        state = self._click.copy()
        state.update(payload)
        return state.digest()


class Tokens:
    """Mints with the first key, reads with all of them, so a key can be followed by a new one."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """Raises ValueError when there is no key, or two bear one id."""
        if not keys:
            raise ValueError("no token key is configured; at least one is needed")
        self._signers = {key.id: _Signer(key.secret) for key in keys}
        if len(self._signers) != len(keys):
            raise ValueError("two token keys bear the same id; give each its own")
        self._key_id = keys[0].id
        self._signer = self._signers[self._key_id]

    def mint_open(self, message_id: int, recipient: int = 0) -> str:
        payload = _OPEN.pack(VERSION, self._key_id, message_id, recipient)
        return _spell(payload + self._signer.open(payload))

    def mint_click(self, message_id: int, recipient: int, link: int, target: bytes) -> str:
        """Signs `target` for ever. Raises TargetRefused for what no redirect may lead to."""
        if len(target) > MAX_TARGET:
            raise TargetRefused(f"the link is longer than {MAX_TARGET} bytes")
        if not _WEB_ADDRESS.fullmatch(target):
            raise TargetRefused("the link is not an http or https address in printable ASCII")
        if link > MAX_ORDINAL:
            raise TargetRefused(f"the message has more than {MAX_ORDINAL} links")
        payload = _CLICK.pack(VERSION, self._key_id, message_id, recipient, link) + target
        return _spell(payload + self._signer.click(payload))

    def read_open(self, token: str) -> OpenToken | None:
        """What the token says, or None for whatever none of our keys minted as an open."""
        raw = _unspell(token)
        if raw is None or len(raw) != _OPEN.size + MAC_SIZE:
            return None
        payload = raw[:-MAC_SIZE]
        version, key_id, message_id, recipient = _OPEN.unpack(payload)
        signer = self._signers.get(key_id)
        if version != VERSION or signer is None:
            return None
        if not compare_digest(signer.open(payload), raw[-MAC_SIZE:]):
            return None
        return OpenToken(message_id, recipient)

    def read_click(self, token: str) -> ClickToken | None:
        """What the token says, or None for whatever none of our keys minted as a click."""
        raw = _unspell(token)
        if raw is None or len(raw) <= _CLICK.size + MAC_SIZE:
            return None
        payload = raw[:-MAC_SIZE]
        version, key_id, message_id, recipient, link = _CLICK.unpack_from(payload)
        signer = self._signers.get(key_id)
        if version != VERSION or signer is None:
            return None
        if not compare_digest(signer.click(payload), raw[-MAC_SIZE:]):
            return None
        return ClickToken(message_id, recipient, link, payload[_CLICK.size :])


class MessageLinks:
    """The tracked addresses of one message's copy: what the rewriter puts into the mail."""

    __slots__ = ("_base", "_message_id", "_recipient", "_tokens")

    def __init__(self, tokens: Tokens, base_url: str, message_id: int, recipient: int = 0) -> None:
        self._tokens = tokens
        self._base = base_url.rstrip("/")
        self._message_id = message_id
        self._recipient = recipient

    def click(self, target: bytes, ordinal: int) -> str:
        """The address that counts a click and leads to `target`; raises TargetRefused."""
        token = self._tokens.mint_click(self._message_id, self._recipient, ordinal, target)
        return f"{self._base}/c/{token}"

    def pixel(self) -> str:
        """The address whose fetching counts an open."""
        return f"{self._base}/o/{self._tokens.mint_open(self._message_id, self._recipient)}"


def mint_message_id(now_ms: int, tail: int) -> int:
    """A 63-bit id that sorts by time: milliseconds since the epoch, 21 random bits (`tail`)."""
    return now_ms << TAIL_BITS | tail & (1 << TAIL_BITS) - 1


def _spell(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unspell(token: str) -> bytes | None:
    """The bytes behind a token, if this is their one spelling; base64 itself knows several."""
    if len(token) > MAX_TOKEN or not token.isascii():
        return None
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except Base64Error:
        return None
    return raw if _spell(raw) == token else None
