"""What goes wrong at every door: a clear word, and nothing is lost."""

import json
import re
import shutil
import smtplib
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import (
    ANA,
    BASE,
    PASSWORD,
    PATIENCE,
    Certificates,
    Letterbell,
    Running,
    Sink,
    fetch,
    free_port,
    run,
    settings,
)
from e2e.letters import NEWSLETTER
from e2e.oracle import compare

from collector.schema import STATES

TO = "bob@example.org"


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


@pytest.fixture(scope="module")
def store(folder: Path) -> Path:
    """One that knows Ana."""
    config = folder / "letterbell.toml"
    config.touch(0o600)
    config.write_text(settings(""))
    run("sender", "add", ANA, "--password-stdin", config=config)
    return folder / "letterbell.db"


@pytest.fixture
def start(tmp_path: Path, store: Path, until_done: ExitStack) -> Callable[[str], Letterbell]:
    """`letterbell serve` with an [upstream], and with Ana."""

    def start(upstream: str) -> Letterbell:
        shutil.copy(store, tmp_path)
        return until_done.enter_context(Letterbell(tmp_path, settings(upstream)))

    return start


@pytest.fixture
def relay(sink: Sink, start: Callable[[str], Letterbell]) -> Letterbell:
    return start(f'port = {sink.port}\ntls = "none"')


def serve(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """`letterbell serve`, which is expected to end at once."""
    config = tmp_path / "letterbell.toml"
    config.touch(0o600)
    config.write_text(text)
    return run("serve", config=config, check=False)


def test_bad_config_ends_serve_with_all_that_is_wrong(tmp_path: Path) -> None:
    done = serve(tmp_path, settings("prot = 25\ntls = 'maybe'"))
    config = tmp_path / "letterbell.toml"
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"Error: {config}: 2 problems",
        "  upstream.tls = 'maybe': should be 'starttls', 'tls' or 'none'",
        '  upstream.prot is an unknown key: did you mean "port"?',
    ]


def test_taken_port_ends_serve_with_the_mend(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listen = f"[[smtp.listen]]\nport = {port}\nallow_plain_auth = true"
        done = serve(tmp_path, settings("", listen))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"Error: smtp.listen: 127.0.0.1 port {port}: something listens there already "
        "(Letterbell?): stop it or change the port"
    )


def test_store_that_is_none_ends_serve(tmp_path: Path) -> None:
    (tmp_path / "letterbell.db").write_bytes(b"anything but a database" * 500)
    done = serve(tmp_path, settings(""))
    assert done.returncode == 1
    assert "letterbell.db" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_forged_tokens_lead_nowhere_and_record_nothing(relay: Letterbell, sink: Sink) -> None:
    with relay.smtp() as client:
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
    found = compare(NEWSLETTER, sink.next_mail().content, BASE)
    with relay.http() as connection:
        for url in [*found.targets, f"{BASE}/c/", f"{BASE}/c/x"]:
            forged = url[:-1] + ("A" if url[-1] != "A" else "B")
            status, header, body = fetch(connection, forged)
            assert (status, header["Location"]) == (404, None)
            assert b"example.org" not in body
        forged_pixel = found.pixels[0][:-2] + "AA"
        assert fetch(connection, forged_pixel)[2].startswith(b"GIF89a")
    relay.stop()
    assert relay.rows("SELECT count(*) FROM hit") == [(0,)]


def test_wrong_password_and_no_password(relay: Letterbell) -> None:
    with smtplib.SMTP("127.0.0.1", relay.smtp_ports[0], timeout=PATIENCE) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(ANA, "wrong")
        assert refused.value.smtp_code == 535
        with pytest.raises(smtplib.SMTPSenderRefused) as stranger:
            client.sendmail(ANA, [TO], NEWSLETTER)
        assert stranger.value.smtp_code == 530
    relay.stop()
    assert not any(PASSWORD in line or "wrong" in line for line in relay.lines)


def test_upstream_that_is_away_may_leave_the_mail_with_the_client(
    start: Callable[..., Letterbell], tmp_path: Path, until_done: ExitStack
) -> None:
    port = free_port()
    relay = start(f'port = {port}\ntls = "none"\n\n[delivery]\nwhen_upstream_is_away = "defer"')
    with relay.smtp() as client:
        with pytest.raises(smtplib.SMTPDataError) as deferred:
            client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
        assert (deferred.value.smtp_code, deferred.value.smtp_error[:5]) == (451, b"4.4.1")
        until_done.enter_context(Sink(tmp_path / "upstream", "--port", str(port)))
    relay.stop()
    states = [STATES[state] for (state,) in relay.rows("SELECT state FROM message ORDER BY id")]
    assert states == ["deferred"]


def test_upstreams_refusals_reach_the_client_in_its_words(relay: Letterbell, sink: Sink) -> None:
    with relay.smtp() as client:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            client.sendmail(ANA, ["refused@example.org"], NEWSLETTER, ["BODY=8BITMIME"])
        assert refusal.value.smtp_code == 550
        assert refusal.value.smtp_error == b"5.1.1 nobody of that name"
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
    assert sink.next_mail().recipients == [TO]
    sink.stop()
    assert len([line for line in sink.lines if line.startswith("{")]) == 1


def test_upstream_whose_certificate_is_not_trusted_gets_nothing(
    tmp_path: Path,
    certificates: Certificates,
    start: Callable[[str], Letterbell],
    until_done: ExitStack,
) -> None:
    files = ("--certificate", certificates.certificate, "--key", certificates.key)
    sink = until_done.enter_context(Sink(tmp_path / "upstream", *files, "--login", "u:p"))
    relay = start(f'port = {sink.port}\nuser = "u"\npassword = "p"')
    with relay.smtp() as client:
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])  # it is queued
    relay.stop()
    event = relay.events("upstream unreachable")[0]
    assert f"the certificate of 127.0.0.1:{sink.port} is not valid" in event["problem"]
    assert "upstream.ca_file" in event["mend"]


def test_store_taken_away_lets_the_mail_through_untracked(relay: Letterbell, sink: Sink) -> None:
    with relay.smtp() as client:
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
        sink.next_mail()
        for path in relay.folder.glob("letterbell.db*"):
            path.write_bytes(b"gone" * 2000)
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
    assert compare(NEWSLETTER, sink.next_mail().content, BASE).targets == {}


def test_a_disk_below_its_floor_is_told_to_both(
    sink: Sink, start: Callable[[str], Letterbell]
) -> None:
    floor = f"\n\n[delivery]\nmin_free = {2**60}"
    relay = start(f'port = {sink.port}\ntls = "none"{floor}')
    with relay.smtp() as client:
        code, words = client.mail(ANA)
    assert (code, words[:5]) == (452, b"4.3.1")
    with relay.http() as connection:
        status, _, body = fetch(connection, f"{BASE}/health")
    assert status == 200
    assert "delivery.min_free" in json.loads(body)["alarms"]["room"]


ROUTE = """
[[upstream.route]]
senders = ["*@example.org"]
host = "127.0.0.1"
port = {port}
tls = "none"
fallback = ["localhost:{closed}"]
"""


def test_check_sends_a_real_mail_through_upstream(
    tmp_path: Path, certificates: Certificates, until_done: ExitStack
) -> None:
    files = ("--certificate", certificates.certificate, "--key", certificates.key, "--implicit")
    sink = until_done.enter_context(
        Sink(tmp_path / "upstream", *files, "--login", "relay@example.com:p")
    )
    config = tmp_path / "letterbell.toml"
    config.touch(0o600)
    upstream = f"""
port = {sink.port}
tls = "tls"
ca_file = "{certificates.authority}"
user = "relay@example.com"
password = "p"
"""
    config.write_text(settings(upstream))
    told = run("check", "--send", TO, config=config).stdout
    assert f"ok       upstream: 127.0.0.1 port {sink.port} takes our session as relay@e" in told
    assert f"ok       --send: to {TO} from relay@example.com: upstream said 250 " in told
    kept = sink.next_mail()
    assert (kept.mail_from, kept.recipients, kept.tls) == ("relay@example.com", [TO], True)
    assert b"Subject: A test mail of Letterbell\r\n" in kept.content
    plain = until_done.enter_context(Sink(tmp_path / "plain"))
    config.write_text(settings(upstream + ROUTE.format(port=plain.port, closed=free_port())))
    done = run("check", config=config, check=False)
    whose = "upstream (for *@example.org)"
    assert f"ok       {whose}: 127.0.0.1 port {plain.port} takes our session\n" in done.stdout
    assert f"problem  {whose}: localhost:" in done.stdout
    assert "cannot be reached" in done.stdout
    config.write_text(settings(upstream.replace('"p"', '"wrong"')))
    done = run("check", config=config, check=False)
    assert done.returncode == 2
    assert "refused the login (535): set upstream.user and upstream.password" in done.stdout


@pytest.mark.system
@pytest.mark.parametrize(
    ("option", "code", "state"),
    [
        ((), 250, "delivered"),
        (("-E", "-N", "-p"), 250, "delivered"),
        (("-W", ".:1"), 250, "delivered"),
        (("-f", "MAIL"), 500, "refused"),
        (("-f", "RCPT"), 500, "refused"),
        (("-f", "DATA"), 500, "refused"),
        (("-f", "."), 500, "refused"),
        (("-A", "0"), 550, "refused"),
        (("-f", "CONNECT"), 250, "queued"),
        (("-r", "MAIL"), 250, "queued"),
        (("-r", "DATA"), 250, "queued"),
        (("-r", "."), 250, "queued"),
        (("-q", "CONNECT"), 250, "queued"),
        (("-q", "RCPT"), 250, "queued"),
        (("-q", "."), 250, "queued"),
        (("-Q", "DATA"), 250, "queued"),
    ],
)
def test_smtp_sink_as_upstream(
    option: tuple[str, ...],
    code: int,
    state: str,
    start: Callable[[str], Letterbell],
    until_done: ExitStack,
    require_program: Callable[[str], str],
) -> None:
    """Postfix's own test server takes, refuses, defers, and hangs up at the end of the mail."""
    port = free_port()
    sink = Running(require_program("smtp-sink"), "-c", *option, f"127.0.0.1:{port}", "10")
    until_done.enter_context(sink)
    relay = start(f'port = {port}\ntls = "none"')
    with relay.smtp() as client:
        client.mail(ANA)
        client.rcpt(TO)
        assert client.data(NEWSLETTER)[0] == code
    relay.stop()
    assert [STATES[row[0]] for row in relay.rows("SELECT state FROM message")] == [state]
    if state == "delivered":
        sink.stop()
        assert re.search(r"mesg=1$", "".join(sink.lines))
