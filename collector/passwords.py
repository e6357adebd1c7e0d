"""Password hashes: argon2id in a small pool of threads, so the event loop never waits for one.

Two threads bound both the processor time and the memory (19 MiB each) that guessing can take, and
a short queue bounds how long an honest login waits behind it. On Linux the threads give way to all
others: what a check wants is two cores for 20 ms, what the loop wants is one at once.
"""

import asyncio
import contextlib
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

THREADS = 2
MAX_WAITING = 20  # half a second's work
NICE = 10
# OWASP's least for argon2id (Password Storage Cheat Sheet, 2025); memory in KiB.
COST: dict[str, Any] = {"time_cost": 2, "memory_cost": 19_456, "parallelism": 1}

T = TypeVar("T")


class PasswordsBusy(Exception):  # noqa: N818 - named for what happened
    """More passwords wait to be checked than can be soon; this one was not looked at."""

    def __init__(self) -> None:
        super().__init__("too many passwords are being checked")


class Passwords:
    """Hashes and checks; `close` it to let the threads go."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(**COST)
        self._threads = ThreadPoolExecutor(
            THREADS, thread_name_prefix="argon2", initializer=_give_way
        )
        self._waiting = 0
        self._nobodys = self._threads.submit(self._hasher.hash, secrets.token_bytes(16))

    async def hash(self, password: str) -> str:
        """An argon2id hash with its salt and parameters, as stored. Raises PasswordsBusy."""
        return await self._run(self._hasher.hash, _octets(password))

    async def matches(self, password: str, known: str | None) -> bool:
        """Whether the password made this hash; False for None, at the same cost.

        Raises PasswordsBusy.
        """
        return await self._run(self._verify, _octets(password), known)

    def outdated(self, known: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """Lets the threads go; checks that still wait are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        if self._waiting >= THREADS + MAX_WAITING:
            raise PasswordsBusy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._waiting -= 1

    def _verify(self, password: bytes, known: str | None) -> bool:
        try:
            verified = self._hasher.verify(known or self._nobodys.result(), password)
        except (VerificationError, InvalidHashError):
            return False
        return verified and known is not None


def _give_way() -> None:
    """Elsewhere than on Linux a thread has no priority of its own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, max(own, NICE))


def _octets(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
