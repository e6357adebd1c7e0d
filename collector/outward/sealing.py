"""What senders' targets are reached by, encrypted where it is kept.

The addresses of services hold tokens, and webhooks have secrets. AES-256-GCM (NIST SP 800-38D)
under keys of their own, derived from the token keys, bound to the sender: whoever has the database
alone can send nothing in anybody's name, and what is copied to another sender's row does not open.
"""

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from collector.tokens import Key

NONCE = 12  # octets, random

Secret = Mapping[str, str]


class Seal:
    """Seals under the first of `keys`, opens under all."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.change(keys)

    def change(self, keys: Sequence[Key]) -> None:
        """From now on these."""
        self._ciphers = {key.id: AESGCM(_derived(key)) for key in keys}
        self._first = keys[0].id

    def seal(self, secret: Secret, sender_id: int) -> bytes:
        """Octets that only `open` reads, for this sender alone."""
        nonce = os.urandom(NONCE)
        plain = json.dumps(dict(secret)).encode()
        sealed = self._ciphers[self._first].encrypt(nonce, plain, _bound(sender_id))
        return bytes([self._first]) + nonce + sealed

    def open(self, sealed: bytes, sender_id: int) -> Secret | None:
        """None where its key is gone, or it was sealed for another sender."""
        cipher = self._ciphers.get(sealed[0]) if sealed else None
        if cipher is None:
            return None
        nonce, rest = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
        try:
            said = json.loads(cipher.decrypt(nonce, rest, _bound(sender_id)))
        except InvalidTag:
            return None
        return {str(name): str(value) for name, value in said.items()}

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        return sealed[:1] == bytes([self._first])


def _derived(key: Key) -> bytes:
    return blake2b(key=key.secret, person=b"letterbell tell", digest_size=32).digest()


def _bound(sender_id: int) -> bytes:
    return sender_id.to_bytes(8, "big")
