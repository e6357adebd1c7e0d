"""Services that Apprise knows (ntfy, Slack, Telegram, mail, …), asked through a process of its own.

Apprise blocks, and what its addresses can do is wide: so it runs in child.py, a process that is
told what it needs, may do little, and is ended when it takes too long. The event loop never waits
for it, and nothing of it stays in memory.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from collector.client import Networks
from collector.outward.outcomes import Failed, Outcome, Taken
from collector.outward.schemes import SCHEMES

MAX_ADDRESS = 1_000  # characters
SECONDS = 40.0  # until it is ended
AT_ONCE = 2  # processes, of some 60 MB each
# What of our environment may matter to it; no proxy, which would connect to what we may not judge.
_PASSED_ON = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "TZ")

log = structlog.get_logger()


class Services:
    """Asks them; into `allowed` networks as well, where the others are the world's."""

    def __init__(self, allowed: Networks = ()) -> None:
        self._allowed = [str(network) for network in allowed]
        self._room = asyncio.Semaphore(AT_ONCE)

    async def read(self, address: str) -> str | None:
        """How the service at this address is shown to people, without what is secret; None: it is
        no address of a service that we know.
        """
        if not _may_be_known(address):
            return None
        said = await self._ask({"url": address})
        return str(said["shown"]) if said and said.get("known") else None

    async def send(self, address: str, title: str, body: str) -> Outcome:
        """One attempt, in plain text."""
        said = await self._ask({"url": address, "title": title, "body": body})
        if said is None:
            return Failed("slow")
        if not said.get("known"):
            return Failed("refused", lasting=True)
        if said["sent"]:
            return Taken()
        if said["private"]:
            return Failed("private")
        return Failed("status", said["status"]) if said["status"] else Failed("refused")

    async def _ask(self, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """Its answer; None where it had none in time."""
        asked = json.dumps({**question, "allowed": self._allowed}).encode()
        async with self._room:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "collector.outward.child"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
            try:
                async with asyncio.timeout(SECONDS):
                    told, _ = await process.communicate(asked)
            except TimeoutError:
                told = b""
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        try:
            said = json.loads(told)
        except ValueError:
            log.warning("a service did not answer", status=process.returncode)
            return None
        return said if isinstance(said, dict) else None


def _may_be_known(address: str) -> bool:
    scheme, separator, rest = address.partition("://")
    printable = address.isprintable() and len(address) <= MAX_ADDRESS
    return bool(separator and rest) and printable and scheme.lower() in SCHEMES
