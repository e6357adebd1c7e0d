"""Answers that leave at one stroke: a hit's is nearly the same bytes each time.

aiohttp puts each response together header by header and calls hooks for it, which takes as long as
all that is recorded of a hit. Here only the date, the connection's fate and what `Answer` is given
are new; what pages and all others need, web.Response does.
"""

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


def spell_head(status: HTTPStatus, headers: Mapping[str, str]) -> bytes:
    """What an answer begins with: status line, these headers, those for security."""
    lines = [f"{name}: {value}" for name, value in {**SECURITY_HEADERS, **headers}.items()]
    return "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, ""]).encode()


class Answer(web.StreamResponse):
    """`head` as spell_head made it, or with more lines; its Content-Length is the body's."""

    def __init__(self, head: bytes, body: bytes = b"") -> None:
        super().__init__()
        self._head = head
        self._content = body
        self._lasts = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection goes on, which the answer says."""
        return self._lasts

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Writes all of it; to HEAD, all but the body."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has left")
        self._lasts = request.keep_alive
        connection = b"keep-alive" if self._lasts else b"close"
        transport.write(
            b"%bContent-Length: %d\r\nDate: %b\r\nConnection: %b\r\n\r\n%b"
            % (
                self._head,
                len(self._content),
                _spell_date(int(time())),
                connection,
                b"" if request.method == "HEAD" else self._content,
            )
        )
        await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


@lru_cache(maxsize=1)
def _spell_date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
