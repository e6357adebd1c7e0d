"""Whether a password is the one behind a hash: computed once, remembered for a minute.

Invariants. No hash to compare with costs as much as a wrong password. Of a checked password,
nothing is remembered but a hash under a key that dies with this process.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b

from collector.memory import remember
from collector.passwords import Passwords

VERIFIED_SECONDS = 60.0

Renew = Callable[[str], Awaitable[None]]  # hashes a password anew and keeps that


class Checks:
    """Every method may raise PasswordsBusy. `close` it to let the hashing threads go."""

    def __init__(self) -> None:
        self._passwords = Passwords()
        self._secret = secrets.token_bytes(32)
        self._verified: dict[bytes, float] = {}
        self._running: dict[bytes, asyncio.Task[bool]] = {}

    def close(self) -> None:
        """Lets the hashing threads go."""
        self._passwords.close()

    async def hash(self, password: str) -> str:
        """A new hash, as stored."""
        return await self._passwords.hash(password)

    async def passes(self, password: str, known: str | None, renew: Renew) -> bool:
        """Whether it made the hash; equal questions at one time are asked once.

        `renew` is called with the password where the hash was made with older parameters.
        """
        proof = self._proof(known, password)
        if self._verified.get(proof, 0.0) > time.monotonic():
            return True
        check = self._running.get(proof)
        if check is None:
            check = asyncio.create_task(self._verify(password, known, renew, proof))
            self._running[proof] = check
            check.add_done_callback(lambda _: self._running.pop(proof, None))
        return await asyncio.shield(check)

    async def _verify(self, password: str, known: str | None, renew: Renew, proof: bytes) -> bool:
        if not await self._passwords.matches(password, known) or known is None:
            return False
        remember(self._verified, proof, time.monotonic() + VERIFIED_SECONDS)
        if self._passwords.outdated(known):
            await renew(password)
        return True

    def _proof(self, known: str | None, password: str) -> bytes:
        asked = f"{known}\0{password}".encode("utf-8", "surrogatepass")
        return blake2b(asked, key=self._secret).digest()
