"""The event loop of the long-running commands: uvloop's, which is twice as fast, where it is."""

from collections.abc import Coroutine
from typing import Any

try:
    from uvloop import run as _run
except ImportError:  # no build of it for this system
    from asyncio import run as _run  # type: ignore[assignment]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs `main` to its end."""
    _run(main)
