"""How a sender hears of opens and clicks: chosen, added, tested, told in words; nobody else's."""

import json
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from receivers import LOOPBACK
from sites import open_site
from standardwebhooks import Webhook

from collector import passwords
from collector.outward.outcomes import Failed
from collector.outward.targets import MAX_TARGETS, Target
from collector.outward.ways import Ways
from collector.pages.destinations import say_failure, say_refusal, view

PLACE = "/settings/notifications"


@pytest.fixture
async def site(tmp_path, monkeypatch):
    """One that allows receivers on this machine."""
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    async with open_site(tmp_path, ways=Ways(allowed=LOOPBACK)) as opened:
        yield opened


@pytest.fixture
async def calls() -> list[tuple[dict[str, str], bytes]]:
    return []


@pytest.fixture
async def hook(calls) -> AsyncIterator[str]:
    """A receiver's address; `?status=` says how it answers."""

    async def take(request: web.Request) -> web.Response:
        calls.append((dict(request.headers), await request.read()))
        return web.Response(status=int(request.query.get("status", "200")))

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/private-path"))


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    await browser.get(PLACE)
    return browser


async def text_of(browser, query: str = "") -> str:
    answer = await browser.get(PLACE + query)
    assert answer.status == 200
    return await answer.text()


async def test_is_for_those_who_signed_in(site, browser) -> None:
    answer = await browser.get(PLACE)
    assert answer.status == 303
    assert "/sign-in" in answer.headers["Location"]


@pytest.mark.parametrize("notify", ["off", "first", "all"])
@pytest.mark.parametrize("digest", [True, False])
async def test_choices_are_kept(site, ana, signed_in, notify: str, digest: bool) -> None:
    fields = {"notify": notify} | ({"digest": "on"} if digest else {})
    answer = await signed_in.post(PLACE, fields)
    assert (answer.status, answer.headers["Location"]) == (303, f"{PLACE}?done=saved")
    assert (await site.senders.current(ana.id)).notify == notify
    assert await site.outward.digests.is_on(ana.id) is digest
    page = await text_of(signed_in, "?done=saved")
    assert f'value="{notify}" checked' in page
    assert ("switch" in page and 'aria-describedby="about-digest" checked' in page) is digest
    assert "Saved." in page
    assert "to ana@example.com, at 7:00" in page


async def test_scripts_get_a_word(signed_in) -> None:
    answer = await signed_in.post(PLACE, {"notify": "all"}, {"HX-Request": "true"})
    assert (answer.status, (await answer.text()).strip()) == (200, "Saved.")


async def test_nonsense_changes_nothing(site, ana, signed_in) -> None:
    await signed_in.post(PLACE, {"notify": "sometimes"})
    assert (await site.senders.current(ana.id)).notify == "first"


async def test_a_form_of_elsewhere_is_refused(signed_in) -> None:
    for path in ("", "/webhooks", "/services", "/targets/1/test", "/feed"):
        answer = await signed_in.post(PLACE + path, {"form_token": "0" * 32})
        assert answer.status == 403


async def test_a_webhooks_secret_is_shown_once(site, ana, signed_in, hook, calls) -> None:
    answer = await signed_in.post(f"{PLACE}/webhooks", {"address": hook})
    assert answer.status == 200
    [secret] = re.findall(r"whsec_[\w+/=]+", (await answer.text()).replace("&#43;", "+"))
    page = await text_of(signed_in)
    assert "whsec_" not in page
    assert "private-path" not in page
    assert f"{hook.removesuffix('/private-path')}/…" in page
    assert "Nothing sent yet" in page
    [target] = await site.outward.targets.every(ana.id)
    answer = await signed_in.post(f"{PLACE}/targets/{target.id}/test", {})
    assert answer.status == 303
    assert "The test has arrived." in await text_of(
        signed_in, answer.headers["Location"][len(PLACE) :]
    )
    [(headers, body)] = calls
    assert Webhook(secret).verify(body, headers)["type"] == "test"
    assert "Works" in await text_of(signed_in)


async def test_why_a_test_did_not_arrive(site, ana, signed_in, hook) -> None:
    await signed_in.post(f"{PLACE}/webhooks", {"address": f"{hook}?status=503"})
    [target] = await site.outward.targets.every(ana.id)
    answer = await signed_in.post(f"{PLACE}/targets/{target.id}/test", {})
    page = await text_of(signed_in, answer.headers["Location"][len(PLACE) :])
    assert "The test has not arrived: it answered with the status 503." in page
    assert "Failed: it answered with the status 503" in page


async def test_a_service_is_added_and_tested(site, ana, signed_in, hook, calls) -> None:
    address = hook.replace("http://", "json://")
    answer = await signed_in.post(f"{PLACE}/services", {"address": address})
    assert (answer.status, answer.headers["Location"]) == (303, f"{PLACE}?done=added")
    page = await text_of(signed_in)
    assert "JSON (127.0.0.1:" in page
    assert "private-path" not in page
    [target] = await site.outward.targets.every(ana.id)
    await signed_in.post(f"{PLACE}/targets/{target.id}/test", {})
    [(_, body)] = calls
    assert json.loads(body)["title"] == "Letterbell: a test"


async def test_what_is_refused_says_why_and_stays_written(signed_in) -> None:
    for path, address, words in (
        ("webhooks", "ftp://example.com/", "This is no address of a webhook"),
        ("webhooks", "http://10.0.0.1/x", "leads into a private network"),
        ("webhooks", "https://169.254.169.254/", "leads into a private network"),
        ("services", "file:///etc/passwd", "This is no address of a service"),
        ("services", "<script>", "This is no address of a service"),
    ):
        answer = await signed_in.post(f"{PLACE}/{path}", {"address": address})
        page = await answer.text()
        assert answer.status == 400
        assert words in page
        assert f'value="{address.replace("<", "&lt;").replace(">", "&gt;")}"' in page
    assert "targets/" not in page


async def test_is_removed_and_switched_on_again(site, ana, signed_in, hook) -> None:
    await signed_in.post(f"{PLACE}/webhooks", {"address": f"{hook}?status=410"})
    [target] = await site.outward.targets.every(ana.id)
    message_id = await site.add_mail(ana)
    await site.hit(ana, message_id, "open")
    courier = site.outward.courier
    courier._now_ms = lambda: 2_000_000_000_000
    await courier.look()
    await courier.settle()
    page = await text_of(signed_in)
    assert "Switched off: the receiver says that it is gone for good" in page
    assert "1 was left out" in page
    answer = await signed_in.post(f"{PLACE}/targets/{target.id}/enable", {})
    assert answer.headers["Location"] == f"{PLACE}?done=enabled"
    assert "Switched off" not in await text_of(signed_in)
    answer = await signed_in.post(f"{PLACE}/targets/{target.id}/remove", {})
    assert answer.headers["Location"] == f"{PLACE}?done=removed"
    assert await site.outward.targets.every(ana.id) == []


async def test_one_senders_are_not_anothers(
    site, ana, eve, signed_in, open_browser, hook, calls
) -> None:
    await signed_in.post(f"{PLACE}/webhooks", {"address": hook})
    [target] = await site.outward.targets.every(ana.id)
    other = await open_browser()
    await other.be(site, eve)
    page = await text_of(other)
    assert "127.0.0.1" not in page
    for deed in ("test", "remove", "enable"):
        answer = await other.post(f"{PLACE}/targets/{target.id}/{deed}", {})
        assert answer.status == 404
    await text_of(other, f"?done=failed&target={target.id}")
    assert calls == []
    assert await site.outward.targets.every(ana.id) == [target]


async def test_who_tries_much_waits(site, ana, signed_in) -> None:
    for _ in range(20):
        answer = await signed_in.post(f"{PLACE}/services", {"address": "nonsense"})
        assert "no address of a service" in await answer.text()
    answer = await signed_in.post(f"{PLACE}/services", {"address": "nonsense"})
    assert "tried that often" in await answer.text()


async def test_no_more_than_may_be(site, ana, signed_in, hook) -> None:
    for number in range(MAX_TARGETS):
        await site.outward.targets.add_webhook(ana.id, f"{hook}/{number}", "en")
    page = await text_of(signed_in)
    assert "No more can be added" in page
    assert "Add a webhook" not in page
    answer = await signed_in.post(f"{PLACE}/webhooks", {"address": hook})
    assert "There are 10 already" in await answer.text()


async def test_the_feeds_address_is_shown_once(site, ana, signed_in) -> None:
    assert "It has no address yet" in await text_of(signed_in)
    answer = await signed_in.post(f"{PLACE}/feed", {})
    [path] = re.findall(r"/feed/[\w-]{43}\.atom", await answer.text())
    page = await text_of(signed_in)
    assert path not in page
    assert "Make a new address" in page
    assert (await signed_in.get(path)).status == 200
    await signed_in.post(f"{PLACE}/feed/close", {})
    assert (await signed_in.get(path)).status == 404


async def test_a_sender_without_an_address_gets_no_mail(site, open_browser) -> None:
    sender = await site.senders.add("app", "password", ["*@example.com"])
    browser = await open_browser()
    await browser.be(site, sender)
    page = await text_of(browser)
    assert "You have no address of your own yet" in page
    assert re.search(r'name="digest"[^>]* disabled', page)


class TestSwitchedOff:
    @pytest.fixture
    async def site(self, tmp_path):
        async with open_site(
            tmp_path, ways=Ways(webhooks=False, services=False, digest=False)
        ) as opened:
            yield opened

    async def test_what_the_site_has_not_is_not_offered(self, site, ana, signed_in) -> None:
        page = await text_of(signed_in)
        for words in ("Add a webhook", "Add a service", "A mail a day"):
            assert words not in page
        for path in ("webhooks", "services"):
            answer = await signed_in.post(f"{PLACE}/{path}", {"address": "https://example.com/"})
            assert answer.status == 404
        await signed_in.post(PLACE, {"notify": "all", "digest": "on"})
        assert not await site.outward.digests.is_on(ana.id)


def test_every_reason_has_words() -> None:
    for reason in Failed.__annotations__["reason"].__args__:
        assert say_failure(reason, "500") != reason
    for reason in ("address", "plain", "login", "service", "many", "twice", "often", "name"):
        assert say_refusal(reason) != reason


def make(**changes: object) -> Target:
    values: dict[str, object] = {
        "id": 1,
        "sender_id": 1,
        "kind": "webhook",
        "shown": "https://example.com/…",
        "language": "en",
        "created_at_ms": 0,
        "next_at_ms": 0,
        "sent_at_ms": None,
        "failed_at_ms": None,
        "reason": "",
        "detail": "",
        "failing_since_ms": None,
        "failures": 0,
        "left_out": 0,
        "disabled_at_ms": None,
    }
    return Target(**(values | changes))  # type: ignore[arg-type]


def test_a_target_in_words() -> None:
    assert view(make(), switched_on=True).state == "Nothing sent yet"
    assert view(make(), switched_on=False).state == "Switched off by the administrator"
    works = view(make(sent_at_ms=2, failed_at_ms=1, reason="slow"), switched_on=True)
    assert (works.mood, works.state, works.at_ms) == ("good", "Works", 2)
    failing = view(
        make(failed_at_ms=3, sent_at_ms=2, reason="slow", failing_since_ms=3, waiting=2),
        switched_on=True,
    )
    assert failing.state == "Failed: it did not answer in time"
    assert failing.notes == ("2 wait", "It is tried again")
