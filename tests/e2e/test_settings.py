"""What stands in the config file's [tracking] and [smtp] is what mail goes out by."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, BOB, Letterbell, Sink, settings
from e2e.letters import FROM

LISTEN = """
show_client = true
[[smtp.listen]]
address = "127.0.0.1"
port = 0
allow_plain_auth = true
"""
TRACKING = """
[tracking]
text_links = true
wrap_url_text = true
detrack_quotes = false
max_html = 300
"""
MAIL = FROM + b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/%s\r\n\r\n%s\r\n"
CLICK = re.escape(BASE.encode()) + rb"/c/[\w-]+"


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


@pytest.fixture
def relay(tmp_path: Path, sink: Sink, until_done: ExitStack) -> Letterbell:
    upstream = f'port = {sink.port}\ntls = "none"'
    text = settings(upstream, LISTEN) + TRACKING
    relay = until_done.enter_context(Letterbell(tmp_path, text))
    relay.add_sender(ANA)
    return relay


def test_each_setting_reaches_the_mail(relay: Letterbell, sink: Sink) -> None:
    def relayed(kind: bytes, body: bytes) -> bytes:
        with relay.smtp() as client:
            client.sendmail(ANA, [BOB], MAIL % (kind, body))
        return sink.next_mail().content

    assert relayed(b"plain", b"x").startswith(b"Received: from ")
    assert re.search(rb"See " + CLICK + rb"\.", relayed(b"plain", b"See https://example.org/."))
    shown = relayed(b"html", b'<a href="https://example.org/">www.example.org</a>')
    [url] = re.findall(rb'href="(' + CLICK + rb')"', shown)
    assert url in relayed(b"html", b'<a href="%s">quoted</a>' % url)
    long = b'<a href="https://example.org/">x</a>'.ljust(400)
    assert relayed(b"html", long).endswith(MAIL % (b"html", long))
