"""Signing in and out, and what a stranger may not do."""

import pytest
from aiohttp import web

from collector.attempts import Attempts
from collector.pages import session
from collector.passwords import Passwords, PasswordsBusy


async def test_signs_in_with_the_smtp_login_and_out_again(site, ana, browser) -> None:
    answer = await browser.sign_in("ana@example.com")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    page = await browser.get("/")
    assert (page.status, "Your mail" in await page.text()) == (200, True)

    kept = browser.cookie()
    answer = await browser.post("/sign-out", {})
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")
    assert browser.cookie() is None
    # The session is gone for good, not only its cookie.
    answer = await browser.get("/", cookies={"letterbell_session": kept})
    assert answer.status == 303


async def test_the_cookie_is_out_of_scripts_and_other_sites_reach(site, ana, browser) -> None:
    answer = await browser.sign_in("ana@example.com")
    (cookie,) = [
        each for each in answer.headers.getall("Set-Cookie") if "letterbell_session=" in each
    ]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_over_tls_cookies_are_secure_and_bound_to_the_host(site, ana, browser) -> None:
    request_app = web.Application()
    request_app[session.SECURE_COOKIES] = True
    response = web.Response()

    class Request:
        app = request_app

    session._set_cookie(Request, response, session.session_cookie(Request), "x", 60)
    cookie = response.cookies["__Host-letterbell_session"]
    assert cookie["secure"]
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    # A browser that is to forget it must be told so under the same rules.
    session._drop_cookie(Request, response, session.session_cookie(Request))
    cookie = response.cookies["__Host-letterbell_session"]
    assert (cookie.value, cookie["max-age"], cookie["secure"], cookie["path"]) == (
        "",
        "0",
        True,
        "/",
    )


async def test_signing_in_again_opens_a_new_session_and_ends_the_old(site, ana, browser) -> None:
    await browser.sign_in("ana@example.com")
    first = browser.cookie()
    await browser.get("/settings")
    page = await browser.get("/sign-in")
    assert page.status == 303  # who is in needs no door
    browser.session.cookie_jar.clear(lambda each: each.key == "letterbell_session")
    await browser.get("/sign-in")
    browser.session.cookie_jar.update_cookies({"letterbell_session": first})
    await browser.post("/sign-in", {"login": "ana@example.com", "password": "the right one"})
    assert browser.cookie() != first
    assert await site.senders.session(first) is None


@pytest.mark.parametrize("login", ["ana@example.com", "nobody@example.com", ""])
async def test_a_wrong_password_is_told_the_same_for_every_login(
    site, ana, browser, login: str
) -> None:
    answer = await browser.sign_in(login, "wrong")
    text = await answer.text()
    assert answer.status == 403
    assert "do not match" in text
    assert f'value="{login}"' in text
    assert "wrong" not in text
    assert browser.cookie() is None


async def test_a_disabled_sender_stays_outside(site, ana, browser) -> None:
    await site.senders.set_enabled(ana.id, False)
    assert (await browser.sign_in("ana@example.com")).status == 403


async def test_failed_tries_are_slowed_and_told_how_long(site, ana, browser) -> None:
    for _ in range(5):
        assert (await browser.sign_in("ana@example.com", "wrong")).status == 403
    answer = await browser.sign_in("ana@example.com")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "1"
    assert "Wait 1 second, then try again" in await answer.text()
    # Another login from the same place still may.
    assert (await browser.sign_in("eve@example.com", "wrong")).status == 403


async def test_a_crowd_is_told_to_come_again_and_counts_as_no_failure(
    site, ana, browser, monkeypatch
) -> None:
    async def busy(*_: object) -> bool:
        raise PasswordsBusy

    with monkeypatch.context() as crowd:
        crowd.setattr(Passwords, "matches", busy)
        for _ in range(6):
            answer = await browser.sign_in("ana@example.com")
            assert answer.status == 503
            assert "try again in a moment" in await answer.text()
    assert (await browser.sign_in("ana@example.com")).status == 303


async def test_spellings_of_a_login_are_slowed_together(site, ana, browser) -> None:
    for login in (
        "ana@example.com",
        "ANA@example.com",
        "\uff21na@example.com",
        "\uff41na@example.com",
    ):
        assert (await browser.sign_in(login, "wrong")).status == 403
    assert (await browser.sign_in("ana@EXAMPLE.com", "wrong")).status == 403
    assert (await browser.sign_in("ana@example.com")).status == 429


async def test_many_logins_from_one_place_are_slowed_too(site, ana, browser) -> None:
    for number in range(20):
        await browser.sign_in(f"guess-{number}@example.com", "wrong")
    assert (await browser.sign_in("ana@example.com")).status == 429


async def test_a_login_that_is_right_gives_nobody_free_tries(site, ana, browser) -> None:
    """As at the relay: or whoever has a login could go on guessing those of others."""
    for turn in range(4):
        for number in range(5):
            await browser.sign_in(f"guess-{turn}-{number}@example.com", "wrong")
        browser.session.cookie_jar.clear()
        if turn < 3:
            assert (await browser.sign_in("ana@example.com")).status == 303
            browser.session.cookie_jar.clear()
    assert (await browser.sign_in("eve@example.com", "wrong")).status == 429
    # Where it was right before, a neighbour's guesses lock nobody out.
    assert (await browser.sign_in("ana@example.com")).status == 303


async def test_a_success_forgives_the_failures_before_it(site, ana, browser) -> None:
    for _ in range(3):
        for _ in range(4):
            await browser.sign_in("ana@example.com", "wrong")
        assert (await browser.sign_in("ana@example.com")).status == 303
        browser.session.cookie_jar.clear()


@pytest.mark.parametrize("path", ["/", "/settings", "/mail/1", "/live", "/live/1"])
async def test_strangers_are_asked_to_sign_in(site, browser, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize("path", ["/live", "/live/1", "/"])
async def test_scripts_are_told_instead_of_sent(site, browser, path: str) -> None:
    assert (await browser.get(path, headers={"HX-Request": "true"})).status == 401


@pytest.mark.parametrize("path", ["/settings", "/sign-out"])
async def test_strangers_change_nothing(site, browser, path: str) -> None:
    await browser.get("/sign-in")
    assert (await browser.post(path, {})).status == 401


async def test_comes_back_to_the_page_it_was_asked_for(site, ana, browser) -> None:
    asked = await browser.get("/settings")
    assert asked.headers["Location"] == "/sign-in?next=/settings"
    await browser.get(asked.headers["Location"])
    fields = {"login": "ana@example.com", "password": "the right one"}
    answer = await browser.post("/sign-in?next=/settings", fields)
    assert answer.headers["Location"] == "/settings"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nX-Evil: 1",
        "evil.example",
        "",
    ],
)
async def test_never_leads_to_another_site(site, ana, browser, elsewhere: str) -> None:
    await browser.get("/sign-in")
    answer = await browser.session.post(
        f"{site.url}/sign-in",
        params={"next": elsewhere},
        data={
            "form_token": browser.token,
            "login": "ana@example.com",
            "password": "the right one",
        },
        allow_redirects=False,
    )
    assert answer.headers["Location"] == "/"


def test_each_application_counts_for_itself() -> None:
    first, second = web.Application(), web.Application()
    session.setup(first)
    session.setup(second)
    assert isinstance(first[session.ATTEMPTS], Attempts)
    assert first[session.ATTEMPTS] is not second[session.ATTEMPTS]
