"""POSTs that did not come from our own pages are refused, and change nothing."""

import pytest
from aiohttp import FormData

from collector.pages import forms

CHOICES = {"opens": "on"}


async def opens_of(site, sender) -> bool:
    current = await site.senders.current(sender.id)
    return current.opens


@pytest.fixture
async def signed_in(site, ana, browser):
    await site.senders.set_tracking(ana.id, opens=False)
    await browser.be(site, ana)
    await browser.get("/settings")
    return browser


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
)
async def test_our_own_form_is_taken(site, ana, signed_in, headers) -> None:
    assert (await signed_in.post("/settings", CHOICES, headers)).status == 303
    assert await opens_of(site, ana)


async def test_the_origin_counts_where_the_browser_says_no_more(site, ana, signed_in) -> None:
    # Behind a proxy that speaks TLS the scheme differs from the one that we see.
    origin = {"Origin": site.url.replace("http:", "https:")}
    assert (await signed_in.post("/settings", CHOICES, origin)).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
async def test_other_sites_forms_are_refused(site, ana, signed_in, headers) -> None:
    answer = await signed_in.post("/settings", CHOICES, headers)
    assert answer.status == 403
    assert "reload" in await answer.text()
    assert not await opens_of(site, ana)


@pytest.mark.parametrize("token", ["", "0" * 32, "é", forms.token("another cookie")])
async def test_the_token_must_be_this_sessions(site, ana, signed_in, token: str) -> None:
    answer = await signed_in.post("/settings", {**CHOICES, "form_token": token})
    assert answer.status == 403
    assert not await opens_of(site, ana)


async def test_another_senders_token_is_none(site, ana, eve, signed_in, open_browser) -> None:
    other = await open_browser()
    await other.be(site, eve)
    await other.get("/settings")
    assert other.token != signed_in.token
    answer = await signed_in.post("/settings", {**CHOICES, "form_token": other.token})
    assert answer.status == 403


async def test_signing_in_takes_a_form_of_this_browser(site, ana, browser, open_browser) -> None:
    other = await open_browser()
    await other.get("/sign-in")
    fields = {"login": "ana@example.com", "password": "the right one"}
    await browser.get("/sign-in")
    answer = await browser.post("/sign-in", {**fields, "form_token": other.token})
    assert answer.status == 403
    assert "open for too long" in await answer.text()
    assert browser.cookie() is None


async def test_a_file_is_no_token(site, ana, signed_in) -> None:
    fields = FormData()
    fields.add_field("form_token", signed_in.token.encode(), filename="token.txt")
    answer = await signed_in.session.post(f"{site.url}/settings", data=fields)
    assert answer.status == 403
