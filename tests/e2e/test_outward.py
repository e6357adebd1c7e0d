"""Notifications that leave a real relay: a hit's webhook, signed, which no kill loses; the feed."""

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from urllib.parse import urlencode

import feedparser
import pytest
from e2e.house import ANA, BASE, PASSWORD, PATIENCE, Letterbell, Sink, fetch, settings
from e2e.oracle import compare
from logs import remember
from standardwebhooks import Webhook

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NOTIFY = '[notify]\nprivate_networks = ["127.0.0.1/32"]\n'
PLACE = "/settings/notifications"

Calls = Queue[tuple[dict[str, str], bytes]]


@pytest.fixture
def calls() -> Calls:
    return Queue()


@pytest.fixture
def hook(calls: Calls) -> Iterator[str]:
    """The address of a receiver that keeps what it is sent."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            calls.put((dict(self.headers), body))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


class Pages:
    """The sender's pages of a relay, signed in."""

    def __init__(self, relay: Letterbell) -> None:
        self._port = relay.http_port
        self._cookies: dict[str, str] = {}
        self._token = ""
        self.ask("GET", "/sign-in")
        self.ask("POST", "/sign-in", login=ANA, password=PASSWORD)
        self.ask("GET", PLACE)

    def ask(self, method: str, path: str, **fields: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"form_token": self._token, **fields}) if method == "POST" else None
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        for each in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = each.partition(";")[0].partition("=")
            self._cookies[name] = value
        if found := re.search(r'name="form_token" value="(\w+)"', page):
            self._token = found[1]
        connection.close()
        assert answer.status in (200, 303), page
        return page


def open_relay(folder: Path, sink: Sink) -> Letterbell:
    upstream = f'port = {sink.port}\ntls = "none"'
    return Letterbell(folder, settings(upstream) + NOTIFY)


def open_a_mail(relay: Letterbell, sink: Sink, subject: str) -> None:
    """Sends one, and loads its pixel as its reader would."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = ANA, "ben@example.net", subject
    mail.set_content("<p>Hello</p>", subtype="html")
    with relay.smtp() as client:
        client.sendmail(ANA, ["ben@example.net"], mail.as_bytes())
    found = compare(mail.as_bytes(), sink.next_mail().content, BASE)
    with relay.http() as connection:
        for url in found.pixels:
            fetch(connection, url, FIREFOX)


def test_a_kill_loses_no_notification(tmp_path: Path, sink: Sink, hook: str, calls: Calls) -> None:
    folder = tmp_path / "relay"
    folder.mkdir()
    with open_relay(folder, sink) as relay:
        relay.add_sender(ANA)
        pages = Pages(relay)
        page = pages.ask("POST", f"{PLACE}/webhooks", address=hook).replace("&#43;", "+")
        [secret] = map(remember, re.findall(r"whsec_[\w+/=]+", page))
        [token] = map(
            remember, re.findall(r"/feed/([\w-]{43})", pages.ask("POST", f"{PLACE}/feed"))
        )
        open_a_mail(relay, sink, "The first")
        headers, body = calls.get(timeout=PATIENCE)
        event = Webhook(secret).verify(body, headers)
        assert (event["type"], event["data"]["subject"]) == ("mail.opened", "The first")
        open_a_mail(relay, sink, "The second")
        relay.process.kill()
        relay.process.wait()
    with open_relay(folder, sink) as relay:
        headers, body = calls.get(timeout=PATIENCE)
        assert Webhook(secret).verify(body, headers)["data"]["subject"] == "The second"
        with relay.http() as connection:
            status, _, feed = fetch(connection, f"{BASE}/feed/{token}.atom")
    assert status == 200
    assert [each.content[0].value for each in feedparser.parse(feed).entries] == [
        "The second",
        "The first",
    ]
    assert calls.empty()
