"""From a request to its handler and back: a checklist, the same for every route of the table.

Who it is comes first: a stranger learns nothing, not even which parameters there are.
"""

import asyncio
from collections.abc import Iterable

import structlog
from aiohttp import web
from pydantic import BaseModel, ValidationError

from collector.api import exports
from collector.api.admission import admit
from collector.api.call import Call
from collector.api.negotiation import FORMATS, JSON, choose
from collector.api.problems import Problem, malformed, not_there
from collector.api.table import Route
from collector.api.values import read_id
from collector.errors import StoreUnavailable
from collector.pages.outage import RETRY_SECONDS, Handler
from collector.senders import SenderError

MAX_BODY = 16_384

log = structlog.get_logger()


def told(handler: Handler) -> Handler:
    """The handler, with what it raises told as a problem."""

    async def telling(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return problem.answer()
        except StoreUnavailable as outage:
            log.warning("api without store", page=request.path, reason=outage.reason)
            detail = "the store is away for now, mail goes on; try again"
            return Problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)}).answer()

    return telling


def open_door(route: Route) -> Handler:
    """The handler of one route."""

    async def enter(request: web.Request) -> web.StreamResponse:
        sender = await admit(request, route.scope)
        query = _read_query(request, route)
        media_type = _choose_form(request, route, query)
        call = Call(
            app=request.app,
            sender=sender,
            message_id=_read_message_id(request),
            query=query,
            body=await _read_body(request, route.body) if route.body else None,
        )
        if media_type != JSON and route.export and route.row:
            return await exports.send(request, route.export(call), media_type, route.row)
        try:
            answer = await route.handle(call)
        except SenderError:
            raise Problem(401, "the key's sender was removed") from None
        return web.Response(
            body=answer.model_dump_json().encode(),
            headers={"Content-Type": JSON, "Cache-Control": "no-store", "Vary": "Accept"},
        )

    return told(enter)


def refuse_method(allowed: Iterable[str]) -> Handler:
    """405, with the methods that the address knows."""
    methods = ", ".join(sorted(allowed))

    async def refuse(request: web.Request) -> web.StreamResponse:
        detail = f"{request.method[:20]} is not for this address; it knows {methods}"
        raise Problem(405, detail, headers={"Allow": methods})

    return told(refuse)


async def refuse_address(request: web.Request) -> web.StreamResponse:
    """404 for what no route has."""
    return not_there().answer()


def _read_query(request: web.Request, route: Route) -> BaseModel:
    known = list(route.query.model_fields)
    twice = [name for name in set(request.query) if len(request.query.getall(name)) > 1]
    if twice:
        raise Problem(400, f"{min(twice)[:100]}: it stands in the query twice; once is enough")
    try:
        return route.query.model_validate(dict(request.query))
    except ValidationError as error:
        raise malformed("query", error, known) from None


def _choose_form(request: web.Request, route: Route, query: BaseModel) -> str:
    if wished := getattr(query, "format", None):
        return FORMATS[wished]
    offers = tuple(FORMATS.values()) if route.export else (JSON,)
    accept = ", ".join(request.headers.getall("Accept", ()))
    chosen = choose(accept, offers)
    if chosen is None:
        raise Problem(406, f"Accept: this address answers with {', '.join(offers)}")
    return chosen


def _read_message_id(request: web.Request) -> int:
    text = request.match_info.get("message_id")
    return read_id(text) if text else 0


async def _read_body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    if request.content_type != JSON or (request.charset or "utf-8").lower() != "utf-8":
        detail = f"Content-Type: the body must be {JSON}, in UTF-8"
        raise Problem(415, detail, headers={"Accept-Patch": JSON})
    try:
        await request.content.readexactly(MAX_BODY + 1)
    except asyncio.IncompleteReadError as whole:
        body = whole.partial
    else:
        raise Problem(413, f"the body is longer than {MAX_BODY} octets; say less at a time")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise malformed("body", error, list(model.model_fields)) from None
