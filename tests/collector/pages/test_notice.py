"""The notice page: what a recipient is told, and what nothing but their own click changes."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession
from sites import TOKENS, Site, open_site

from collector.consent import Mode
from collector.keeping import Addresses, Agents, Keeping
from collector.pages import notice
from collector.pages.languages import NAMES
from collector.pages.notice import TEXT_VERSION
from collector.retention import Ages
from collector.senders import Sender
from collector.stats import Stats
from collector.tokens import NoticeToken

BOB, EVE = "bob@example.net", "Eve@example.net"
REFUSED = {"both": "refuse"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "ANSWER_SECONDS", 0)


class Reader:
    """Whoever has got a mail, with a browser that keeps nothing."""

    def __init__(self, session: ClientSession, site: Site, path: str) -> None:
        self.session = session
        self.site = site
        self.path = path

    async def get(self, query: str = "", **headers: str) -> tuple[ClientResponse, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.session.get(self.site.url + self.path + query, headers=named)
        return response, await response.text()

    async def post(
        self, fields: dict[str, str], query: str = "", **headers: str
    ) -> tuple[ClientResponse, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = self.site.url + self.path + query
        response = await self.session.post(url, data=fields, headers=named, allow_redirects=False)
        return response, await response.text()


@pytest.fixture
async def open_reader(site: Site, ana: Sender):
    """`await open_reader(2)`: the page of the second recipient of a mail, or of who shares it."""
    sessions: list[ClientSession] = []

    async def open_one(recipient: int = 0, to: tuple[str, ...] = (BOB, EVE)) -> Reader:
        message_id = await site.add_mail(ana, "A secret subject", to)
        sessions.append(ClientSession())
        token = TOKENS.mint_notice(message_id, recipient)
        return Reader(sessions[-1], site, f"/p/{token}")

    yield open_one
    for session in sessions:
        await session.close()


async def decided(site: Site, sender: Sender, address: str = BOB) -> list[tuple[str, bool]]:
    history = await site.consents.history(sender.id, address)
    return [(each.kind, each.granted) for each in history]


def buttons(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<button name="(\w+)" value="(\w+)"', page)


async def test_what_it_tells(open_reader) -> None:
    response, page = await (await open_reader(1)).get()
    assert response.status == 200
    assert "ana@example.com sent it on November 14, 2023" in page
    assert "127.0.0.1" in page
    assert "Opening may be recorded." in page
    assert "Followed links may be recorded." in page
    assert "subject" not in page
    assert EVE not in page
    assert buttons(page) == [("open", "refuse"), ("click", "refuse"), ("both", "refuse")]


@pytest.mark.parametrize(
    ("addresses", "agents", "days", "told"),
    [
        ("truncated", "family", 0, ["the name of the program", "too short", "as long as"]),
        ("none", "family", 30, ["the name of the program", "at most 30 days"]),
        ("full", "full", 0.5, ["says of itself", "whole network address", "at most 0.5 days"]),
    ],
)
async def test_it_tells_what_is_kept_here(
    tmp_path: Path,
    addresses: Addresses,
    agents: Agents,
    days: float,
    told: list[str],
) -> None:
    keeping, ages = Keeping(addresses=addresses, agents=agents), Ages(messages=days)
    async with open_site(tmp_path, keeping=keeping, ages=ages) as site, ClientSession() as session:
        ana = await site.senders.add("ana@example.com", "secret", ["ana@example.com"])
        token = TOKENS.mint_notice(await site.add_mail(ana), 1)
        _, page = await Reader(session, site, f"/p/{token}").get()
    sentences = ("the name of the program", "says of itself", "too short", "whole network address")
    ages_told = ("as long as", "at most 30 days", "at most 0.5 days")
    assert [each for each in (*sentences, *ages_told) if each in page] == told


async def test_nobody_on_the_way_learns_or_keeps_it(open_reader) -> None:
    response, page = await (await open_reader(1)).get()
    headers = response.headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "Set-Cookie" not in headers
    assert "<script" not in page
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert all(each.startswith(("../static/", "?lang=")) for each in addresses)


async def test_each_kind_apart_and_back_again(open_reader, site: Site, ana: Sender) -> None:
    reader = await open_reader(1)
    response, _ = await reader.post({"open": "refuse"})
    assert (response.status, response.headers["Location"]) == (303, f"{reader.path[3:]}?saved")
    _, page = await reader.get("?saved")
    assert "Your choice is saved." in page
    assert "Opening is not recorded." in page
    assert "Followed links may be recorded." in page
    assert buttons(page) == [("open", "grant"), ("click", "refuse")]
    await reader.post({"click": "refuse"})
    await reader.post({"open": "grant"})
    assert await decided(site, ana) == [("open", False), ("click", False), ("open", True)]
    assert await decided(site, ana, EVE) == []
    assert {each.how for each in await site.consents.history(ana.id, BOB)} == {"notice"}
    assert {each.text_version for each in await site.consents.history(ana.id, BOB)} == {
        TEXT_VERSION
    }


async def test_twice_is_once(open_reader, site: Site, ana: Sender) -> None:
    reader = await open_reader(2)
    for _ in range(3):
        response, _ = await reader.post(REFUSED)
        assert response.status == 303
    assert sorted(await decided(site, ana, EVE)) == [("click", False), ("open", False)]


async def test_it_holds_at_once_for_what_was_sent_before(site: Site, ana: Sender, browser) -> None:
    own = await site.add_mail(ana, "To each", (BOB, EVE), per_recipient=True)
    shared = await site.add_mail(ana, "To all", (BOB, EVE))
    agent = {"User-Agent": "Mozilla/5.0 Firefox/145.0"}

    async def open_all() -> list[int]:
        for number, recipient in ((own, 1), (own, 2), (shared, 0)):
            pixel = f"/o/{TOKENS.mint_open(number, recipient)}"
            assert (await browser.get(pixel, headers=agent)).status == 200
        return [row.raw_open_count for row in await Stats(site.store).recent(ana.id)]

    assert await open_all() == [1, 2]
    page = f"/p/{TOKENS.mint_notice(own, 1)}"
    assert (await browser.post(page, {"open": "refuse"})).status == 303
    assert await open_all() == [1, 3]  # of eve's own copy alone
    assert (await browser.post(page, {"open": "grant"})).status == 303
    assert await open_all() == [2, 5]


async def test_the_senders_page_tells_of_it(site: Site, ana: Sender, browser) -> None:
    await browser.be(site, ana)
    number = await site.add_mail(ana, "To all", (BOB, EVE))
    page = await (await browser.get(f"/mail/{number}")).text()
    [link] = re.findall(r'href="http://127.0.0.1(/p/[\w-]+)"', page)
    assert TOKENS.read_notice(link[3:]) == NoticeToken(number, 0)
    await browser.post(link, {"open": "refuse", "address": EVE})
    page = await (await browser.get(f"/mail/{number}")).text()
    assert "opens no longer tracked: has refused" in page
    assert "what one of them refuses is recorded of nobody" in page
    untracked = await site.add_mail(ana, tracked=False, reason="its recipient has refused it")
    page = await (await browser.get(f"/mail/{untracked}")).text()
    assert "Nothing of this mail is tracked: its recipient has refused it." in page
    assert "/p/" not in page


async def test_programs_that_follow_links_change_nothing(
    open_reader, site: Site, ana: Sender
) -> None:
    reader = await open_reader(1)
    for query in ("?both=refuse", "?open=refuse&click=refuse", ""):
        await reader.get(query)
        response = await reader.session.head(site.url + reader.path + query)
        assert response.status == 200
    assert await decided(site, ana) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "null"},
        {"Origin": "https://evil.example"},
    ],
)
async def test_another_sites_form_changes_nothing(
    open_reader, site: Site, ana: Sender, headers: dict[str, str]
) -> None:
    response, page = await (await open_reader(1)).post(REFUSED, **headers)
    assert response.status == 403
    assert "another site" in page
    assert await decided(site, ana) == []


@pytest.mark.parametrize(
    "headers",
    [{"Sec_Fetch_Site": "same-origin", "Origin": "null"}, {"Origin": "null"}, {}],
    ids=["today's browsers", "older ones", "no browser"],
)
async def test_our_own_form_does(
    open_reader, site: Site, ana: Sender, headers: dict[str, str]
) -> None:
    response, _ = await (await open_reader(1)).post(REFUSED, **headers)
    assert response.status == 303
    assert len(await decided(site, ana)) == 2


@pytest.mark.parametrize("fields", [{}, {"open": "maybe"}, {"shut": "refuse"}])
async def test_no_choice_is_no_choice(
    open_reader, site: Site, ana: Sender, fields: dict[str, str]
) -> None:
    reader = await open_reader(1)
    response, _ = await reader.post(fields)
    assert (response.status, response.headers["Location"]) == (303, reader.path[3:])
    assert await decided(site, ana) == []


@pytest.mark.parametrize(
    ("mode", "words", "offered"),
    [
        ("unless-refused", "Opening may be recorded.", "refuse"),
        ("only-consented", "Opening is not recorded.", "grant"),
        ("always", "nothing can be refused here", None),
    ],
)
async def test_each_mode_says_what_it_is(
    open_reader, site: Site, ana: Sender, mode: Mode, words: str, offered: str | None
) -> None:
    await site.senders.set_consent(ana.id, mode)
    reader = await open_reader(1)
    _, page = await reader.get()
    assert words in page
    assert (("open", offered) in buttons(page)) is (offered is not None)
    response, _ = await reader.post({"open": offered or "refuse"})
    assert response.status == 303
    assert await decided(site, ana) == ([("open", offered == "grant")] if offered else [])


async def test_whoever_shares_a_copy_is_asked_and_hears_the_same(
    open_reader, site: Site, ana: Sender
) -> None:
    reader = await open_reader(0)
    _, page = await reader.get()
    assert 'name="address"' in page
    assert BOB not in page
    assert "may be recorded" not in page  # of whom?
    answers = []
    for address in ("eve@EXAMPLE.net", "stranger@example.net", "", "no address"):
        response, _ = await reader.post({**REFUSED, "address": address})
        answers.append((response.status, dict(response.headers) | {"Date": ""}))
    assert all(answer == answers[0] for answer in answers)
    _, page = await reader.get("?saved")
    assert "If the mail was sent to this address, your choice is saved." in page
    assert sorted(await decided(site, ana, EVE)) == [("click", False), ("open", False)]
    assert await decided(site, ana) == []
    assert await decided(site, ana, "stranger@example.net") == []


async def test_nobody_agrees_in_anothers_name(open_reader, site: Site, ana: Sender) -> None:
    reader = await open_reader(0)
    await reader.post({"open": "grant", "click": "refuse", "address": BOB})
    assert await decided(site, ana) == [("click", False)]
    await reader.post({"click": "grant", "address": BOB})
    assert await decided(site, ana) == [("click", False)]


async def test_who_tries_many_addresses_waits(open_reader, site: Site, ana: Sender) -> None:
    reader = await open_reader(0)
    for number in range(20):
        response, _ = await reader.post({**REFUSED, "address": f"{number}@example.net"})
        assert response.status == 303
    response, page = await reader.post({**REFUSED, "address": BOB})
    assert response.status == 429
    assert "Wait a few minutes" in page
    assert await decided(site, ana) == []


async def test_who_cannot_decide_waits_to_agree_and_never_to_refuse(
    open_reader, site: Site, ana: Sender
) -> None:
    reader = await open_reader(1)
    for _ in range(25):
        response, _ = await reader.post({"open": "refuse"})
        assert response.status == 303
        response, _ = await reader.post({"open": "grant"})
    assert response.status == 429
    history = await decided(site, ana)
    assert len(history) == 41
    assert history[-1] == ("open", False)


async def test_what_is_no_token_or_no_mail_is_nothing(open_reader, site: Site, ana: Sender) -> None:
    reader = await open_reader(1)
    message_id = await site.add_mail(ana)
    for token in (
        "x",
        TOKENS.mint_open(message_id, 1),
        TOKENS.mint_notice(77, 1),
        TOKENS.mint_notice(message_id, 2),
    ):
        reader.path = f"/p/{token}"
        for response, page in (await reader.get(), await reader.post(REFUSED)):
            assert response.status == 404
            assert "There is nothing at this address" in page


@pytest.mark.parametrize("code", NAMES)
async def test_it_speaks_the_readers_language(
    open_reader, site: Site, ana: Sender, code: str
) -> None:
    pages = []
    for recipient in (0, 1):
        reader = await open_reader(recipient)
        _, page = await reader.get(Accept_Language=f"xx, {code}-XX;q=0.7")
        assert f'<html lang="{code}">' in page
        assert page.count("hreflang=") == 8
        pages.append(page)
        _, asked = await reader.get(f"?lang={code}", Accept_Language="sv")
        assert asked == page
        response, _ = await reader.post({**REFUSED, "address": "x"}, f"?lang={code}&saved")
        assert response.headers["Location"] == f"{reader.path[3:]}?lang={code}&saved"
        pages.append((await reader.get(f"?lang={code}&saved"))[1])
    reader.path = "/p/x"
    pages.append((await reader.get(f"?lang={code}"))[1])
    assert all("%(" not in page for page in pages)
    english = ("Your choice", "recorded", "There is nothing")
    assert any(word in page for page in pages for word in english) is (code == "en")


async def test_an_outage_is_told_in_words(
    impatient: None,
    site: Site,
    ana: Sender,
    open_reader,
    locked: Callable[[], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = await open_reader(1)
    shared = await open_reader(0)
    with locked():
        assert (await reader.get())[0].status == 200
        for response, page in (
            await reader.post(REFUSED, Accept_Language="de"),
            await shared.post({**REFUSED, "address": BOB}, Accept_Language="de"),
            await shared.post({**REFUSED, "address": "x@y.z"}, Accept_Language="de"),
        ):
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
            assert "Nichts wurde geändert" in page
    assert await decided(site, ana) == []


async def test_a_sender_who_goes_meanwhile(
    site: Site, ana: Sender, open_reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = await open_reader(1)
    mail = site.consents.mail

    async def then_remove(message_id: int) -> object:
        found = await mail(message_id)
        await site.senders.remove(ana.id)
        return found

    monkeypatch.setattr(site.consents, "mail", then_remove)
    response, _ = await reader.post(REFUSED)
    assert response.status == 404
