"""A request that was let in and understood: what its handler gets."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from collector.api.cursors import Cursors
from collector.api.problems import Problem
from collector.senders import Sender

CURSORS = web.AppKey("CURSORS", Cursors)

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q, B]):
    """Whose it is, which message its path names (0: none), its query and its body."""

    app: web.Application
    sender: Sender
    message_id: int
    query: Q
    body: B

    def open_cursor(self, cursor: str | None, what: str) -> int:
        """The position in the sender's list `what`; 0 without a cursor. Raises Problem (422)."""
        if cursor is None:
            return 0
        position = self.app[CURSORS].open(cursor, self.sender.id, what)
        if position is None:
            detail = (
                "cursor: it is none of this list; take `next` of its last page, or leave it out"
            )
            raise Problem(422, detail)
        return position

    def seal_cursor(self, position: int, what: str) -> str:
        return self.app[CURSORS].seal(position, self.sender.id, what)


Export = Callable[[Call[Q, Any]], AsyncIterator[Sequence[BaseModel]]]
