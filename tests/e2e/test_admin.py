"""The admin's page of a real relay: what waits there, and who may send."""

import re
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest
from e2e.house import ANA, PASSWORD, Letterbell, free_port, run, settings

EVE = "eve@example.com"
SECRET = b"From: eve@example.com\r\nTo: %s\r\nSubject: subject-marker\r\n\r\nbody-marker\r\n"
TO = "recipient-marker@recipients.example"


class Browser:
    """As much of one as a form needs."""

    def __init__(self, relay: Letterbell) -> None:
        self.relay = relay
        self.cookies: dict[str, str] = {}
        self.token = ""

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, str]:
        """The status and the page."""
        with self.relay.http() as connection:
            connection.request(
                method,
                path,
                body=urlencode({"form_token": self.token, **fields}) if method == "POST" else None,
                headers={
                    "Cookie": "; ".join(f"{name}={each}" for name, each in self.cookies.items()),
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
            answer = connection.getresponse()
            page = answer.read().decode()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value.strip('"')
        if found := re.search(r'name="form_token" value="(\w+)"', page):
            self.token = found[1]
        return answer.status, page

    def sign_in(self, login: str) -> int:
        self.ask("GET", "/sign-in")
        status, _ = self.ask("POST", "/sign-in", login=login, password=PASSWORD)
        self.ask("GET", "/")
        return status


@pytest.fixture
def port() -> int:
    """Nobody is there."""
    return free_port()


@pytest.fixture
def relay(tmp_path: Path, port: int, until_done: ExitStack) -> Letterbell:
    upstream = f'port = {port}\ntls = "none"'
    text = settings(upstream) + "[tracking]\nclicks = false\n"
    relay = until_done.enter_context(Letterbell(tmp_path, text))
    for login in (ANA, EVE):
        relay.add_sender(login)
    run("sender", "set", ANA, "--admin", config=relay.config)
    return relay


def test_what_waits_and_who_may_send(relay: Letterbell, port: int) -> None:
    with relay.smtp(EVE) as client:
        client.sendmail(EVE, [TO], SECRET % TO.encode())
    browser = Browser(relay)
    assert browser.sign_in(ANA) == 303
    status, page = browser.ask("GET", "/admin")
    assert status == 200
    assert f"127.0.0.1:{port}" in page
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "1 mail away Try now" in text
    assert "Mails 1 1" in text
    assert EVE in page
    assert "-marker" not in page
    assert "recipients.example" not in page

    assert browser.ask("POST", "/admin/queue", upstream=f"127.0.0.1:{port}")[0] == 303
    assert relay.wait_for(lambda line: "queued mail was hurried" in line)

    status, page = browser.ask("POST", "/admin/senders", login="new@example.com")
    assert status == 200
    password = re.search(r'<code id="password">([\w-]+)</code>', page)
    assert password
    assert relay.rows("SELECT opens, clicks FROM sender WHERE login = 'new@example.com'") == [
        (1, 0)
    ]
    with relay.smtp("new@example.com", password[1]) as client:
        assert client.noop()[0] == 250
    told = relay.events("a sender was added")
    assert [each["by"] for each in told] == [1]
    assert password[1] not in "".join(relay.lines)


def test_for_others_there_is_no_such_page(relay: Letterbell) -> None:
    browser = Browser(relay)
    assert browser.sign_in(EVE) == 303
    assert browser.ask("GET", "/admin")[0] == 404
    assert browser.ask("GET", "/overview")[0] == 200
    run("sender", "set", EVE, "--admin", config=relay.config)
    run("sender", "set", EVE, "--no-admin", config=relay.config)
    assert relay.rows("SELECT is_admin FROM sender ORDER BY id") == [(1,), (0,)]
