"""Cursors of hits: where a list goes on, sealed.

Hits are numbered across all senders, so a number in clear would tell how many hits the others had.
A cursor is one sender's, for one list: elsewhere it does not open. It lives as long as the token
key that sealed it is configured.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from collector.tokens import Tokens

PATTERN = r"^[A-Za-z0-9_-]{32}$"  # 8 bytes of position and 16 of AES-SIV's tag


class Cursors:
    """Seals with the token key that signs, opens with all of them."""

    def __init__(self, tokens: Tokens) -> None:
        self._ciphers = [AESSIV(secret) for secret in tokens.derive(b"api cursor")]

    def seal(self, position: int, sender_id: int, what: str) -> str:
        """The cursor at a position of the list `what` of this sender."""
        sealed = self._ciphers[0].encrypt(position.to_bytes(8), _scope(sender_id, what))
        return urlsafe_b64encode(sealed).decode("ascii")

    def open(self, cursor: str, sender_id: int, what: str) -> int | None:
        """The position; None for what matches PATTERN, but is no cursor of this list."""
        sealed = urlsafe_b64decode(cursor)
        for cipher in self._ciphers:
            try:
                return int.from_bytes(cipher.decrypt(sealed, _scope(sender_id, what)))
            except InvalidTag:
                continue
        return None


def _scope(sender_id: int, what: str) -> list[bytes]:
    return [str(sender_id).encode(), what.encode()]
