"""A program that uses the JSON API, over HTTP."""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Program:
    """What holds a key, or none."""

    def __init__(self, session: ClientSession, url: str, key: str | None) -> None:
        self.key = key
        self._session = session
        self._url = f"{url}/api/v1"

    async def ask(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **more: Any
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        async with self._session.request(
            method, self._url + path, headers=sent | (headers or {}), **more
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def read(self, path: str, **more: Any) -> Any:
        """The JSON of an answer that must be 200."""
        answer = await self.ask(path, **more)
        assert answer.status == 200, answer.body
        return answer.json
