"""Mail in our custody: it outlives the process, and each recipient is settled once."""

import contextlib
import json
import re
import signal
import smtplib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, Letterbell, Sink, free_port, settings
from e2e.letters import NEWSLETTER
from e2e.oracle import compare

from collector.schema import STATES

TO = "bob@example.org"
SOON = "\n\n[delivery]\nretry_first = 0.2\nretry_longest = 0.2"


@pytest.fixture
def start(tmp_path: Path, until_done: ExitStack) -> Callable[[str], Letterbell]:
    folder = tmp_path / "relay"
    folder.mkdir()

    def started(upstream: str) -> Letterbell:
        relay = until_done.enter_context(Letterbell(folder, settings(upstream)))
        if not relay.rows("SELECT 1 FROM sender"):
            relay.add_sender(ANA)
        return relay

    return started


def states(relay: Letterbell) -> list[str]:
    return [STATES[state] for (state,) in relay.rows("SELECT state FROM message ORDER BY id")]


def spooled(relay: Letterbell) -> list[Path]:
    return [
        path
        for path in (relay.folder / "spool").rglob("*")
        if path.name != "lock" and path.is_file()
    ]


def test_what_is_queued_outlives_the_process(
    start: Callable[[str], Letterbell], tmp_path: Path, until_done: ExitStack
) -> None:
    port = free_port()
    upstream = f'port = {port}\ntls = "none"'
    relay = start(upstream)
    with relay.smtp() as client:
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
    relay.process.kill()
    relay.stop()
    assert len(spooled(relay)) == 1
    assert states(relay)[0] in ("sending", "queued")  # the store hears of it some time soon
    relay = start(upstream)
    relay.stop()
    assert states(relay) == ["queued"]
    sink = until_done.enter_context(Sink(tmp_path / "upstream", "--port", str(port)))
    relay = start(upstream)
    mail = sink.next_mail()
    compare(NEWSLETTER, mail.content, BASE)
    assert mail.recipients == [TO]
    assert relay.stop() == 0
    assert spooled(relay) == []
    assert states(relay) == ["delivered"]


def test_each_of_three_recipients_fares_alone(
    start: Callable[[str], Letterbell], tmp_path: Path, until_done: ExitStack
) -> None:
    """250, 550 and 451: one is sent, one bounced, one retried until it is taken; none twice."""
    sink = until_done.enter_context(Sink(tmp_path / "upstream"))
    relay = start(f'port = {sink.port}\ntls = "none"{SOON}')
    with relay.smtp() as client:
        everyone = [TO, "refused@example.org", "later@example.org"]
        client.sendmail(ANA, everyone, NEWSLETTER, ["BODY=8BITMIME"])
    mails = [sink.next_mail() for _ in range(3)]
    relay.stop()
    sink.stop()
    assert len([line for line in sink.lines if line.startswith("{")]) == 3
    assert sorted(mail.recipients for mail in mails) == [[ANA], [TO], ["later@example.org"]]
    for mail in mails:
        if mail.recipients != [ANA]:
            compare(NEWSLETTER, mail.content, BASE)
    [report] = [mail for mail in mails if mail.recipients == [ANA]]
    assert report.mail_from in ("", "<>")
    assert "NOTIFY=NEVER" in report.dsn
    message = message_from_bytes(report.content, policy=policy.SMTP)
    text, status, original = message.iter_parts()
    assert "refused@example.org" in text.get_content()
    assert "550 5.1.1 nobody of that name" in text.get_content()
    assert TO not in text.get_content()
    assert status.get_payload()[1]["Final-Recipient"] == "rfc822; refused@example.org"
    assert BASE.encode() not in original.get_payload(0).as_bytes()
    assert spooled(relay) == []
    [(state, outcomes)] = relay.rows("SELECT state, outcomes FROM message")
    assert STATES[state] == "delivered"
    assert [(each[0], each[1]) for each in json.loads(outcomes)] == [
        (1, "delivered"),
        (2, "refused"),
        (3, "delivered"),
    ]


def test_a_stop_keeps_what_upstream_has_not_answered(
    start: Callable[[str], Letterbell], until_done: ExitStack
) -> None:
    """SIGTERM while a client waits: it hears that its mail is queued, and the exit is clean."""
    upstream = until_done.enter_context(socket.create_server(("127.0.0.1", 0)))
    relay = start(f'port = {upstream.getsockname()[1]}\ntls = "none"')
    with ThreadPoolExecutor() as threads, relay.smtp() as client:
        client.mail(ANA)
        client.rcpt(TO)
        reply = threads.submit(client.data, NEWSLETTER)
        session = until_done.enter_context(upstream.accept()[0])
        for said in (
            b"220 hello\r\n",
            b"250 8BITMIME\r\n",
            b"250 ok\r\n",
            b"250 ok\r\n",
            b"354 go\r\n",
        ):
            session.sendall(said)
            heard = session.recv(65_536)
        while not heard.endswith(b"\r\n.\r\n"):
            heard += session.recv(65_536)
        relay.process.terminate()
        code, words = reply.result()
    assert (code, words[:16]) == (250, b"2.0.0 queued as ")
    assert relay.stop() == 0
    assert len(spooled(relay)) == 1


def test_a_stop_takes_the_mail_that_is_coming_in(
    start: Callable[[str], Letterbell], tmp_path: Path, until_done: ExitStack
) -> None:
    """SIGTERM in the middle of DATA: nobody new is let in, and the mail arrives."""
    sink = until_done.enter_context(Sink(tmp_path / "upstream"))
    relay = start(f'port = {sink.port}\ntls = "none"')
    stuffed = re.sub(rb"(?m)^\.", b"..", NEWSLETTER)
    half = len(stuffed) // 2
    with relay.smtp() as client:
        client.mail(ANA)
        client.rcpt(TO)
        client.docmd("DATA")
        client.send(stuffed[:half])
        relay.process.terminate()
        with contextlib.suppress(ConnectionError):  # once it has heard
            while True:
                socket.create_connection(("127.0.0.1", relay.smtp_ports[0])).close()
        client.send(stuffed[half:] + b".\r\n")
        assert client.getreply()[0] == 250
    compare(NEWSLETTER, sink.next_mail().content, BASE)
    assert relay.stop() == 0
    assert spooled(relay) == []


def test_a_stop_does_not_wait_for_a_browser_that_reads_nothing(
    start: Callable[[str], Letterbell],
) -> None:
    relay = start(f'port = {free_port()}\ntls = "none"')
    with socket.create_connection(("127.0.0.1", relay.http_port)) as browser:
        browser.settimeout(1)
        request = b"GET /static/vendor/htmx/htmx.min.js HTTP/1.1\r\nHost: x\r\n\r\n"
        with contextlib.suppress(TimeoutError):  # until nobody takes any more
            while True:
                browser.sendall(request * 100)
        assert relay.stop() == 0


def test_two_processes_do_not_share_a_spool(
    start: Callable[[str], Letterbell], tmp_path: Path
) -> None:
    relay = start(f'port = {free_port()}\ntls = "none"')
    with pytest.raises(AssertionError):
        Letterbell(tmp_path / "relay", settings(f'port = {free_port()}\ntls = "none"')).stop()
    assert relay.stop() == 0


def test_sighup_reads_the_times_again(start: Callable[[str], Letterbell]) -> None:
    """A mistake in the file changes nothing; mended, new mail is handled by the new settings."""
    relay = start(f'port = {free_port()}\ntls = "none"')
    good = relay.config.read_text()
    relay.config.write_text(good + '[delivery]\nwhen_upstream_is_away = "never"\n')
    relay.process.send_signal(signal.SIGHUP)
    told = relay.wait_for(lambda line: '"settings not reloaded"' in line)
    assert "delivery.when_upstream_is_away" in told
    relay.config.write_text(good + '[delivery]\nwhen_upstream_is_away = "defer"\n')
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_for(lambda line: '"settings reloaded"' in line)
    with relay.smtp() as client, pytest.raises(smtplib.SMTPDataError) as deferred:
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
    assert deferred.value.smtp_code == 451


def test_sighup_sends_what_waits_by_the_route_of_now(
    start: Callable[[str], Letterbell], tmp_path: Path, until_done: ExitStack
) -> None:
    relay = start(f'port = {free_port()}\ntls = "none"')
    with relay.smtp() as client:
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
    sink = until_done.enter_context(Sink(tmp_path / "upstream"))
    route = f"""
[[upstream.route]]
senders = ["{ANA}"]
host = "127.0.0.1"
port = {sink.port}
tls = "none"
"""
    relay.config.write_text(relay.config.read_text() + route)
    relay.process.send_signal(signal.SIGHUP)
    kept = sink.next_mail()
    assert (kept.mail_from, kept.recipients) == (ANA, [TO])
