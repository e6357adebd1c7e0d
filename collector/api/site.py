"""The API's place in the application: its addresses, and what it remembers."""

from collections.abc import Iterator, Sequence

from aiohttp import web

from collector import keys
from collector.api import admission, openapi
from collector.api.call import CURSORS
from collector.api.cursors import Cursors
from collector.api.door import open_door, refuse_address, refuse_method
from collector.api.negotiation import JSON
from collector.api.table import PREFIX, TABLE, Route

DOCUMENT = f"{PREFIX}/openapi.json"
_ID = r"{message_id:[0-9a-f]{16}}"


def setup(app: web.Application) -> None:
    """Before the application starts, once it has its parts."""
    admission.setup(app)
    app[CURSORS] = Cursors(app[keys.TOKENS])


def routes() -> list[web.RouteDef]:
    """Every address of the API, each with a refusal of other methods; then all else below."""
    by_path: dict[str, list[Route]] = {}
    for route in TABLE:
        by_path.setdefault(route.path, []).append(route)
    found = [each for path, there in by_path.items() for each in _address(path, there)]
    return [
        *found,
        web.get(DOCUMENT, send_document),
        web.route("*", PREFIX + "{tail:(/.*)?}", refuse_address),
    ]


async def send_document(request: web.Request) -> web.Response:
    """The OpenAPI document. It says nothing of anybody, so it is for everybody."""
    return web.Response(text=openapi.write(), content_type=JSON)


def _address(path: str, there: Sequence[Route]) -> Iterator[web.RouteDef]:
    address = PREFIX + path.replace("{message_id}", _ID)
    methods: set[str] = set()
    for route in there:
        yield web.route(route.method, address, open_door(route))
        methods.add(route.method)
        if route.method == "GET":
            methods.add("HEAD")  # which aiohttp has it answer, too
    yield web.route("*", address, refuse_method(methods))
