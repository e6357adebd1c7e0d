"""The document says what the table and the models say, and the page in docs is that document.

To accept a new one after reading its diff: `LETTERBELL_ACCEPT=1 pytest` of this file.
"""

import json
import os
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from collector.api import openapi, site
from collector.api.table import PREFIX, TABLE

GOLDEN = Path(__file__).parents[3] / "docs" / "openapi.json"
DOCUMENT = openapi.build()


def test_the_golden_copy() -> None:
    if os.environ.get("LETTERBELL_ACCEPT"):
        GOLDEN.write_text(openapi.write())
    assert GOLDEN.read_text() == openapi.write()


def test_every_route_is_in_it() -> None:
    told = {(method.upper(), path) for path, there in DOCUMENT["paths"].items() for method in there}
    assert told == {(route.method, route.path) for route in TABLE}


def test_every_address_is_in_the_table() -> None:
    """No route stands beside the table, and is neither documented nor tried by the tests."""
    served = {
        (route.method, route.path.replace(site._ID, "{message_id}").removeprefix(PREFIX))
        for route in site.routes()
        if route.method != "*"
    }
    assert served - {("GET", "/openapi.json")} == {(route.method, route.path) for route in TABLE}


def test_every_operation_is_described() -> None:
    names = set()
    for there in DOCUMENT["paths"].values():
        for operation in there.values():
            names.add(operation["operationId"])
            assert operation["summary"]
            for parameter in operation["parameters"]:
                assert parameter["in"] == "path" or parameter["description"]
                assert (
                    "default" not in parameter["schema"]
                    or parameter["schema"]["default"] is not None
                )
    assert len(names) == len(TABLE)


def test_every_reference_leads_somewhere() -> None:
    for target in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        found = DOCUMENT
        for part in target.split("/"):
            found = found[part]


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
