"""A sender's own choices, kept; and a toggle that a mail has set, explained."""

from itertools import product

import pytest

from collector.erasing import erase
from collector.origins import Choice
from collector.pages.settings import say_browser

CHOICES = ("opens", "clicks", "sticky")


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    await browser.get("/settings")
    return browser


async def read(browser, path: str = "/settings") -> str:
    return await (await browser.get(path)).text()


@pytest.mark.parametrize("wanted", list(product([False, True], repeat=3)))
async def test_each_choice_is_kept_by_itself(site, ana, signed_in, wanted) -> None:
    fields = {name: "on" for name, on in zip(CHOICES, wanted, strict=True) if on}
    answer = await signed_in.post("/settings", fields)
    assert (answer.status, answer.headers["Location"]) == (303, "/settings?saved=tracking#tracking")
    now = await site.senders.current(ana.id)
    assert (now.opens, now.clicks, now.sticky) == wanted
    page = await read(signed_in, "/settings?saved=tracking")
    assert page.count("checked>") == sum(wanted)
    assert "Saved." in page


async def test_scripts_get_a_word_and_what_changed_with_it(site, ana, signed_in) -> None:
    await site.senders.stick(ana.id, [Choice("opens", False, "X-Track")], message_id=1)
    answer = await signed_in.post("/settings", {"clicks": "on"}, {"HX-Request": "true"})
    page = await answer.text()
    assert answer.status == 200
    assert '<hx-partial hx-target="#saved" hx-swap="innerHTML">Saved.</hx-partial>' in page
    assert "Off since" in page  # it still is as that mail has set it
    answer = await signed_in.post("/settings", {"opens": "on"}, {"HX-Request": "true"})
    assert "since" not in await answer.text()


@pytest.mark.parametrize(("sent", "kept"), [("each", True), ("shared", False), ("?", False)])
async def test_a_copy_for_each(site, ana, signed_in, sent: str, kept: bool) -> None:
    await signed_in.post("/settings", {"attribution": sent})
    assert (await site.senders.current(ana.id)).per_recipient is kept
    await signed_in.post("/settings", {})
    assert (await site.senders.current(ana.id)).per_recipient is kept  # not asked, not changed


async def test_shows_the_addresses_that_may_be_used(site, ana, signed_in) -> None:
    await site.senders.set_addresses(ana.id, ["ana@example.com", "*@example.org"])
    page = await read(signed_in)
    assert "<code>ana@example.com</code>" in page
    assert "<code>*@example.org</code>" in page


async def test_one_senders_choice_is_not_anothers(site, ana, eve, signed_in) -> None:
    before = await site.senders.current(eve.id)
    await signed_in.post("/settings", {"attribution": "each"})
    await signed_in.post("/settings/consent", {"mode": "always"})
    await signed_in.post("/settings/language", {"language": "de"})
    await signed_in.post("/settings/notify", {"notify": "all"})
    assert await site.senders.current(eve.id) == before


# --- where a toggle comes from --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "said_by", "words"),
    [
        (False, "X-Track-Opens", "by the header <code>X-Track-Opens</code> of"),
        (True, "X-Track-Opens", "by the header <code>X-Track-Opens</code> of"),
        (False, "no-opens@x.invalid", "by the recipient <code>no-opens@x.invalid</code> of"),
        (True, "opens@x.invalid", "by the recipient <code>opens@x.invalid</code> of"),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
async def test_the_mail_that_set_it_is_named_and_taken_back(
    site, ana, signed_in, on: bool, said_by: str, words: str, listed: bool
) -> None:
    await site.senders.set_tracking(ana.id, opens=not on)
    mail = await site.add_mail(ana, "Offer for <b>June</b>") if listed else 1
    await site.senders.stick(ana.id, [Choice("opens", on, said_by)], message_id=mail)
    page = await read(signed_in)
    assert ("On since <time" if on else "Off since <time") in page
    assert words in page
    link = f'“<a href="/mail/{mail}">Offer for &lt;b&gt;June&lt;/b&gt;</a>”'
    assert (link in page) is listed
    assert ("a mail that is not in your list" in page) is not listed
    assert ("Turn it off again" if on else "Turn it on again") in page
    answer = await signed_in.post("/settings/undo", {"toggle": "opens"})
    assert answer.headers["Location"] == "/settings?saved=tracking#tracking"
    assert (await site.senders.current(ana.id)).opens is not on
    assert "since <time" not in (await read(signed_in)).partition('id="consent"')[0]


async def test_of_an_erased_mail_no_subject_stays(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana, "Offer for June")
    await site.senders.stick(ana.id, [Choice("clicks", False, "X-Track")], message_id=mail)
    assert "Offer for June" in await read(signed_in)
    await erase(site.store, ana.id, mail)
    page = await read(signed_in)
    assert "a mail that is not in your list" in page
    assert "Offer for June" not in page


async def test_anothers_toggle_is_not_taken_back(site, ana, eve, signed_in) -> None:
    await site.senders.stick(eve.id, [Choice("opens", False, "X-Track")], message_id=1)
    await signed_in.post("/settings/undo", {"toggle": "opens"})
    assert not (await site.senders.current(eve.id)).opens
    assert (await site.senders.current(ana.id)).opens


# --- consent and language -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["always", "unless-refused", "only-consented"])
async def test_a_mode_of_consent_and_the_sites_again(site, ana, signed_in, mode: str) -> None:
    answer = await signed_in.post("/settings/consent", {"mode": mode})
    assert answer.headers["Location"] == "/settings?saved=consent#consent"
    assert (await site.senders.current(ana.id)).consent == mode
    page = await read(signed_in)
    assert f'checked type="radio" name="mode" value="{mode}"' in page
    assert "Now: Unless they refuse." in page
    await signed_in.post("/settings/consent", {"mode": "site"})
    assert (await site.senders.current(ana.id)).consent is None


@pytest.mark.parametrize("notify", ["off", "first", "all"])
async def test_what_rings_the_bell(site, ana, signed_in, notify: str) -> None:
    answer = await signed_in.post("/settings/notify", {"notify": notify})
    assert answer.headers["Location"] == "/settings?saved=notify#notify"
    assert (await site.senders.current(ana.id)).notify == notify
    assert f'checked type="radio" name="notify" value="{notify}"' in await read(signed_in)


async def test_the_language_holds_over_the_browsers(site, ana, signed_in) -> None:
    wants = {"Accept-Language": "fr"}
    assert '<html lang="fr">' in await (await signed_in.get("/", headers=wants)).text()
    answer = await signed_in.post("/settings/language", {"language": "et"})
    assert answer.headers["Location"] == "/settings?saved=language#language"
    assert '<html lang="et">' in await (await signed_in.get("/", headers=wants)).text()
    assert 'value="et" lang="et" aria-pressed="true"' in await read(signed_in)
    await signed_in.post("/settings/language", {"language": ""})
    assert '<html lang="fr">' in await (await signed_in.get("/", headers=wants)).text()


async def test_the_door_speaks_as_the_browser_wants(site, browser) -> None:
    page = await browser.get("/sign-in", headers={"Accept-Language": "nl, en;q=0.5"})
    assert '<html lang="nl">' in await page.text()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/settings/undo", {"toggle": "sticky"}),
        ("/settings/undo", {}),
        ("/settings/consent", {"mode": "never"}),
        ("/settings/consent", {}),
        ("/settings/language", {"language": "xx"}),
        ("/settings/notify", {"notify": "maybe"}),
    ],
)
async def test_what_no_form_of_ours_says_changes_nothing(
    site, ana, signed_in, path: str, fields: dict[str, str]
) -> None:
    assert (await signed_in.post(path, fields)).status == 400
    assert await site.senders.current(ana.id) == ana


FORMS = (
    "/settings",
    "/settings/undo",
    "/settings/consent",
    "/settings/notify",
    "/settings/language",
    "/settings/devices",
    "/settings/devices/revoke",
    "/settings/keys",
    "/settings/keys/revoke",
    "/settings/password",
    "/settings/sessions/end",
)


@pytest.mark.parametrize("path", FORMS)
async def test_every_form_wants_the_sessions_token(site, ana, signed_in, path: str) -> None:
    kept = signed_in.cookie()
    for fields, headers in (
        ({"form_token": "0" * 32}, None),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Origin": "https://evil.example"}),
    ):
        assert (await signed_in.post(path, fields, headers)).status == 403
    assert (await site.senders.session(kept)) == ana


@pytest.mark.parametrize("section", ["devices", "keys", "password"])
async def test_a_reload_of_a_forms_answer_leads_back(signed_in, section: str) -> None:
    answer = await signed_in.get(f"/settings/{section}")
    assert (answer.status, answer.headers["Location"]) == (303, f"/settings#{section}")


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("Firefox on Linux", "Firefox on Linux"),
        ("Safari", "Safari"),
        ("another browser on Android", "Some browser on Android"),
        ("another browser", "Some browser"),
        ("something else", "Some browser"),
        ("curl", "Some browser"),
        ("", "Some browser"),
    ],
)
def test_browsers_by_name(family: str, words: str) -> None:
    assert say_browser(family) == words
