"""A sender changes the own password, and sees who is signed in."""

import pytest

from collector.passwords import Passwords, PasswordsBusy

PASSWORD, NEW = "the right one", "a few new words"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    await browser.get("/settings")
    return browser


async def change(browser, **fields: str):
    sent = {"current": PASSWORD, "new": NEW, "again": fields.get("new", NEW), **fields}
    return await browser.post("/settings/password", sent)


async def test_a_new_password_opens_and_every_other_session_ends(site, ana, signed_in) -> None:
    first, other = signed_in.cookie(), await site.senders.open_session(ana.id, 60)
    answer = await change(signed_in)
    assert answer.headers["Location"] == "/settings?saved=password#password"
    assert await site.senders.authenticate(ana.login, NEW) == ana
    assert await site.senders.authenticate(ana.login, PASSWORD) is None
    assert await site.senders.session(other) is None
    assert await site.senders.session(first) is None  # the cookie is a new one
    assert await site.senders.session(signed_in.cookie()) == ana
    assert "Saved." in await (await signed_in.get("/settings?saved=password")).text()


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"current": "wrong"}, 403, "current password is another one"),
        ({"again": "another"}, 400, "typed differently"),
        ({"new": "short"}, 400, "at least 8"),
        ({"new": "x" * 1_001}, 400, "at least 8"),
        ({"new": "ANA@example.com"}, 400, "login itself"),
        ({"new": "abcdefghijklmnop-abcdefghijklmnop"}, 400, "app password"),
    ],
)
async def test_what_is_wrong_is_said_and_changes_nothing(
    site, ana, signed_in, fields: dict[str, str], status: int, words: str
) -> None:
    kept = signed_in.cookie()
    answer = await change(signed_in, **fields)
    page = await answer.text()
    assert answer.status == status
    assert words in page
    assert not [secret for secret in (PASSWORD, NEW) if secret in page]
    assert await site.senders.authenticate(ana.login, PASSWORD) == ana
    assert await site.senders.session(kept) == ana


async def test_who_guesses_the_current_one_waits(site, ana, signed_in) -> None:
    """A browser that was left open is no way round the throttle of the sign-in."""
    for _ in range(5):
        assert (await change(signed_in, current="wrong")).status == 403
    answer = await change(signed_in)
    assert answer.status == 429
    assert "Wait 1 second" in await answer.text()
    assert await site.senders.authenticate(ana.login, NEW) is None


async def test_a_crowd_counts_as_no_guess(site, ana, signed_in, monkeypatch) -> None:
    async def busy(*_: object) -> bool:
        raise PasswordsBusy

    for name in ("matches", "hash"):
        with monkeypatch.context() as crowd:
            crowd.setattr(Passwords, name, busy)
            for _ in range(6):
                answer = await change(signed_in)
                assert answer.status == 503
                assert "try again in a moment" in await answer.text()
    assert (await change(signed_in)).status == 303


async def test_who_is_signed_in_is_listed(site, ana, eve, browser) -> None:
    await site.senders.open_session(ana.id, 60, FIREFOX)
    await site.senders.open_session(eve.id, 60, FIREFOX.replace("Linux", "Windows"))
    await browser.sign_in(ana.login)
    page = await (await browser.get("/settings")).text()
    listed = page.partition('id="sessions"')[2]
    assert listed.count('<li class="pass">') == 2
    assert listed.count("This browser") == 1
    assert "Firefox on Linux" in listed
    assert "Windows" not in listed


async def test_signing_out_everywhere(site, ana, eve, signed_in) -> None:
    tokens = [signed_in.cookie(), await site.senders.open_session(ana.id, 60)]
    hers = await site.senders.open_session(eve.id, 60)
    answer = await signed_in.post("/settings/sessions/end", {})
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")
    assert signed_in.cookie() is None
    assert [await site.senders.session(token) for token in tokens] == [None, None]
    assert await site.senders.session(hers) == eve
