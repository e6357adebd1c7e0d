"""App passwords and API keys: made, shown once, used, revoked; each its sender's alone."""

import re
from html import unescape
from pathlib import Path

import pytest
from sites import open_site

from collector.logins import Logins
from collector.passwords import Passwords, PasswordsBusy

SECRET = re.compile(r'<code id="secret">([^<]+)</code>')


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    await browser.get("/settings")
    return browser


async def make(browser, section: str, name: str, **fields: str) -> str:
    """The secret that is shown."""
    answer = await browser.post(f"/settings/{section}", {"name": name, **fields})
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    return SECRET.search(await answer.text())[1]


async def test_an_app_password_is_shown_once_and_sends_mail(site, ana, signed_in) -> None:
    password = await make(signed_in, "devices", " Phone ")
    known = await site.senders.authenticate_device(ana.login, password)
    assert (known.sender, known.device.name) == (ana, "Phone")
    page = await (await signed_in.get("/settings")).text()
    assert "Phone" in page
    assert password not in page
    assert "Never used" in page


async def test_a_revoked_one_sends_none(site, ana, signed_in) -> None:
    password = await make(signed_in, "devices", "Phone")
    answer = await signed_in.post("/settings/devices/revoke", {"name": "Phone"})
    assert answer.headers["Location"] == "/settings?saved=devices#devices"
    assert await site.senders.authenticate_device(ana.login, password) is None
    assert await site.senders.devices.list(ana.id) == ()


@pytest.mark.parametrize("scope", ["read", "write"])
async def test_an_api_key_is_good_for_its_scope(site, ana, signed_in, scope: str) -> None:
    key = await make(signed_in, "keys", "Reports", scope=scope)
    headers = {"Authorization": f"Bearer {key}"}
    answer = await signed_in.get("/api/v1/settings", headers=headers)
    assert answer.status == 200
    answer = await signed_in.session.patch(
        f"{site.url}/api/v1/settings", json={"opens": False}, headers=headers
    )
    assert answer.status == (200 if scope == "write" else 403)
    page = await (await signed_in.get("/settings")).text()
    assert ("Reads and changes" in page) is (scope == "write")
    assert key not in page
    await signed_in.post("/settings/keys/revoke", {"name": "Reports"})
    assert (await signed_in.get("/api/v1/settings", headers=headers)).status == 401


async def test_a_key_may_read_unless_it_is_said(site, ana, signed_in) -> None:
    await make(signed_in, "keys", "Reports")
    [key] = await site.senders.api_keys.list(ana.id)
    assert key.scope == "read"
    answer = await signed_in.post("/settings/keys", {"name": "More", "scope": "all"})
    assert answer.status == 400


@pytest.mark.parametrize("section", ["devices", "keys"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "A name has 1 to 100"),
        (" ", "A name has 1 to 100"),
        ("x" * 101, "A name has 1 to 100"),
        ("two\nlines", "A name has 1 to 100"),
        ("<b>Phone", "There is one named “<b>Phone” already"),
    ],
)
async def test_what_is_wrong_with_a_name_is_said(
    site, ana, signed_in, section: str, name: str, words: str
) -> None:
    await make(signed_in, section, "<b>Phone")
    answer = await signed_in.post(f"/settings/{section}", {"name": name})
    page = await answer.text()
    assert answer.status == 409
    assert words in unescape(page)
    assert "<b>Phone" not in page


@pytest.mark.parametrize("section", ["devices", "keys"])
async def test_anothers_is_neither_seen_nor_revoked(
    site, ana, eve, signed_in, section: str
) -> None:
    passes = {"devices": site.senders.devices, "keys": site.senders.api_keys}[section]
    await passes.add(eve.id, "Tablet", *(["read"] if section == "keys" else []))
    assert "Tablet" not in await (await signed_in.get("/settings")).text()
    answer = await signed_in.post(f"/settings/{section}/revoke", {"name": "Tablet"})
    assert answer.status == 404
    assert "none of that name" in await answer.text()
    assert len(await passes.list(eve.id)) == 1


async def test_a_crowd_is_told_to_come_again(site, ana, signed_in, monkeypatch) -> None:
    async def busy(*_: object) -> str:
        raise PasswordsBusy

    monkeypatch.setattr(Passwords, "hash", busy)
    answer = await signed_in.post("/settings/devices", {"name": "Phone"})
    assert answer.status == 503
    assert "try again in a moment" in await answer.text()


async def test_where_upstream_knows_the_logins_there_are_none(tmp_path: Path, open_browser) -> None:
    """An app password would open nothing there, and the password is not ours to change."""
    async with open_site(tmp_path, logins=Logins(are_ours=False)) as site:
        ana = await site.senders.add("ana", "right", [])
        browser = await open_browser()
        browser.url = site.url
        await browser.be(site, ana)
        page = await (await browser.get("/settings")).text()
        assert 'id="devices"' not in page
        assert 'id="password"' not in page
        assert 'id="keys"' in page
        for path in ("/settings/devices", "/settings/password"):
            assert (await browser.post(path, {"name": "Phone"})).status == 404
        assert await site.senders.devices.list(ana.id) == ()


async def test_where_mail_programs_need_app_passwords_the_page_says_so(
    tmp_path: Path, open_browser
) -> None:
    async with open_site(tmp_path, logins=Logins(app_passwords_only=True)) as site:
        browser = await open_browser()
        browser.url = site.url
        await browser.be(site, await site.senders.add("ana", "right", []))
        page = await (await browser.get("/settings")).text()
        assert "Your own password is for these pages alone" in page
        assert "For these pages. A new one" in page
