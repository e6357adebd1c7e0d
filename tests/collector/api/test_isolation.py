"""A sender's key never shows another's data: every route of the table, tried with another's ids."""

import pytest
from programs import Program
from sites import Site

from collector.api.table import MESSAGE, TABLE, Route
from collector.api.values import write_id
from collector.senders import Sender
from collector.store import SentLink

SECRET = "xyzzy"
FORMS = ("json", "csv", "ndjson")
# What a route is sent where nothing is too little.
BODIES = {"/consents": {"address": "ben@example.net", "granted": False}}


@pytest.fixture
async def theirs(site: Site, eve: Sender) -> int:
    """A mail of Eve's that says SECRET wherever a mail can say anything, with a hit."""
    mail = await site.add_mail(
        eve,
        SECRET,
        (f"{SECRET}@example.net", "ben@example.net"),
        (SentLink(0, f"https://{SECRET}.example/", SECRET),),
        per_recipient=True,
    )
    await site.deliver(eve, mail, SECRET, "delivered")
    await site.hit(eve, mail, "open", agent=SECRET, recipient=1)
    await site.hit(eve, mail, "click", agent=SECRET, link=0, recipient=1)
    return mail


def urls(route: Route, message_id: int) -> list[str]:
    path = route.path.replace("{message_id}", write_id(message_id))
    return [f"{path}?format={form}" for form in FORMS] if route.export else [path]


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.path}")
async def test_nothing_of_another_sender_is_shown(
    site: Site, eve: Sender, theirs: int, program: Program, route: Route
) -> None:
    for url in urls(route, theirs):
        more = {"json": BODIES.get(route.path, {})} if route.body else {}
        answer = await program.ask(url, method=route.method, **more)
        assert answer.status == (404 if MESSAGE in route.path else 200), url
        for told in (SECRET, eve.login, write_id(theirs)):
            assert told.encode() not in answer.body, url
    unchanged = await site.senders.find(eve.login)
    assert unchanged == eve


@pytest.mark.parametrize(
    "route", [route for route in TABLE if MESSAGE in route.path], ids=lambda route: route.path
)
async def test_anothers_message_is_told_as_none(
    theirs: int, program: Program, route: Route
) -> None:
    for url, nowhere in zip(urls(route, theirs), urls(route, theirs + 1), strict=True):
        one = await program.ask(url, method=route.method)
        other = await program.ask(nowhere, method=route.method)
        assert (one.status, one.body) == (other.status, other.body)
        heads = [{k: v for k, v in each.headers.items() if k != "Date"} for each in (one, other)]
        assert heads[0] == heads[1]


async def test_the_secrets_are_there_for_their_sender(theirs: int, eve: Sender, give_key) -> None:
    """So that the tests above look for something that would be found."""
    own = await give_key(eve)
    for path in ("/messages", f"/messages/{write_id(theirs)}", "/hits"):
        assert SECRET.encode() in (await own.ask(path)).body
