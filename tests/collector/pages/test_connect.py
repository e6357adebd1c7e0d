"""Connect: what is shown, what is made and shown once, and what strangers get."""

import html
import plistlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from places import Place
from sites import Site, open_site
from structlog.testing import capture_logs

from collector import passwords
from collector.logins import OURS, Logins
from collector.pages import connect
from collector.pages.snippets import PLACEHOLDER
from collector.pages.tickets import LIFETIME, Tickets
from collector.senders import Sender
from collector.servers import Server, Servers

SMTP = Server("relay.example.com", 465, "implicit")
HOME = Servers(
    smtp=SMTP,
    imap=Server("imap.example.com", 993, "implicit"),
    domains=("example.com",),
    control_domain="control.invalid",
)
PASSWORD = re.compile(r'id="new-password">([a-z2-7]{16}-[a-z2-7]{16})<')
LINK = re.compile(r'id="profile-link">http://127\.0\.0\.1(/connect/profile/[\w-]+)<')
AUTOCONFIG = ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"]


@pytest.fixture
def servers() -> Servers:
    return HOME


@pytest.fixture
def logins() -> Logins:
    return OURS


@pytest.fixture
def clock() -> list[float]:
    """The one that links age by."""
    return [0.0]


@pytest.fixture
async def site(
    tmp_path: Path,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    servers: Servers,
    logins: Logins,
    clock: list[float],
) -> AsyncIterator[Site]:
    monkeypatch.setattr(connect, "Tickets", lambda: Tickets(lambda: clock[0]))
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    async with open_site(tmp_path, store_url=place.url, servers=servers, logins=logins) as opened:
        yield opened


@pytest.fixture
async def signed_in(site: Site, ana: Sender, browser):
    await browser.be(site, ana)
    await browser.get("/connect")
    return browser


@pytest.fixture
async def stranger(open_browser):
    return await open_browser()


async def read(answer) -> str:
    assert answer.headers["Cache-Control"] == "no-store"
    return html.unescape(await answer.text())


async def names(site: Site, sender: Sender) -> list[str]:
    return [each.name for each in await site.senders.devices.list(sender.id)]


async def test_shows_what_to_type_in(signed_in) -> None:
    page = await read(await signed_in.get("/connect"))
    for word in ("relay.example.com", ">465<", "SSL/TLS (not STARTTLS)", "ana@example.com"):
        assert word in page
    assert "no-track@control.invalid" in page
    assert "ana@example.com+no-track" in page
    for each in ("thunderbird", "outlook", "apple-mail", "k9", "gmail", "python", "msmtp", "mutt"):
        assert f'id="with-{each}"' in page
    assert page.count(PLACEHOLDER) == 1 + 7  # in the words above the examples, and in each
    assert 'href="/settings#devices"' in page
    assert 'href="/connect" aria-current="page"' in page


async def test_every_button_copies_something_that_is_there(signed_in) -> None:
    page = await (await signed_in.get("/connect")).text()
    wanted = re.findall(r'data-copy="([^"]+)"', page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(wanted) == 3 + 7
    assert set(wanted) <= set(ids)
    assert len(ids) == len(set(ids))


async def test_strangers_are_asked_to_sign_in(site, stranger) -> None:
    answer = await stranger.get("/connect")
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in?next=/connect")
    for path in ("/connect/device", "/connect/profile"):
        assert (await stranger.post(path, {"name": "x"})).status == 401


async def test_a_new_app_password_is_shown_once_and_works(site, ana, signed_in) -> None:
    page = await read(await signed_in.post("/connect/device", {"name": " Laptop "}))
    (password,) = PASSWORD.findall(page)
    assert PLACEHOLDER not in page
    assert page.count(password) == 1 + 7
    signed = await site.senders.authenticate_device("ana@example.com", password)
    assert signed
    assert signed.device
    assert (signed.sender.id, signed.device.name) == (ana.id, "Laptop")
    assert password not in await read(await signed_in.get("/connect"))


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "Laptop"])
async def test_a_name_that_cannot_be_is_told_of(site, ana, signed_in, name) -> None:
    await site.senders.devices.add(ana.id, "Laptop")
    answer = await signed_in.post("/connect/device", {"name": name})
    assert answer.status == 400
    assert "Give it a name of up to 100 characters" in await read(answer)
    assert await names(site, ana) == ["Laptop"]


async def test_forms_of_other_sites_make_nothing(site, ana, signed_in) -> None:
    for path in ("/connect/device", "/connect/profile"):
        fields = {"name": "Laptop", "address": "ana@example.com"}
        foreign = await signed_in.post(path, fields, {"Origin": "https://evil.example"})
        assert foreign.status == 403
        assert (await signed_in.post(path, {**fields, "form_token": "0" * 32})).status == 403
    assert await names(site, ana) == []


async def test_while_too_many_passwords_are_hashed(site, signed_in, monkeypatch) -> None:
    async def busy(*_: object) -> str:
        raise passwords.PasswordsBusy

    monkeypatch.setattr(site.senders.devices, "add", busy)
    fields = {"name": "Laptop", "address": "ana@example.com"}
    for path in ("/connect/device", "/connect/profile"):
        answer = await signed_in.post(path, fields)
        assert answer.status == 503
        assert "try again in a moment" in await read(answer)


async def test_examples_take_an_address_that_the_sender_may_write_as(site, ana, signed_in) -> None:
    for addresses, shown in (
        (["*@ana.example", "office@example.com"], "office@example.com"),
        (["*@ana.example"], "me@ana.example"),
        ([], "you@example.com"),
    ):
        await site.senders.set_addresses(ana.id, addresses)
        page = await read(await signed_in.get("/connect"))
        assert f'mail["From"] = "{shown}"' in page


async def test_an_odd_login_stays_text(site, browser) -> None:
    login = """o'x"<b>&amp;%(code)s {{ 7777*7777 }}"""
    odd = await site.senders.add(login, "secret", ["odd@example.com"])
    await browser.be(site, odd)
    page = await (await browser.get("/connect")).text()
    assert "<b>" not in page
    assert "60481729" not in page
    assert f'<code id="smtp-login">{html.escape(login, quote=False)}' in page.replace(
        "&#39;", "'"
    ).replace("&#34;", '"')


# Apple's profile


async def download(browser, **fields: str):
    given = {"address": "ana@example.com", "name": "iPhone", "how": "file"}
    return await browser.post("/connect/profile", given | fields)


async def test_a_profile_holds_a_new_app_password(site, ana, signed_in) -> None:
    answer = await download(signed_in)
    assert answer.status == 200
    assert answer.content_type == "application/x-apple-aspen-config"
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'filename="letterbell.mobileconfig"' in answer.headers["Content-Disposition"]
    (account,) = plistlib.loads(await answer.read())["PayloadContent"]
    assert account["OutgoingMailServerUsername"] == "ana@example.com"
    signed = await site.senders.authenticate_device("ana@example.com", account["OutgoingPassword"])
    assert signed
    assert signed.device
    assert signed.device.name == "iPhone"


async def test_a_profile_is_for_ones_own_addresses_alone(site, ana, eve, signed_in) -> None:
    for address in ("eve@example.com", "ana@elsewhere.example", "", "*@example.com"):
        assert (await download(signed_in, address=address)).status == 404
        assert (await download(signed_in, address=address, how="link")).status == 404
    assert await names(site, ana) == []


async def test_a_name_that_is_taken_makes_no_profile(site, ana, signed_in) -> None:
    await site.senders.devices.add(ana.id, "iPhone")
    for how in ("file", "link"):
        answer = await download(signed_in, how=how)
        assert answer.status == 400
        assert "none of your other devices has" in await read(answer)


async def make_link(browser) -> str:
    page = await read(await download(browser, how="link"))
    (path,) = LINK.findall(page)
    assert "<svg" in page
    return path


async def test_the_link_works_once_without_cookies(site, ana, signed_in, stranger) -> None:
    path = await make_link(signed_in)
    assert await names(site, ana) == []  # nothing is made before it is fetched
    assert (await stranger.session.head(stranger.url + path)).status == 405
    answer = await stranger.get(path)
    (account,) = plistlib.loads(await answer.read())["PayloadContent"]
    assert account["EmailAddress"] == "ana@example.com"
    assert await site.senders.authenticate_device("ana@example.com", account["OutgoingPassword"])
    assert "Set-Cookie" not in answer.headers
    again = await stranger.get(path)
    assert again.status == 404
    assert await names(site, ana) == ["iPhone"]


async def test_used_old_and_made_up_links_are_told_the_same(signed_in, stranger, clock) -> None:
    old = await make_link(signed_in)
    clock[0] += LIFETIME
    late = await stranger.get(old)
    used = await make_link(signed_in)
    assert (await stranger.get(used)).status == 200
    answers = [late, await stranger.get(used), await stranger.get("/connect/profile/" + "x" * 32)]
    assert [each.status for each in answers] == [404, 404, 404]
    told = {(await each.text(), each.headers["Content-Type"]) for each in answers}
    assert len(told) == 1


async def test_a_link_ends_with_its_senders_right(site, ana, signed_in, stranger) -> None:
    path = await make_link(signed_in)
    await site.senders.set_enabled(ana.id, False)
    assert (await stranger.get(path)).status == 404
    assert await names(site, ana) == []


async def test_a_link_whose_devices_name_was_given_away(site, ana, signed_in, stranger) -> None:
    path = await make_link(signed_in)
    await site.senders.devices.add(ana.id, "iPhone")
    assert (await stranger.get(path)).status == 404


async def test_a_link_outlives_an_outage(site, ana, signed_in, stranger, locked) -> None:
    path = await make_link(signed_in)
    with locked(), capture_logs() as logs:
        assert (await stranger.get(path)).status == 503
    (told,) = [each for each in logs if each["event"] == "page without store"]
    assert told["page"] == "/connect/profile/{token}"  # and not which one
    assert (await stranger.get(path)).status == 200
    assert await names(site, ana) == ["iPhone"]


async def test_a_login_in_a_domain_of_ones_own_is_a_mailbox(site, ana, signed_in) -> None:
    await site.senders.set_addresses(ana.id, ["*@example.com"])
    assert (await download(signed_in)).status == 200


class TestWithoutAnIncomingServer:
    @pytest.fixture
    def servers(self) -> Servers:
        return Servers(smtp=SMTP)

    async def test_why_there_is_no_profile_is_told(self, signed_in) -> None:
        page = await read(await signed_in.get("/connect"))
        assert "it has to name the server where your mail arrives" in page
        assert "connect.imap_host" in page
        assert (await download(signed_in)).status == 404

    @pytest.mark.parametrize("path", AUTOCONFIG)
    async def test_why_there_is_no_autoconfig_is_told(self, stranger, path) -> None:
        answer = await stranger.get(f"{path}?emailaddress=ana@example.com")
        assert answer.status == 404
        assert "no IMAP server is set, and the format wants one" in await answer.text()


class TestWherePasswordsAreUpstreams:
    @pytest.fixture
    def servers(self) -> Servers:
        return Servers(smtp=SMTP, imap=HOME.imap, domains=HOME.domains)

    @pytest.fixture
    def logins(self) -> Logins:
        return Logins(are_ours=False)

    async def test_none_are_made(self, site, ana, signed_in) -> None:
        page = await read(await signed_in.get("/connect"))
        assert "None is needed" in page
        assert "/connect/device" not in page
        assert (await signed_in.post("/connect/device", {"name": "Laptop"})).status == 404
        answer = await download(signed_in, name="")
        (account,) = plistlib.loads(await answer.read())["PayloadContent"]
        assert account["OutgoingPasswordSameAsIncomingPassword"] is True
        assert "OutgoingPassword" not in account
        assert await make_link(signed_in)
        assert await names(site, ana) == []


class TestAnAddressElsewhere:
    async def test_is_told_that_there_is_no_profile(self, site, ana, signed_in) -> None:
        await site.senders.set_addresses(ana.id, ["ana@elsewhere.example"])
        page = await read(await signed_in.get("/connect"))
        assert "whose mail arrives at imap.example.com. None of yours is known to." in page


# Autoconfiguration


@pytest.mark.parametrize("path", AUTOCONFIG)
@pytest.mark.parametrize(
    "query", ["", "?emailaddress=ana@example.com", "?emailaddress=Nobody@EXAMPLE.com"]
)
async def test_anybody_may_ask(ana, stranger, path, query) -> None:
    answer = await stranger.get(path + query)
    assert (answer.status, answer.content_type) == (200, "text/xml")
    assert "Set-Cookie" not in answer.headers
    text = await answer.text()
    root = ET.fromstring(text)
    assert [each.text for each in root.iter("domain")] == ["example.com"]
    assert root.findtext("*/outgoingServer/hostname") == "relay.example.com"
    (page,) = root.iter("documentation")
    assert page.get("url") == "http://127.0.0.1/connect"
    assert "ana" not in text.lower()  # the same for all: who exists is not told


@pytest.mark.parametrize("address", ["ana@elsewhere.example", "", "x", "a@b@<c>&"])
async def test_addresses_of_other_servers_get_none(stranger, address) -> None:
    answer = await stranger.session.get(
        stranger.url + AUTOCONFIG[0], params={"emailaddress": address}
    )
    assert (answer.status, answer.content_type) == (404, "text/plain")
    assert await answer.text() == "No configuration here: the address is of another mail server.\n"
