"""A sender never sees another's data: every page of the table, tried with another's ids."""

import asyncio

import pytest
from pagetable import SHOWN, address, read
from sites import Site

from collector.filters import LARGEST_ID
from collector.pages import routes
from collector.senders import Sender
from collector.store import SentLink

SECRET = "xyzzy"
ADMIN = "/admin"
OF_MAIL = "{message_id"
DONE = [each for each in routes() if each.method == "POST" and OF_MAIL in each.path]


@pytest.fixture
async def theirs(site: Site, ana: Sender, eve: Sender) -> int:
    """A mail of Eve's that says SECRET wherever a mail can say anything, with hits and news."""
    await site.add_mail(ana, "Ana's own")
    mail = await site.add_mail(
        eve,
        SECRET,
        (f"{SECRET}@example.net", "ben@example.net"),
        (SentLink(0, f"https://{SECRET}.example/", SECRET),),
        per_recipient=True,
        snippet=SECRET,
        skipped=(("opt-out", 1, f"{SECRET}.org"),),
    )
    await site.deliver(eve, mail, SECRET, "delivered")
    await site.hit(eve, mail, "open", agent=SECRET, recipient=1)
    await site.hit(eve, mail, "click", agent=SECRET, link=0, recipient=1)
    await site.senders.devices.add(eve.id, SECRET)
    return mail


def test_the_table_is_tried() -> None:
    paths = {each.path for each in SHOWN}
    assert {"/", "/overview", "/bell", "/settings", "/live", "/live/bell"} <= paths
    assert len(DONE) >= 2


@pytest.mark.parametrize("route", SHOWN, ids=lambda route: route.path)
@pytest.mark.sqlite
async def test_nothing_of_another_sender_is_shown(
    site: Site, ana: Sender, eve: Sender, theirs: int, browser, route
) -> None:
    await browser.be(site, ana)
    path = address(route.path, message_id=theirs, sender_id=eve.id)
    hidden = OF_MAIL in route.path or route.path.startswith(ADMIN)
    for query in ("", "?q=xyzzy", f"?to={SECRET}@example.net", f"?before={LARGEST_ID}&recipient=1"):
        async with asyncio.timeout(30):
            answer = await browser.get(path + query)
            assert answer.status in ((404,) if hidden else (200, 303)), path + query
            told = await read(answer)
        # What was asked for stands in the form and the chips that say so; nothing else may.
        told = told.replace(query[1:], "").replace(f'value="{SECRET}', "")
        for secret in (f"{SECRET}.example", f"{SECRET}.org", eve.login, str(theirs)):
            assert secret not in told, path + query
        if not query:
            assert SECRET not in told, path


@pytest.mark.parametrize("route", DONE, ids=lambda route: route.path)
@pytest.mark.sqlite
async def test_nothing_of_another_sender_is_changed(
    site: Site, ana: Sender, eve: Sender, theirs: int, browser, route
) -> None:
    await browser.be(site, ana)
    await browser.get("/")
    answer = await browser.post(address(route.path, message_id=theirs, sender_id=eve.id), {})
    assert answer.status == 404
    await browser.be(site, eve)
    page = await (await browser.get(f"/mail/{theirs}")).text()
    assert SECRET in page
    assert "Its tracking is stopped" not in page


@pytest.mark.parametrize("route", SHOWN, ids=lambda route: route.path)
@pytest.mark.sqlite
async def test_who_is_signed_out_is_asked_in(theirs: int, eve: Sender, browser, route) -> None:
    answer = await browser.get(address(route.path, message_id=theirs, sender_id=eve.id))
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/sign-in")
