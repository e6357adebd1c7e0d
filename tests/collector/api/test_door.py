"""What is said to requests that cannot be answered: the right status, the thing and the mend."""

import json

import pytest
from aiohttp import ClientSession
from programs import Answer, Program
from sites import Site

from collector.errors import StoreUnavailable
from collector.senders import Sender


def assert_problem(answer: Answer, status: int, *words: str) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["type"] == "about:blank"
    assert answer.json["status"] == status
    assert answer.json["title"]
    for each in words:
        assert each in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=201", "limit: Input should be less than or equal to 200"),
        ("limit=5.0", "limit: write a whole number"),
        ("limit=%2B5", "limit: write a whole number"),
        ("limit=٣", "limit: write a whole number"),
        ("opened=yes", "opened: write true or false"),
        ("state=sent", "state: Input should be 'sending', 'delivered'"),
        ("since=yesterday", "since: write a time with its offset, as 2026-07-01T08:30:00Z"),
        ("since=2026-07-01T08:30:00", "since: write a time with its offset"),
        ("since=2026-02-31T08:30:00Z", "since: write a time with its offset"),
        ("cursor=1", "cursor: String should match pattern"),
        ("q=", "q: String should have at least 1 character"),
        ("q=a%00b", "q: String should match pattern"),
        ("page=2", "page: there is no such field; there are: tracked, opens_tracked, opened"),
        ("limit=1&limit=2", "limit: it stands in the query twice"),
        ("format=xml", "format: Input should be 'json', 'csv' or 'ndjson'"),
    ],
)
async def test_a_query_that_is_not_as_it_should_be(
    program: Program, query: str, words: str
) -> None:
    assert_problem(await program.ask(f"/messages?{query}"), 400, words)


async def test_each_mistake_is_named(program: Program) -> None:
    answer = await program.ask("/messages?limit=0&opened=1&nonsense=2")
    named = {(each["where"], each["name"]) for each in answer.json["errors"]}
    assert named == {("query", "limit"), ("query", "opened"), ("query", "nonsense")}


async def test_of_very_many_mistakes_some_are_named(program: Program) -> None:
    answer = await program.ask("/messages?" + "&".join(f"x{number}=1" for number in range(100)))
    assert_problem(answer, 400)
    assert len(answer.json["errors"]) == 10


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b'{"opens": "true"}', "opens: Input should be a valid boolean"),
        (b'{"opens": 1}', "opens: Input should be a valid boolean"),
        (b'{"opens": null}', "opens: Input should be a valid boolean"),
        (b'{"enabled": true}', "enabled: there is no such field; there are: opens, clicks, sticky"),
        (b'{"opens": \xff}', "Invalid JSON"),
        (b"[" * 10_000, "Invalid JSON"),
    ],
)
async def test_a_body_that_is_not_as_it_should_be(
    program: Program, body: bytes, words: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await program.ask("/settings", method="PATCH", data=body, headers=headers)
    assert_problem(answer, 400, words)


async def test_a_body_that_is_too_long(program: Program) -> None:
    body = b'{"opens": true' + b" " * 17_000 + b"}"
    headers = {"Content-Type": "application/json"}
    answer = await program.ask("/settings", method="PATCH", data=body, headers=headers)
    assert_problem(answer, 413, "longer than 16384 octets")


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
async def test_a_body_of_another_type(program: Program, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    answer = await program.ask("/settings", method="PATCH", data=b"{}", headers=headers)
    assert_problem(answer, 415, "application/json")
    assert answer.headers["Accept-Patch"] == "application/json"


@pytest.mark.parametrize(
    ("path", "accept", "offers"),
    [
        ("/settings", "text/csv", "application/json"),
        ("/messages", "text/html", "application/json, text/csv, application/x-ndjson"),
        ("/messages", "application/json;q=0", "application/json, text/csv"),
    ],
)
async def test_an_answer_in_a_form_that_there_is_not(
    program: Program, path: str, accept: str, offers: str
) -> None:
    headers = {"Accept": accept}
    answer = await program.ask(path, headers=headers)
    assert_problem(answer, 406, offers)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/messages", "GET, HEAD"),
        ("DELETE", "/settings", "GET, HEAD, PATCH"),
        ("OPTIONS", "/hits", "GET, HEAD"),
        ("TRACE", "/stats", "GET, HEAD"),
    ],
)
async def test_a_method_that_there_is_not(
    program: Program, method: str, path: str, allowed: str
) -> None:
    answer = await program.ask(path, method=method)
    assert_problem(answer, 405, allowed)
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path",
    ["", "/", "/nowhere", "/messages/", "/messages/1", "/messages/" + "0" * 17, "/messages/x/hits"],
)
async def test_an_address_that_leads_nowhere(program: Program, path: str) -> None:
    assert_problem(await program.ask(path), 404, "GET /api/v1/messages lists")


@pytest.mark.parametrize(
    "path", ["/messages", "/hits", "/stats", "/settings", "/messages?format=csv"]
)
async def test_while_the_store_is_away(
    site: Site, program: Program, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("disk I/O error")

    assert (await program.ask("/settings")).status == 200  # the key is remembered
    monkeypatch.setattr(site.store, "read", fail)
    answer = await program.ask(path)
    if path == "/settings":
        assert answer.status == 200  # and so is its sender
        return
    assert_problem(answer, 503, "the store is away for now")
    assert answer.headers["Retry-After"] == "10"
    assert b"disk" not in answer.body


async def test_head_is_get_without_a_body(site: Site, ana: Sender, program: Program) -> None:
    await site.add_mail(ana)
    for path in ("/messages", "/messages?format=csv"):
        got, head = await program.ask(path), await program.ask(path, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


async def test_no_page_of_another_site_may_read_it(site: Site, program: Program) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        answer = await program.ask("/settings", method=method, headers=headers)
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_answers_are_not_kept_on_the_way(program: Program) -> None:
    for path in ("/messages", "/messages?format=ndjson", "/settings"):
        answer = await program.ask(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Vary"] == "Accept"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_document_is_for_everybody(site: Site) -> None:
    async with ClientSession() as session:
        answer = await session.get(f"{site.url}/api/v1/openapi.json")
        assert answer.status == 200
        assert json.loads(await answer.read())["openapi"] == "3.1.0"
