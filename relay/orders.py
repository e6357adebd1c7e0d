"""What the operator asks of the queue, by files in the spool: no socket, and whoever may write the
spool may ask.

A running relay looks for them each second and answers beside them. Where none runs, the command
does it itself, by the same rules.
"""

import asyncio
import contextlib
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import structlog

from relay.queue import Queue
from relay.spool import SpoolError

log = structlog.get_logger()

LOOK_SECONDS = 1.0
FORGET_SECONDS = 60.0  # an answer that nobody has fetched by then goes

Kind = Literal["retry", "hold", "remove"]
Result = Literal["done", "busy", "unknown", "failed"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with these messages; `silent` removes without a report."""

    kind: Kind
    ids: tuple[int, ...]
    silent: bool = False


class Orders:
    """The orders that lie in a spool."""

    def __init__(self, spool: Path) -> None:
        self._folder = spool / "orders"

    def place(self, order: Order) -> str:
        """Leaves an order, and gives the name by which `answer` finds what came of it."""
        name = secrets.token_hex(8)
        temporary = self._folder / f"{name}.new"
        temporary.write_text(json.dumps(asdict(order)))
        if os.geteuid() == 0:  # the relay has to read it, whatever root's umask is
            owner = self._folder.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.rename(self._folder / f"{name}.order")
        return name

    def withdraw(self, name: str) -> bool:
        """Takes an order back. False where somebody has it in hand."""
        try:
            (self._folder / f"{name}.order").unlink()
        except FileNotFoundError:
            return False
        return True

    def answer(self, name: str) -> dict[int, Result] | None:
        """What came of it, message by message; None as long as nothing did."""
        path = self._folder / f"{name}.answer"
        try:
            said = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        path.unlink()
        return {int(number): result for number, result in said.items()}

    def take(self) -> list[tuple[str, Order]]:
        """The orders that lie there; each is given out once."""
        taken = []
        for item in os.scandir(self._folder):
            path = Path(item.path)
            # What is gone meanwhile is somebody else's: a command has named its order, or read on.
            with contextlib.suppress(FileNotFoundError, ValueError, TypeError, KeyError):
                if path.suffix == ".order":
                    taken.append((path.stem, _read(path)))
                elif time.time() - item.stat().st_mtime <= FORGET_SECONDS:
                    continue
            path.unlink(missing_ok=True)
        return taken

    def give(self, name: str, results: dict[int, Result]) -> None:
        """Answers an order."""
        temporary = self._folder / f"{name}.new"
        temporary.write_text(json.dumps(results))
        temporary.rename(self._folder / f"{name}.answer")


def _read(path: Path) -> Order:
    said = json.loads(path.read_text())
    return Order(said["kind"], tuple(map(int, said["ids"])), bool(said["silent"]))


async def obey(orders: Orders, queue: Queue) -> None:
    """Looks for orders and carries them out, until it is cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            taken = await asyncio.to_thread(orders.take)
        except OSError as error:
            log.warning("orders cannot be read", reason=error.strerror)
            continue
        for name, order in taken:
            log.info("an order", kind=order.kind, messages=len(order.ids))
            results = await carry_out(order, queue)
            try:
                await asyncio.to_thread(orders.give, name, results)
            except OSError as error:
                log.warning("an order cannot be answered", reason=error.strerror)


async def carry_out(order: Order, queue: Queue) -> dict[int, Result]:
    """What came of it, message by message."""
    works: dict[Kind, Callable[[int], Awaitable[bool]]] = {
        "retry": queue.retry,
        "hold": queue.hold,
        "remove": lambda message_id: queue.remove(message_id, silent=order.silent),
    }
    results: dict[int, Result] = {}
    for message_id in order.ids:
        try:
            results[message_id] = "done" if await works[order.kind](message_id) else "busy"
        except KeyError:
            results[message_id] = "unknown"
        except SpoolError:  # an alarm tells why
            results[message_id] = "failed"
    return results
