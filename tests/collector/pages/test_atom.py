"""The feed over HTTP: without cookies, for whoever has its address, anew only when it changed."""

import feedparser
import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from collector.errors import StoreUnavailable


@pytest.fixture
async def path(site, ana) -> str:
    return f"/feed/{await site.outward.feeds.make(ana.id, 'en')}.atom"


@pytest.fixture
async def ask(site):
    async with ClientSession() as session:

        async def get(path: str, method: str = "GET", **headers: str):
            async with session.request(method, site.url + path, headers=headers) as answer:
                return answer.status, answer.headers, await answer.read()

        yield get


async def test_tells_what_happened(site, ana, path: str, ask) -> None:
    message_id = await site.add_mail(ana, "Offer & more")
    await site.hit(ana, message_id, "open")
    status, headers, body = await ask(path)
    assert status == 200
    assert headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert headers["Cache-Control"] == "private, no-cache"
    assert "Set-Cookie" not in headers
    read = feedparser.parse(body)
    assert not read.bozo
    [entry] = read.entries
    assert entry.title == "Opened, likely by a person: “Offer & more” to ben@example.net"
    assert entry.link == f"http://127.0.0.1/mail/{message_id}"


async def test_is_sent_again_only_when_it_changed(site, ana, path: str, ask) -> None:
    _, headers, _ = await ask(path)
    tag = headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        status, headers, body = await ask(path, **{"If-None-Match": known})
        assert (status, body, headers["ETag"]) == (304, b"", tag)
    assert (await ask(path, **{"If-None-Match": '"other"'}))[0] == 200
    await site.hit(ana, await site.add_mail(ana), "open")
    status, headers, _ = await ask(path, **{"If-None-Match": tag})
    assert status == 200
    assert headers["ETag"] != tag


async def test_head_has_no_body(path: str, ask) -> None:
    status, headers, body = await ask(path, "HEAD")
    assert (status, body) == (200, b"")
    assert headers["ETag"]


async def test_each_has_their_own(site, ana, eve, path: str, ask) -> None:
    await site.hit(eve, await site.add_mail(eve, "Eve's own"), "open")
    _, _, body = await ask(path)
    assert b"Eve" not in body


async def test_whatever_opens_nothing_gets_one_answer(site, ana, path: str, ask) -> None:
    token = path.removeprefix("/feed/").removesuffix(".atom")
    forged = [f"/feed/{each}.atom" for each in (token[:-1] + "_" * 2, "x", "A" * 43, "A" * 100)]
    await site.outward.feeds.close(ana.id)
    answers = {(status, body) for status, _, body in [await ask(each) for each in [path, *forged]]}
    assert len(answers) == 1
    assert answers.pop()[0] == 404


async def test_a_disabled_sender_has_none(site, ana, path: str, ask) -> None:
    await site.senders.set_enabled(ana.id, False)
    assert (await ask(path))[0] == 404


async def test_an_outage_tells_nothing_of_the_address(
    site, path: str, ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(site.outward.feeds, "open", fail)
    with capture_logs() as logs:
        status, headers, body = await ask(path)
    assert (status, headers["Retry-After"], body) == (503, "60", b"")
    assert path.removeprefix("/feed/").removesuffix(".atom") not in str(logs)
    assert logs[0]["event"] == "a feed without store"
