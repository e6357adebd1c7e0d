"""Through real mail servers: what they hand on is the mail as it was written."""

from collections.abc import Callable
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, Certificates, Letterbell, Sink, settings
from e2e.letters import FROM, NEWSLETTER
from e2e.mtas import exim, postfix
from e2e.oracle import RECEIVED, compare

from collector.schema import STATES

TO, EVE, GONE = "bob@example.org", "eve@example.org", "gone@example.org"
TEXT = FROM + b"Subject: dots\r\n\r\n.\r\n..\r\n.a line\r\n" + b"x" * 900 + b"\r\n\r\n"
LARGE = FROM + b"Subject: large\r\n\r\n" + b"a line of text, and more of them\r\n" * 200_000

pytestmark = pytest.mark.system


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "behind"))


def start(tmp_path: Path, until_done: ExitStack, upstream: str) -> Letterbell:
    relay = until_done.enter_context(Letterbell(tmp_path, settings(upstream)))
    relay.add_sender(ANA)
    return relay


@pytest.fixture
def behind_postfix(
    tmp_path: Path,
    sink: Sink,
    certificates: Certificates,
    until_done: ExitStack,
    require_tree: Callable[[str], Path],
) -> Callable[[str], Letterbell]:
    port = until_done.enter_context(postfix(require_tree("postfix"), sink.port, certificates))

    def started(password: str) -> Letterbell:
        upstream = f"""
port = {port}
ca_file = "{certificates.authority}"
user = "relay@example.com"
password = "{password}"

[delivery]
retry_first = 0.2"""
        return start(tmp_path, until_done, upstream)

    return started


def below(arrived: bytes) -> bytes:
    """Without the Received header of the server that handed it on."""
    return RECEIVED.sub(b"", arrived, count=1)


def send_each(relay: Letterbell, sink: Sink) -> None:
    """Each kind of mail is what it was, and known as taken by upstream's own words."""
    with relay.smtp() as client:
        client.ehlo()
        for mail in (NEWSLETTER, TEXT, LARGE):
            client.mail(ANA, ["BODY=8BITMIME"])
            client.rcpt(TO)
            client.rcpt(EVE)
            code, words = client.data(mail)
            assert code == 250, words
            kept = sink.next_mail()
            found = compare(mail, below(kept.content), BASE)
            assert len(found.targets) == (2 if mail is NEWSLETTER else 0)
            assert len(found.pixels) == (mail is NEWSLETTER)
            assert (kept.mail_from, sorted(kept.recipients)) == (ANA, [TO, EVE])
    assert {STATES[state] for (state,) in relay.rows("SELECT state FROM message")} == {"delivered"}


def test_postfix_with_starttls_and_a_login(
    behind_postfix: Callable[[str], Letterbell], sink: Sink
) -> None:
    send_each(behind_postfix("hunter2"), sink)


def test_postfix_that_refuses_one_of_two(
    behind_postfix: Callable[[str], Letterbell], sink: Sink
) -> None:
    """One gets it, of the other the sender hears in Postfix's words; nothing is sent twice."""
    relay = behind_postfix("hunter2")
    with relay.smtp() as client:
        client.sendmail(ANA, [TO, GONE], NEWSLETTER, ["BODY=8BITMIME"])
    got = {kept.mail_from: kept for kept in (sink.next_mail(), sink.next_mail())}
    assert got[ANA].recipients == [TO]
    compare(NEWSLETTER, below(got[ANA].content), BASE)
    [report] = [kept for sender, kept in got.items() if sender != ANA]
    assert report.recipients == [ANA]
    told = message_from_bytes(report.content, policy=policy.default)
    assert told.get_content_type() == "multipart/report"
    assert b"No such person" in report.content
    relay.stop()
    assert not list((relay.folder / "spool").glob("[0-9a-f][0-9a-f]/*"))


def test_postfix_that_knows_no_such_login(
    behind_postfix: Callable[[str], Letterbell], sink: Sink
) -> None:
    """Our trouble, not the mail's: it waits, and the log says why."""
    relay = behind_postfix("wrong")
    with relay.smtp() as client:
        client.sendmail(ANA, [TO], NEWSLETTER, ["BODY=8BITMIME"])
    event = relay.events("upstream unreachable")[0]
    assert "refused the login (535)" in event["problem"]
    relay.config.write_text(relay.config.read_text().replace('"wrong"', '"hunter2"'))
    relay.process.send_signal(1)
    compare(NEWSLETTER, below(sink.next_mail().content), BASE)


def test_exim(
    tmp_path: Path, sink: Sink, until_done: ExitStack, require_tree: Callable[[str], Path]
) -> None:
    program = require_tree("exim") / "usr/sbin/exim4"
    port = until_done.enter_context(exim(program, sink.port))
    send_each(start(tmp_path, until_done, f'port = {port}\ntls = "none"'), sink)
