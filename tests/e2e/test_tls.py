"""The certificate of a running relay is renewed: SIGHUP, and no session ends for it.

What TLS is spoken at all: openssl here, sslyze in test_sslyze.py.
"""

import shutil
import signal
import smtplib
import ssl
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from e2e.house import ANA, BOB, PASSWORD, PATIENCE, Certificates, Letterbell, Sink, settings

MAIL = b"From: Ana <ana@example.com>\r\nSubject: x\r\n\r\nbody\r\n"
LISTEN = """
certificate = "certificate.pem"
key = "key.pem"
[[smtp.listen]]
port = 0
tls = "starttls"
[[smtp.listen]]
port = 0
tls = "implicit"
"""


@pytest.fixture(scope="module")
def sink(folder: Path, until_all_done: ExitStack) -> Sink:
    return until_all_done.enter_context(Sink(folder / "upstream"))


@pytest.fixture(scope="module")
def relay(folder: Path, sink: Sink, until_all_done: ExitStack) -> Letterbell:
    Certificates.make(folder)
    text = settings(f'port = {sink.port}\ntls = "none"', LISTEN)
    relay = until_all_done.enter_context(Letterbell(folder, text))
    relay.add_sender(ANA)
    return relay


@pytest.fixture
def old(relay: Letterbell, tmp_path: Path) -> Certificates:
    """What the relay has before it is to be renewed."""
    return renewed(relay, tmp_path / "old.pem")


def renewed(relay: Letterbell, authority: Path) -> Certificates:
    """The relay's files, with a new certificate that it has read, and its authority apart."""
    files = Certificates.make(relay.folder)
    hang_up(relay, '"certificate reloaded"')
    return replace(files, authority=Path(shutil.copy(files.authority, authority)))


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def other_key() -> trustme.Blob:
    return trustme.CA().issue_cert("localhost").private_key_pem


def greeted(relay: Letterbell, authority: Path) -> None:
    """Both doors are open to a client that trusts this authority alone."""
    with smtplib.SMTP("localhost", relay.smtp_ports[0], timeout=PATIENCE) as client:
        client.starttls(context=trusting(authority))
        assert client.noop()[0] == 250
    with smtplib.SMTP_SSL(
        "localhost", relay.smtp_ports[1], timeout=PATIENCE, context=trusting(authority)
    ) as client:
        assert client.noop()[0] == 250


def hang_up(relay: Letterbell, event: str) -> str:
    """SIGHUP; the line that tells what came of it."""
    relay.process.send_signal(signal.SIGHUP)
    return relay.wait_for(lambda line: event in line)


def test_a_new_certificate_holds_from_the_next_session_on(
    relay: Letterbell, sink: Sink, old: Certificates, tmp_path: Path
) -> None:
    with (
        smtplib.SMTP("localhost", relay.smtp_ports[0], timeout=PATIENCE) as before,
        smtplib.SMTP("localhost", relay.smtp_ports[0], timeout=PATIENCE) as between,
    ):
        before.starttls(context=trusting(old.authority))
        before.login(ANA, PASSWORD)
        between.ehlo()
        new = renewed(relay, tmp_path / "new.pem")
        greeted(relay, new.authority)
        with pytest.raises(ssl.SSLCertVerificationError):
            greeted(relay, old.authority)
        between.starttls(context=trusting(new.authority))
        before.sendmail(ANA, [BOB], MAIL)
        assert sink.next_mail().recipients == [BOB]
    assert relay.events("certificate reloaded")[-1]["days_left"] > 100


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda files: files.certificate.write_text("half"), "not PEM"),
        (lambda files: files.key.unlink(), "key.pem cannot be read: No such file"),
        (lambda files: files.key.chmod(0o644), "key.pem is open to everyone: chmod o= "),
        (lambda files: other_key().write_to_path(files.key), "the key is another certificate's"),
    ],
    ids=["no certificate", "no key", "an open key", "another's key"],
)
def test_bad_new_files_keep_the_old_certificate(
    relay: Letterbell,
    old: Certificates,
    tmp_path: Path,
    spoil: Callable[[Certificates], object],
    problem: str,
) -> None:
    spoil(old)
    told = hang_up(relay, '"certificate not reloaded"')
    assert problem in told
    assert "mend it, then send SIGHUP" in told
    greeted(relay, old.authority)
    greeted(relay, renewed(relay, tmp_path / "new.pem").authority)


def test_an_expired_certificate_is_no_renewal(relay: Letterbell, old: Certificates) -> None:
    issued = trustme.CA().issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    issued.private_key_pem.write_to_path(old.key)
    issued.cert_chain_pems[0].write_to_path(old.certificate)
    assert "certificate has expired" in hang_up(relay, '"certificate not reloaded"')
    greeted(relay, old.authority)


@pytest.mark.system
def test_openssl_may_not_renegotiate(
    relay: Letterbell, old: Certificates, require_program: Callable[[str], str]
) -> None:
    where = f"localhost:{relay.smtp_ports[0]}"
    trust = ("-verify_return_error", "-CAfile", str(old.authority))
    done = subprocess.run(
        [
            *(require_program("openssl"), "s_client", "-connect", where, *trust),
            *("-starttls", "smtp", "-tls1_2", "-crlf"),
        ],
        input="R\nQUIT\n",  # R is not sent: it asks for a new handshake
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "RENEGOTIATING" in done.stdout + done.stderr
    assert "no renegotiation" in done.stderr
    assert "Secure Renegotiation IS supported" in done.stdout
