"""Real mail programs hand a mail to the relay, with and without TLS; it arrives tracked.

The way upstream is the usual one: STARTTLS, verified, with a login.
"""

import json
import smtplib
import ssl
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, PASSWORD, PATIENCE, Certificates, Letterbell, Sink, settings
from e2e.letters import NEWSLETTER
from e2e.oracle import compare

DOORS = ("none", "starttls", "implicit")
TO = "bob@example.org"

RequireProgram = Callable[[str], str]


@dataclass(frozen=True)
class Way:
    """How a client shall reach the relay."""

    door: str
    port: int
    certificates: Certificates
    mail: Path
    password: str = PASSWORD


@pytest.fixture(scope="module")
def sink(folder: Path, certificates: Certificates, until_all_done: ExitStack) -> Sink:
    files = ("--certificate", certificates.certificate, "--key", certificates.key)
    return until_all_done.enter_context(
        Sink(folder / "upstream", *files, "--login", "relay:up stream")
    )


@pytest.fixture(scope="module")
def relay(
    folder: Path, sink: Sink, certificates: Certificates, until_all_done: ExitStack
) -> Letterbell:
    upstream = f"""
port = {sink.port}
ca_file = "{certificates.authority}"
user = "relay"
password = "up stream"
"""
    listeners = "".join(f'[[smtp.listen]]\nport = 0\ntls = "{door}"\n' for door in DOORS)
    listeners = listeners.replace('"none"\n', '"none"\nallow_plain_auth = true\n')
    smtp = f'certificate = "{certificates.certificate}"\nkey = "{certificates.key}"\n{listeners}'
    relay = until_all_done.enter_context(Letterbell(folder, settings(upstream, smtp)))
    relay.add_sender(ANA)
    return relay


@pytest.fixture(params=DOORS)
def way(
    request: pytest.FixtureRequest, relay: Letterbell, certificates: Certificates, tmp_path: Path
) -> Way:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(NEWSLETTER)
    port = relay.smtp_ports[DOORS.index(request.param)]
    return Way(request.param, port, certificates, mail)


def execute(*command: str | Path, stdin: Path | None = None, **options: object) -> str:
    """The command's output; all of it in the failure if it fails."""
    with (stdin or Path("/dev/null")).open("rb") as source:
        done = subprocess.run(
            [*map(str, command)],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
            **options,  # type: ignore[call-overload]
        )
    if done.returncode:
        raise ClientFailed(done.stdout)
    return str(done.stdout)


class ClientFailed(Exception):  # noqa: N818 - named for what happened
    """What the client printed when it gave up."""


def send_by_smtplib(way: Way, program: RequireProgram) -> None:
    context = ssl.create_default_context(cafile=way.certificates.authority)
    if way.door == "implicit":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            "localhost", way.port, timeout=PATIENCE, context=context
        )
    else:
        client = smtplib.SMTP("localhost", way.port, timeout=PATIENCE)
    with client:
        if way.door == "starttls":
            client.starttls(context=context)
        try:
            client.login(ANA, way.password)
        except smtplib.SMTPAuthenticationError as error:
            raise ClientFailed(str(error)) from None
        client.sendmail(ANA, [TO], way.mail.read_bytes(), ["BODY=8BITMIME"])


def send_by_swaks(way: Way, program: RequireProgram) -> None:
    tls = {"none": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[way.door]
    verify = ["--tls-verify", "--tls-ca-path", str(way.certificates.authority)] if tls else []
    login = ("--auth", "--auth-user", ANA, "--auth-password", way.password)
    server = ("--server", "localhost", "--port", str(way.port), *tls, *verify)
    way.mail.write_bytes(way.mail.read_bytes().removesuffix(b"\r\n"))  # swaks adds one
    envelope = ("--from", ANA, "--to", TO, "--data", f"@{way.mail}")
    execute(program("swaks"), *server, *login, *envelope)


def send_by_msmtp(way: Way, program: RequireProgram) -> None:
    on = {"none": ["--tls=off"], "starttls": ["--tls=on"]}
    tls = on.get(way.door, ["--tls=on", "--tls-starttls=off"])
    trust = [] if way.door == "none" else [f"--tls-trust-file={way.certificates.authority}"]
    auth = "plain" if way.door != "none" else "login"  # what it takes to be safe without TLS
    execute(
        *(program("msmtp"), "--host=localhost", f"--port={way.port}", *tls, *trust),
        *(f"--auth={auth}", f"--user={ANA}", f"--passwordeval=echo '{way.password}'"),
        *(f"--from={ANA}", TO),
        stdin=way.mail,
    )


def send_by_curl(way: Way, program: RequireProgram) -> None:
    scheme = "smtps" if way.door == "implicit" else "smtp"
    tls = ["--ssl-reqd"] if way.door == "starttls" else []
    execute(
        *(program("curl"), "--silent", "--show-error", "--url", f"{scheme}://localhost:{way.port}"),
        *(*tls, "--cacert", way.certificates.authority, "--user", f"{ANA}:{way.password}"),
        *("--mail-from", ANA, "--mail-rcpt", TO, "--upload-file", way.mail),
    )


def send_by_nodemailer(way: Way, program: RequireProgram, modules: Path) -> None:
    options = {
        "port": way.port,
        "secure": way.door == "implicit",
        "starttls": way.door == "starttls",
        "ca": str(way.certificates.authority),
        "user": ANA,
        "password": way.password,
        "from": ANA,
        "to": TO,
    }
    execute(
        *(program("node"), Path(__file__).with_name("send.cjs"), json.dumps(options)),
        stdin=way.mail,
        env={"NODE_PATH": str(modules), "PATH": "/usr/bin:/bin"},
    )


PROGRAMS = {"swaks": send_by_swaks, "msmtp": send_by_msmtp, "curl": send_by_curl}


def arrived_tracked(sink: Sink) -> None:
    kept = sink.next_mail()
    assert (kept.mail_from, kept.recipients) == (ANA, [TO])
    assert (kept.tls, kept.login) == (True, True)
    found = compare(NEWSLETTER, kept.content, BASE)
    targets = ["https://example.org/one?a=1&b=2", "https://example.org/two%7E"]
    assert list(found.targets.values()) == targets
    assert len(found.pixels) == 1


def test_smtplib(way: Way, sink: Sink, require_program: RequireProgram) -> None:
    send_by_smtplib(way, require_program)
    arrived_tracked(sink)


@pytest.mark.system
@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str, way: Way, sink: Sink, require_program: RequireProgram) -> None:
    PROGRAMS[program](way, require_program)
    arrived_tracked(sink)


WRONG = {
    send_by_smtplib: "535",
    send_by_swaks: "535",
    send_by_msmtp: "authentication failed",
    send_by_curl: "Login denied",
}


@pytest.mark.system
@pytest.mark.parametrize("send", WRONG)
def test_wrong_password_is_told_by_the_program(
    send: Callable[[Way, RequireProgram], None],
    relay: Letterbell,
    certificates: Certificates,
    tmp_path: Path,
    require_program: RequireProgram,
) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(NEWSLETTER)
    port = relay.smtp_ports[DOORS.index("starttls")]
    with pytest.raises(ClientFailed, match=WRONG[send]):
        send(Way("starttls", port, certificates, mail, password="wrong"), require_program)


@pytest.mark.system
def test_nodemailer(
    way: Way,
    sink: Sink,
    require_program: RequireProgram,
    require_node_module: Callable[[str], Path],
) -> None:
    send_by_nodemailer(way, require_program, require_node_module("nodemailer").parent)
    arrived_tracked(sink)
