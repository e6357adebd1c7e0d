"""The signed tokens in tracked mail: minted and read here, and nowhere else.

Invariant: a token that reads back was minted here, for that kind, byte for byte. Whatever differs
in one character (also one that base64 would forgive) reads as None, and nothing tells forged from
unknown.

    token  = base64url, unpadded, of head || target || mac
    head   = version(1) key(1) message(8) recipient(2), and for a click link(2)
    target = the URL's bytes; clicks only
    mac    = keyed blake2b, 16 bytes, personalised by the kind, over head || target

A click's target travels in its token, so redirects need no database. The recipient's ordinal is
disguised, anew for each message: whoever reads that he is the third of them would know of others,
and of one more than the header names.
"""

import re
import struct
from base64 import urlsafe_b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest

VERSION = 1
MAC_SIZE = 16
MAX_TARGET = 8_000
MAX_ORDINAL = 0xFFFF
MAX_TOKEN = -(-(14 + MAX_TARGET + MAC_SIZE) * 4 // 3)
MAX_RECIPIENT = 65_521  # the largest prime that two bytes hold: `_Signer.disguise` reckons by it
TAIL_BITS = 21
MESSAGES_REMEMBERED = 2_000

_OPEN = struct.Struct(">BBQH")
_CLICK = struct.Struct(">BBQHH")
_MASK = struct.Struct(">QQ")
# base64url's own characters become base64's; base64's become what neither has.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/***")
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


@dataclass(frozen=True, slots=True)
class NoticeToken:
    """A notice page's token: for whom it is (0: for whoever shares the copy), of which message."""

    message_id: int
    recipient: int


class _Signer:
    """Keyed blake2b, one prepared state a kind: copying it costs a third of keying anew."""

    __slots__ = ("_click", "_mask", "_notice", "_open", "_recipient")

    def __init__(self, secret: bytes) -> None:
        self._open = blake2b(key=secret, digest_size=MAC_SIZE, person=b"open")
        self._click = blake2b(key=secret, digest_size=MAC_SIZE, person=b"click")
        self._notice = blake2b(key=secret, digest_size=MAC_SIZE, person=b"notice")
        self._recipient = blake2b(key=secret, digest_size=_MASK.size, person=b"recipient")
        # A message has many tokens, and they are asked for about the same time.
        self._mask = lru_cache(maxsize=MESSAGES_REMEMBERED)(self._find_mask)

    def open(self, payload: bytes) -> bytes:
        state = self._open.copy()
        state.update(payload)
        return state.digest()

    def click(self, payload: bytes) -> bytes:
        state = self._click.copy()
        state.update(payload)
        return state.digest()

    def notice(self, payload: bytes) -> bytes:
        state = self._notice.copy()
        state.update(payload)
        return state.digest()

    def disguise(self, message_id: int, recipient: int) -> int:
        """Another number from 1 to MAX_RECIPIENT; 0 stays 0, as a shared copy has nobody to hide.

        A line modulo a prime, drawn for the message: of one or two of its numbers nobody can tell
        which recipients they are.
        """
        if not recipient:
            return 0
        factor, _, shift = self._mask(message_id)
        return (recipient * factor + shift) % MAX_RECIPIENT + 1

    def reveal(self, message_id: int, number: int) -> int:
        """The recipient's ordinal, of what `disguise` made of it."""
        if not number:
            return 0
        _, inverse, shift = self._mask(message_id)
        return (number - 1 - shift) * inverse % MAX_RECIPIENT or MAX_RECIPIENT

    def _find_mask(self, message_id: int) -> tuple[int, int, int]:
        """A factor, its inverse and a shift, modulo MAX_RECIPIENT."""
        state = self._recipient.copy()
        state.update(message_id.to_bytes(8))
        first, second = _MASK.unpack(state.digest())
        factor = first % (MAX_RECIPIENT - 1) + 1
        return factor, pow(factor, -1, MAX_RECIPIENT), second % MAX_RECIPIENT


class Tokens:
    """Mints with the first key, reads with all of them, so a key can be followed by a new one."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """Raises ValueError when there is no key, or two bear one id."""
        self.change(keys)

    def change(self, keys: Sequence[Key]) -> None:
        """From now on these, also for threads that are minting. Raises ValueError as above."""
        if not keys:
            raise ValueError("no token key is configured; at least one is needed")
        signers = {key.id: _Signer(key.secret) for key in keys}
        if len(signers) != len(keys):
            raise ValueError("two token keys bear the same id; give each its own")
        self._signers = signers
        # One value, so that nobody finds the id of one key and the signer of another.
        self._first = keys[0].id, signers[keys[0].id]
        self._secrets = [key.secret for key in keys]

    def derive(self, purpose: bytes) -> list[bytes]:
        """A secret of 32 bytes for another purpose, of 16 bytes at most, out of each key; that of
        the key which signs comes first."""
        return [
            blake2b(key=secret, digest_size=32, person=purpose).digest() for secret in self._secrets
        ]

    def mint_open(self, message_id: int, recipient: int = 0) -> str:
        """`recipient` is an ordinal up to MAX_RECIPIENT, or 0 for all who share the copy."""
        payload, signer = self._pack(message_id, recipient)
        return _spell(payload + signer.open(payload))

    def mint_notice(self, message_id: int, recipient: int = 0) -> str:
        """As for an open: `recipient` is an ordinal, or 0 where the page must ask who it is."""
        payload, signer = self._pack(message_id, recipient)
        return _spell(payload + signer.notice(payload))

    def mint_click(self, message_id: int, recipient: int, link: int, target: bytes) -> str:
        """Signs `target` for ever. Raises TargetRefused for what no redirect may lead to."""
        if len(target) > MAX_TARGET:
            raise TargetRefused(f"the link is longer than {MAX_TARGET} bytes")
        if not _WEB_ADDRESS.fullmatch(target):
            raise TargetRefused("the link is not an http or https address in printable ASCII")
        if link > MAX_ORDINAL:
            raise TargetRefused(f"the message has more than {MAX_ORDINAL} links")
        key_id, signer = self._first
        who = signer.disguise(message_id, recipient)
        payload = _CLICK.pack(VERSION, key_id, message_id, who, link) + target
        return _spell(payload + signer.click(payload))

    def read_open(self, token: str) -> OpenToken | None:
        """What the token says, or None for whatever none of our keys minted as an open."""
        read = self._unpack(token, _Signer.open)
        return OpenToken(*read) if read else None

    def read_notice(self, token: str) -> NoticeToken | None:
        """What the token says, or None for whatever none of our keys minted as a notice."""
        read = self._unpack(token, _Signer.notice)
        return NoticeToken(*read) if read else None

    def read_click(self, token: str) -> ClickToken | None:
        """What the token says, or None for whatever none of our keys minted as a click."""
        raw = _unspell(token)
        if raw is None or len(raw) <= _CLICK.size + MAC_SIZE:
            return None
        payload = raw[:-MAC_SIZE]
        version, key_id, message_id, who, link = _CLICK.unpack_from(payload)
        signer = self._signers.get(key_id)
        if version != VERSION or signer is None:
            return None
        if not compare_digest(signer.click(payload), raw[-MAC_SIZE:]):
            return None
        recipient = signer.reveal(message_id, who)
        return ClickToken(message_id, recipient, link, payload[_CLICK.size :])

    def _pack(self, message_id: int, recipient: int) -> tuple[bytes, _Signer]:
        """A payload without a target, and who signs it."""
        key_id, signer = self._first
        who = signer.disguise(message_id, recipient)
        return _OPEN.pack(VERSION, key_id, message_id, who), signer

    def _unpack(
        self, token: str, sign: Callable[[_Signer, bytes], bytes]
    ) -> tuple[int, int] | None:
        """The message and recipient in a token without a target."""
        raw = _unspell(token)
        if raw is None or len(raw) != _OPEN.size + MAC_SIZE:
            return None
        payload = raw[:-MAC_SIZE]
        version, key_id, message_id, who = _OPEN.unpack(payload)
        signer = self._signers.get(key_id)
        if version != VERSION or signer is None:
            return None
        if not compare_digest(sign(signer, payload), raw[-MAC_SIZE:]):
            return None
        return message_id, signer.reveal(message_id, who)


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

    def notice(self) -> str:
        """The address where its reader learns what is kept, and may refuse it."""
        return f"{self._base}/p/{self._tokens.mint_notice(self._message_id, self._recipient)}"


def mint_message_id(now_ms: int, tail: int) -> int:
    """A 63-bit id that sorts by time: milliseconds since the epoch, 21 random bits (`tail`)."""
    return now_ms << TAIL_BITS | tail & (1 << TAIL_BITS) - 1


def _spell(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unspell(token: str) -> bytes | None:
    """The bytes behind a token, if this is their one spelling; base64 itself knows several."""
    if len(token) > MAX_TOKEN or not token.isascii():
        return None
    spelt = token.encode().translate(_FROM_URL) + b"==="[: -len(token) % 4]
    try:
        raw = a2b_base64(spelt)
    except Base64Error:
        return None
    return raw if b2a_base64(raw, newline=False) == spelt else None
