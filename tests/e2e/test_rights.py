"""`letterbell stop`, `erase` and `forget`, beside a relay that runs: after the last, no octet of an
address is left on its disk.
"""

import json
import time
from contextlib import ExitStack
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, PATIENCE, Letterbell, Sink, fetch, free_port, run, settings
from e2e.oracle import compare

CAROL, DAVE = "Carol.Jones@example.org", "dave@example.net"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


@pytest.fixture
def relay(tmp_path: Path, sink: Sink, until_done: ExitStack) -> Letterbell:
    folder = tmp_path / "relay"
    folder.mkdir()
    upstream = f'port = {sink.port}\ntls = "none"'
    relay = until_done.enter_context(Letterbell(folder, settings(upstream)))
    relay.add_sender(ANA, "--per-recipient")
    return relay


def letter(to: list[str], subject: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = ANA, ", ".join(to), subject
    link = f"https://example.com/welcome?who={to[0]}"
    mail.set_content(f'<p>Hello {to[0]}, <a href="{link}">see it</a></p>', subtype="html")
    return mail.as_bytes()


def places(folder: Path, address: str) -> list[str]:
    """The files under the folder that have it, in any case, but for the config and the log."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".toml")
    return [path.name for path in files if address.lower().encode() in path.read_bytes().lower()]


def hit_all(relay: Letterbell, original: bytes, sent: bytes) -> None:
    found = compare(original, sent, BASE)
    with relay.http() as connection:
        for url in [*found.pixels, *found.targets]:
            fetch(connection, url, FIREFOX)


def until_stored(relay: Letterbell, hits: int) -> None:
    """An answer does not wait for a slow disk, and nobody tells when the last one is stored."""
    end = time.monotonic() + PATIENCE
    while relay.rows("SELECT count(*) FROM hit") != [(hits,)]:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_no_octet_is_left_while_the_relay_runs(relay: Letterbell, sink: Sink) -> None:
    with relay.smtp() as client:
        for number in range(15):
            for to in ([CAROL], [DAVE], [DAVE, CAROL]):
                original = letter(to, f"Mail {number}")
                client.sendmail(ANA, to, original)
                for _ in to:
                    sent = sink.next_mail()
                    if number < 3:
                        hit_all(relay, original, sent.content)
        until_stored(relay, 24)
        told = json.loads(run("export", CAROL, config=relay.config).stdout)
        assert len(told["received"]) == 30
        assert {hit["whose"] for mail in told["received"] for hit in mail["hits"]} == {"theirs"}
        assert places(relay.folder, CAROL)
        before = relay.rows("SELECT count(*), sum(open_count) FROM message")
        assert before == [(45, 12)]
        forgotten = run("forget", CAROL.upper(), "--yes", config=relay.config)
        assert forgotten.stdout == (
            f"Forgot {CAROL.upper()}: 15 messages erased, the address blanked in 15 rows more.\n"
        )
        assert forgotten.stderr == ""
        assert places(relay.folder, CAROL) == []
        assert relay.rows("SELECT count(*), sum(open_count) FROM message") == [(30, 6)]
        assert len(places(relay.folder, DAVE)) >= 1
        told = json.loads(run("export", CAROL, config=relay.config).stdout)
        assert not any(told[name] for name in ("accounts", "received", "sent", "queued"))
        # And the relay goes on, for her as well.
        client.sendmail(ANA, [CAROL], letter([CAROL], "A new one"))
        sink.next_mail()
    assert len(relay.rows("SELECT id FROM message")) == 31
    assert relay.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_message_is_stopped_and_then_erased(relay: Letterbell, sink: Sink) -> None:
    original = letter([DAVE], "Hello")
    with relay.smtp() as client:
        client.sendmail(ANA, [DAVE], original)
    sent = sink.next_mail().content
    [(message_id,)] = relay.rows("SELECT id FROM message")
    hit_all(relay, original, sent)
    until_stored(relay, 2)
    run("stop", f"{message_id:x}", config=relay.config)
    hit_all(relay, original, sent)
    assert relay.rows("SELECT count(*) FROM hit") == [(2,)]
    run("erase", f"{message_id:x}", "--yes", config=relay.config)
    assert relay.rows("SELECT id FROM hit UNION SELECT id FROM message") == []
    [(url, target)] = compare(original, sent, BASE).targets.items()
    with relay.http() as connection:
        status, header, _ = fetch(connection, url, FIREFOX)
    assert (status, header["Location"]) == (302, target)


def test_a_mail_on_its_way_comes_first(tmp_path: Path, until_done: ExitStack) -> None:
    """Upstream is away, so that it stays in the queue."""
    config = settings(f'port = {free_port()}\ntls = "none"')
    relay = until_done.enter_context(Letterbell(tmp_path, config))
    relay.add_sender(ANA)
    with relay.smtp() as client:
        client.sendmail(ANA, [CAROL], letter([CAROL], "Hello"))
    refused = run("forget", CAROL, "--yes", config=relay.config, check=False)
    assert refused.returncode == 1
    assert "still on its way" in refused.stderr
    assert len(relay.rows("SELECT id FROM message")) == 1
    done = run("forget", CAROL, "--yes", "--remove-queued", config=relay.config)
    assert "Gave up 1 of 1 mails" in done.stdout
    assert places(tmp_path, CAROL) == []
    assert relay.rows("SELECT id FROM message") == []
