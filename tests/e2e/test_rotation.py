"""A new key under a running relay: what was sent before keeps its links."""

import signal
from base64 import urlsafe_b64decode
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, Letterbell, Sink, fetch, run, settings
from e2e.letters import NEWSLETTER
from e2e.oracle import Findings, compare


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


def send(relay: Letterbell, sink: Sink) -> Findings:
    with relay.smtp() as client:
        client.sendmail(ANA, ["carol@example.org"], NEWSLETTER, ["BODY=8BITMIME"])
    return compare(NEWSLETTER, sink.next_mail().content, BASE)


def key_of(url: str) -> int:
    """The id of the key that signed it: the second octet of a token."""
    return urlsafe_b64decode(url.rpartition("/")[2][:4])[1]


def test_links_outlive_their_key_being_the_first(
    tmp_path: Path, sink: Sink, until_done: ExitStack
) -> None:
    text = settings(f'port = {sink.port}\ntls = "none"')
    relay = until_done.enter_context(Letterbell(tmp_path, text))
    relay.add_sender(ANA)
    mails = [send(relay, sink)]
    told = run("keys", "rotate", config=relay.config)
    assert "Key 2 signs" in told.stdout
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_for(lambda line: '"settings reloaded"' in line)
    mails.append(send(relay, sink))
    assert [key_of(mail.pixels[0]) for mail in mails] == [1, 2]
    assert_all_lead(relay, mails)
    assert relay.stop() == 0
    again = until_done.enter_context(Letterbell(tmp_path, relay.config.read_text()))
    mails.append(send(again, sink))
    assert [key_of(mail.pixels[0]) for mail in mails] == [1, 2, 2]
    assert_all_lead(again, mails)


def assert_all_lead(relay: Letterbell, mails: list[Findings]) -> None:
    before = len(relay.rows("SELECT id FROM hit"))
    asked = 0
    with relay.http() as connection:
        for mail in mails:
            for url, target in mail.targets.items():
                status, header, _ = fetch(connection, url)
                assert (status, header["Location"]) == (302, target)
                asked += 1
            assert fetch(connection, mail.pixels[0])[0] == 200
            asked += 1
    assert len(relay.rows("SELECT id FROM hit")) == before + asked
