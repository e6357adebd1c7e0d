"""The OpenAPI 3.1 document, made of the table and its models: it cannot say other than they do."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from collector.api.admission import REALM
from collector.api.models import ProblemDetail
from collector.api.negotiation import CSV, JSON, NDJSON
from collector.api.problems import MEDIA_TYPE
from collector.api.table import MESSAGE, PREFIX, TABLE, Route
from collector.api.values import ID_PATTERN

VERSION = "1.0.0"
REF = "#/components/schemas/{model}"
_ABOUT = (
    "What became of your mail, for programs. A key (`letterbell sender key add`) is one sender's "
    "and shows nothing of others. Times are RFC 3339, UTC; ids are those of the log. "
    "docs/api.md has examples."
)

# status -> what it is for, and its headers
_PROBLEMS: Mapping[int, tuple[str, Mapping[str, str]]] = {
    400: ("A parameter or the body is not as it should be; `errors` names each.", {}),
    401: ("No key, or none that works.", {"WWW-Authenticate": f"As in `{REALM}`."}),
    403: ("The key may read, and this needs one that may write.", {"WWW-Authenticate": REALM}),
    404: ("Nothing of yours is at this address.", {}),
    406: ("Accept names no form that there is.", {}),
    413: ("The body is too long.", {}),
    415: ("The body is not application/json.", {"Accept-Patch": "What it may be."}),
    422: ("Well-formed, and cannot be done: a foreign cursor, consent over a refusal.", {}),
    429: ("Too many wrong keys came from here.", {"Retry-After": "Seconds to wait."}),
    503: ("The store is away for now.", {"Retry-After": "Seconds to wait."}),
}


def build() -> dict[str, Any]:
    """The document, as JSON has it."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Letterbell", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "security": [{"key": []}],
        "paths": _paths(TABLE),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(TABLE),
            "responses": {f"Problem{status}": _problem(status) for status in _PROBLEMS},
        },
    }


@cache
def write() -> str:
    """The document as it is served, and stands in docs/openapi.json."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def _paths(table: Iterable[Route]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handle.__name__,
        "summary": route.summary,
        "description": f"Needs a key that may {route.scope}.",
        "parameters": [*_path_parameters(route), *_query_parameters(route.query)],
        "responses": {"200": _answer(route)}
        | {str(status): _refer_problem(status) for status in _statuses(route)},
    }
    if route.body:
        content = {JSON: {"schema": _refer(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    if not route.path.startswith(MESSAGE):
        return []
    schema = {"type": "string", "pattern": ID_PATTERN}
    return [{"name": "message_id", "in": "path", "required": True, "schema": schema}]


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    fields = model.model_json_schema(mode="validation", ref_template=REF).get("properties", {})
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description"),
            "schema": {key: value for key, value in schema.items() if key != "title"},
        }
        for name, schema in fields.items()
    ]


def _answer(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {JSON: {"schema": _refer(route.answer)}}
    if route.row:
        rows = f"A line for each {route.row.__name__}, all of them."
        content |= {
            each: {"schema": {"type": "string", "description": rows}} for each in (CSV, NDJSON)
        }
    return {"description": route.summary, "content": content}


def _statuses(route: Route) -> Iterable[int]:
    left_out = {404} if MESSAGE not in route.path else set()
    left_out |= {413, 415} if not route.body else set()
    left_out |= {403} if route.scope == "read" else set()
    return [status for status in _PROBLEMS if status not in left_out]


def _problem(status: int) -> dict[str, Any]:
    description, headers = _PROBLEMS[status]
    return {
        "description": description,
        "headers": {
            name: {"description": about, "required": True, "schema": {"type": "string"}}
            for name, about in headers.items()
        },
        "content": {MEDIA_TYPE: {"schema": _refer(ProblemDetail)}},
    }


def _schemas(table: Iterable[Route]) -> dict[str, Any]:
    models: dict[type[BaseModel], Literal["validation", "serialization"]] = {}
    for route in table:
        if route.body:
            models[route.body] = "validation"
        models[route.answer] = "serialization"
        if route.row:
            models[route.row] = "serialization"
    models[ProblemDetail] = "serialization"
    _, schema = models_json_schema(list(models.items()), ref_template=REF)
    return dict(sorted(schema["$defs"].items()))


def _refer(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


def _refer_problem(status: int) -> dict[str, str]:
    return {"$ref": f"#/components/responses/Problem{status}"}
