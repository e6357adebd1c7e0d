"""Credentials that wait with their mail on the disk, encrypted.

Only mail of logins that upstream knows (auth.mode = "upstream") needs it: it cannot leave later
without them. AES-256-GCM (NIST SP 800-38D) under keys of their own, derived from the token keys;
the message's id is authenticated as well, so what was sealed for one opens for no other. Whoever
has the disk *and* the token keys can read them.
"""

import os
from collections.abc import Sequence
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from collector.tokens import Key
from relay.credentials import Bearer, Credentials, Password

NONCE = 12  # octets, random: 2^32 messages under one key keep within the standard's bound (§8.3)


class Seal:
    """Seals under the first of `keys`, opens under all."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.change(keys)

    def change(self, keys: Sequence[Key]) -> None:
        """From now on these, also for threads that are sealing."""
        ciphers = {key.id: AESGCM(_derived(key)) for key in keys}
        self._ciphers = ciphers
        self._first = keys[0].id, ciphers[keys[0].id]

    def seal(self, credentials: Credentials, message_id: int) -> bytes:
        """Octets that only `open` reads, for this message alone."""
        kind = b"b" if isinstance(credentials, Bearer) else b"p"
        login = credentials.login
        said = kind + len(login).to_bytes(4, "big") + login + credentials.secret
        nonce = os.urandom(NONCE)
        key_id, cipher = self._first
        return bytes([key_id]) + nonce + cipher.encrypt(nonce, said, _bound(message_id))

    def open(self, sealed: bytes, message_id: int) -> Credentials | None:
        """None where its key is gone, or it was sealed for another message."""
        cipher = self._ciphers.get(sealed[0])
        if cipher is None:
            return None
        nonce, rest = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
        try:
            said = cipher.decrypt(nonce, rest, _bound(message_id))
        except InvalidTag:
            return None
        end = 5 + int.from_bytes(said[1:5], "big")
        kind = Bearer if said[:1] == b"b" else Password
        return kind(said[5:end], said[end:])


def _derived(key: Key) -> bytes:
    return blake2b(key=key.secret, person=b"letterbell spool", digest_size=32).digest()


def _bound(message_id: int) -> bytes:
    return message_id.to_bytes(8, "big")
