"""What a program is told when a request fails: RFC 9457, naming the thing and the mend.

A message that is another's and one that is not there are the same problem, to the octet.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal

from aiohttp import web
from pydantic import ValidationError

from collector.api.models import Mistake, ProblemDetail

MEDIA_TYPE = "application/problem+json"
MAX_TOLD = 10  # mistakes of one request


class Problem(Exception):  # noqa: N818 - named for what happened
    """A request that is answered by this status; `detail` is for people."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        mistakes: Sequence[Mistake] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.mistakes = mistakes

    def answer(self) -> web.Response:
        """The response."""
        told = ProblemDetail(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            errors=list(self.mistakes),
        )
        return web.Response(
            status=self.status,
            body=told.model_dump_json().encode(),
            headers={**self.headers, "Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"},
        )


def not_there() -> Problem:
    """For an address that leads nowhere, and for what is another sender's."""
    return Problem(
        404, "nothing of yours is at this address; GET /api/v1/messages lists your messages"
    )


def malformed(
    where: Literal["query", "body"], error: ValidationError, known: Sequence[str]
) -> Problem:
    """For a query or a body that breaks its model; `known` are the fields that there are."""
    mistakes = [
        Mistake(where=where, name=_name(each["loc"]), problem=_words(each, known))
        for each in error.errors(include_url=False, include_input=False)[:MAX_TOLD]
    ]
    told = "; ".join(f"{each.name or where}: {each.problem}" for each in mistakes)
    return Problem(400, f"the {where} is not as it should be: {told}", mistakes=mistakes)


def _name(location: Sequence[int | str]) -> str:
    return ".".join(str(each) for each in location)[:100]


def _words(error: Mapping[str, object], known: Sequence[str]) -> str:
    if error["type"] == "extra_forbidden":
        return f"there is no such field; there are: {', '.join(known) or 'none'}"
    return str(error["msg"]).removeprefix("Value error, ")
