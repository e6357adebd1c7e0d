"""Mail that the real relay signs, as a verifier of another make sees what upstream got."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from dkimkeys import key, verdicts, write_key
from e2e.house import ANA, Letterbell, Sink, settings
from e2e.letters import NEWSLETTER

TO = "bob@example.org"
RSA, ED = key(ANA.rpartition("@")[2], "rsa", rsa=True), key(ANA.rpartition("@")[2], "ed")
TABLE = (
    '\n[[dkim.key]]\ndomain = "{0.domain}"\nselector = "{0.selector}"\nfile = "{0.selector}.pem"\n'
)
ARC = (
    b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=list.example; s=x; b=c2VhbA==\r\n"
    b"ARC-Message-Signature: i=1; a=rsa-sha256; d=list.example; s=x;\r\n"
    b"\th=from; bh=Ymg=; b=Yg==\r\n"
    b"ARC-Authentication-Results: i=1; list.example; dkim=pass\r\n"
)


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


@pytest.fixture
def relay(tmp_path: Path, sink: Sink, until_done: ExitStack) -> Letterbell:
    write_key(tmp_path / "rsa.pem", RSA)
    write_key(tmp_path / "ed.pem", ED)
    text = settings(f'port = {sink.port}\ntls = "none"')
    relay = until_done.enter_context(Letterbell(tmp_path, text + TABLE.format(RSA)))
    relay.add_sender(ANA)
    return relay


def send(relay: Letterbell, sink: Sink, mail: bytes) -> bytes:
    with relay.smtp() as client:
        client.sendmail(ANA, [TO], mail, ["BODY=8BITMIME"])
    return sink.next_mail().content


def is_tracked(relay: Letterbell) -> bool:
    [(opens,)] = relay.rows("SELECT opens FROM message ORDER BY id DESC LIMIT 1")
    return bool(opens)


def test_a_tracked_mail_verifies_and_a_stale_signature_is_gone(
    relay: Letterbell, sink: Sink
) -> None:
    stale = b"DKIM-Signature: v=1; a=rsa-sha256; d=old.example; s=x; h=from; bh=x; b=x\r\n"
    got = send(relay, sink, stale + NEWSLETTER)
    assert is_tracked(relay)
    assert stale not in got
    assert verdicts(got, RSA) == [True]
    assert got.startswith(b"Received: ")


def test_an_arc_set_stays_and_the_mail_as_it_came(relay: Letterbell, sink: Sink) -> None:
    """A sealed mail is not ours to change: it gets a signature, and nothing else."""
    got = send(relay, sink, ARC + NEWSLETTER)
    assert not is_tracked(relay)
    assert got.endswith(ARC + NEWSLETTER)
    assert verdicts(got, RSA) == [True]


def test_sighup_takes_a_new_key(relay: Letterbell, sink: Sink) -> None:
    text = relay.config.read_text()
    relay.config.write_text(text + TABLE.format(ED))
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_for(lambda line: '"settings reloaded"' in line)
    assert verdicts(send(relay, sink, NEWSLETTER), RSA, ED) == [True, True]
    (relay.folder / "ed.pem").write_bytes(b"gone")
    relay.process.send_signal(signal.SIGHUP)
    assert "dkim.key[1].file" in relay.wait_for(lambda line: '"settings not reloaded"' in line)
    assert verdicts(send(relay, sink, NEWSLETTER), RSA, ED) == [True, True]
