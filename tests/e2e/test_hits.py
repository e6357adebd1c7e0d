"""From a mail sent to the page that says it was read, as its sender sees it and nobody else."""

import http.cookies
import re
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest
from e2e.house import ANA, BASE, BOB, PASSWORD, Letterbell, Sink, fetch, settings
from e2e.letters import NEWSLETTER
from e2e.oracle import compare

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


@pytest.fixture
def relay(tmp_path: Path, sink: Sink, until_done: ExitStack) -> Letterbell:
    upstream = f'port = {sink.port}\ntls = "none"'
    relay = until_done.enter_context(Letterbell(tmp_path, settings(upstream)))
    relay.add_sender(ANA)
    relay.add_sender(BOB)
    return relay


class Page:
    """The sender's pages as a browser gets them behind the proxy with TLS: cookies and forms."""

    def __init__(self, relay: Letterbell) -> None:
        self._relay = relay
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, str]:
        return self._ask("GET", path)

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        return self._ask("POST", path, urlencode(fields))

    def sign_in(self, login: str) -> "Page":
        _, form = self.get("/sign-in")
        token = re.search(r'name="form_token" value="([^"]+)"', form)
        assert token
        status, _ = self.post("/sign-in", form_token=token[1], login=login, password=PASSWORD)
        assert status == 303
        return self

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        header = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        if body is not None:
            header["Content-Type"] = "application/x-www-form-urlencoded"
        with self._relay.http() as connection:
            connection.request(method, path, body, header)
            response = connection.getresponse()
            for cookie in response.headers.get_all("Set-Cookie", []):
                morsels = http.cookies.SimpleCookie(cookie).items()
                self._cookies |= {name: morsel.value for name, morsel in morsels}
            return response.status, response.read().decode()


def test_the_page_tells_the_open_to_its_sender_alone(relay: Letterbell, sink: Sink) -> None:
    with relay.smtp() as client:
        client.sendmail(ANA, ["carol@example.org"], NEWSLETTER, ["BODY=8BITMIME"])
    found = compare(NEWSLETTER, sink.next_mail().content, BASE)
    ana, bob = Page(relay).sign_in(ANA), Page(relay).sign_in(BOB)
    _, before = ana.get("/")
    assert "A letter" in before
    solid = 'data-state="hit"'
    assert solid not in before
    with relay.http() as connection:
        fetch(connection, found.pixels[0], FIREFOX)
    _, after = ana.get("/")
    assert solid in after
    [path] = set(re.findall(r'"(/mail/\d+)"', after))
    status, detail = ana.get(path)
    assert status == 200
    assert "Opened" in detail
    assert "A letter" not in bob.get("/")[1]
    assert bob.get(path)[0] == 404
    assert Page(relay).get(path)[0] in (303, 401)
