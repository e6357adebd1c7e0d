"""Password hashes: argon2id in a small pool of threads, so the event loop never waits for one.

Two threads bound both the processor time and the memory (64 MiB each) that guessing can take.
"""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

THREADS = 2


class Passwords:
    """Hashes and checks; `close` it to let the threads go."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._nobodys = self._threads.submit(self._hasher.hash, secrets.token_bytes(16))

    async def hash(self, password: str) -> str:
        """An argon2id hash with its salt and parameters, as stored."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._hasher.hash, _octets(password)
        )

    async def matches(self, password: str, known: str | None) -> bool:
        """Whether the password made this hash; False for None, at the same cost."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._verify, _octets(password), known
        )

    def outdated(self, known: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password: bytes, known: str | None) -> bool:
        try:
            verified = self._hasher.verify(known or self._nobodys.result(), password)
        except (VerificationError, InvalidHashError):
            return False
        return verified and known is not None


def _octets(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
