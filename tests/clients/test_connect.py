"""What the page Connect offers to paste is pasted and run, password and all, against a real relay.

One relay for each kind of door that the page may speak of. Nothing is changed in the examples; the
throw-away authority is made known by the ways that each program has for that, outside of them.
"""

import plistlib
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from clients.pages import Pages, code_of
from clients.programs import DOORS, PHPMAILER, Programs, Way, execute
from e2e.house import (
    ANA,
    BASE,
    PASSWORD,
    PATIENCE,
    Certificates,
    Letterbell,
    Sink,
    fetch,
    free_port,
    run,
    settings,
)
from logs import remember

# All that a login may hold and that some language reads as something else.
ODD = r"""o'hara: "x" \ $HOME `id` <b>&amp; %(code)s {{ 1 }}"""
ODD_ADDRESS = "o'hara@example.com"
SENDERS = {"plain": (ANA, ANA), "odd": (ODD, ODD_ADDRESS)}


@dataclass(frozen=True, slots=True)
class House:
    """A relay with one door, and where its mail goes."""

    door: str
    relay: Letterbell
    sink: Sink
    certificates: Certificates


@pytest.fixture(scope="module", params=DOORS)
def house(
    request: pytest.FixtureRequest,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    door, folder = request.param, tmp_path_factory.mktemp("house")
    port = free_port()
    plain = "allow_plain_auth = true\n" if door == "none" else ""
    smtp = f"""\
certificate = "{certificates.certificate}"
key = "{certificates.key}"
[[smtp.listen]]
port = {port}
tls = "{door}"
{plain}[connect]
smtp_host = "localhost"
imap_host = "imap.example.com"
domains = ["example.com"]
"""
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(folder / "upstream"))
        upstream = f'port = {sink.port}\ntls = "none"'
        relay = stack.enter_context(Letterbell(folder, settings(upstream, smtp)))
        for login, address in SENDERS.values():
            relay.add_sender(login, "--address", address)
            run("sender", "set", login, "--no-sticky", config=relay.config)
        yield House(door, relay, sink, certificates)


@pytest.fixture
def connected(house: House, tmp_path: Path) -> Callable[[str], tuple[str, str, Way]]:
    """`connected(login)`: the page with a new app password, that password, and a way."""
    numbers = iter(range(10))

    def connect(login: str) -> tuple[str, str, Way]:
        with closing(Pages(house.relay.http_port)) as pages:
            pages.sign_in(login, PASSWORD)
            pages.get("/connect")
            name = f"{tmp_path.name} {next(numbers)}"
            status, page = pages.post("/connect/device", name=name)
        assert status == 200, page
        password = remember(code_of(page, "new-password"))
        port = int(code_of(page, "smtp-port"))
        assert port == house.relay.smtp_ports[0]
        return (
            page,
            password,
            Way(house.door, port, house.certificates.authority, tmp_path, password),
        )

    return connect


def run_python(way: Way, text: str, programs: Programs, to: str) -> None:
    program = programs.program("python3")
    execute(way, program, way.file("send.py", text.encode()), SSL_CERT_FILE=str(way.authority))


def run_node(way: Way, text: str, programs: Programs, to: str) -> None:
    modules = programs.node_module("nodemailer").parent
    script = way.file("send.cjs", text.encode())
    trust = {"NODE_EXTRA_CA_CERTS": str(way.authority), "NODE_PATH": str(modules)}
    execute(way, programs.program("node"), script, **trust)


def run_php(way: Way, text: str, programs: Programs, to: str) -> None:
    (way.folder / "vendor").mkdir()
    loads = f"<?php require '{programs.file(PHPMAILER)}';".encode()
    way.file("vendor/autoload.php", loads)
    trust = ("-d", f"openssl.cafile={way.authority}")
    execute(way, programs.program("php"), *trust, way.file("send.php", text.encode()))


def run_shell(name: str) -> Callable[[Way, str, Programs, str], None]:
    def run_it(way: Way, text: str, programs: Programs, to: str) -> None:
        trust = {"CURL_CA_BUNDLE": str(way.authority), "SSL_CERT_FILE": str(way.authority)}
        path = f"{Path(programs.program(name)).parent}:/usr/bin:/bin"
        execute(way, "/bin/sh", "-e", way.file("send.sh", text.encode()), PATH=path, **trust)

    return run_it


def run_msmtp(way: Way, text: str, programs: Programs, to: str, *options: str) -> None:
    trust = "" if way.door == "none" else f"defaults\ntls_trust_file {way.authority}\n\n"
    config = way.file("msmtprc", (trust + text).encode())
    config.chmod(0o600)  # it takes passwords from no other
    mail = f"From: {to}\nTo: {to}\nSubject: Hello\nContent-Type: text/html\n\n<p>Hello</p>\n"
    source = way.file("mail.eml", mail.encode())
    execute(way, programs.program("msmtp"), "-C", config, *options, to, stdin=source)


def run_mutt(way: Way, text: str, programs: Programs, to: str) -> None:
    trust = f'set certificate_file="{way.authority}" header_cache="" copy=no\n'
    config = way.file("muttrc", (text + trust).encode())
    body = way.file("body", b"Hello\n")
    execute(way, programs.program("neomutt"), "-F", config, "-s", "Hello", to, stdin=body)


RUNNERS = {
    "python": run_python,
    "node": run_node,
    "php": run_php,
    "curl": run_shell("curl"),
    "swaks": run_shell("swaks"),
    "msmtp": run_msmtp,
    "mutt": run_mutt,
}
# `make test` fetches the others' programs.
LONGER = {"php", "mutt"}


def parameters() -> list[object]:
    return [
        pytest.param(
            name, marks=[pytest.mark.system, *([pytest.mark.clients] if name in LONGER else [])]
        )
        for name in RUNNERS
    ]


def check_arrived(house: House, address: str, *, tracked: bool) -> None:
    kept = house.sink.next_mail()
    assert (kept.mail_from, kept.recipients) == (address, [address])
    mail = message_from_bytes(kept.content, policy=default)
    assert mail["Subject"] == "Hello"
    assert mail["X-Track"] is None
    assert b"Hello" in kept.content
    assert (b"https://t.example.com/o/" in kept.content) is tracked


@pytest.mark.parametrize("who", SENDERS)
@pytest.mark.parametrize("name", parameters())
def test_what_the_page_says_to_run_is_run(
    house: House,
    connected: Callable[[str], tuple[str, str, Way]],
    programs: Programs,
    name: str,
    who: str,
) -> None:
    login, address = SENDERS[who]
    page, _, way = connected(login)
    RUNNERS[name](way, code_of(page, f"text-{name}"), programs, address)
    check_arrived(house, address, tracked=name != "mutt")  # which writes plain text


@pytest.mark.system
def test_msmtps_quiet_account(
    house: House, connected: Callable[[str], tuple[str, str, Way]], programs: Programs
) -> None:
    page, _, way = connected(ANA)
    run_msmtp(way, code_of(page, "text-msmtp"), programs, ANA, "-a", "letterbell-quiet")
    check_arrived(house, ANA, tracked=False)


@pytest.mark.system
@pytest.mark.parametrize("name", ["python", "node", "swaks"])
def test_the_header_that_the_page_names_switches_tracking(
    house: House, connected: Callable[[str], tuple[str, str, Way]], programs: Programs, name: str
) -> None:
    page, _, way = connected(ANA)
    text = code_of(page, f"text-{name}")
    assert "--add-header &#39;X-Track: no&#39;" in page
    switched = {
        "python": text.replace('# mail["X', 'mail["X'),
        "node": text.replace("// headers", "headers"),
        "swaks": text.replace("  --body", "  --add-header 'X-Track: no' --body"),
    }[name]
    assert switched != text
    RUNNERS[name](way, switched, programs, ANA)
    check_arrived(house, ANA, tracked=False)


@pytest.mark.system
def test_the_addresses_that_the_page_names_switch_tracking(
    house: House, connected: Callable[[str], tuple[str, str, Way]], programs: Programs
) -> None:
    page, _, way = connected(ANA)
    assert "<code>no-track@letterbell.invalid</code>" in page
    text = code_of(page, "text-curl").replace(
        f"--mail-rcpt {ANA}", f"--mail-rcpt {ANA} --mail-rcpt no-track@letterbell.invalid"
    )
    run_shell("curl")(way, text, programs, ANA)
    check_arrived(house, ANA, tracked=False)


@pytest.mark.system
def test_a_phone_fetches_its_profile_and_sends(
    house: House, tmp_path: Path, programs: Programs
) -> None:
    with closing(Pages(house.relay.http_port)) as pages:
        pages.sign_in(ANA, PASSWORD)
        pages.get("/connect")
        name = f"Phone at {house.door}"
        status, page = pages.post("/connect/profile", address=ANA, name=name, how="link")
    assert status == 200, page
    link = remember(code_of(page, "profile-link"))
    assert link.startswith(f"{BASE}/connect/profile/")
    with house.relay.http() as phone:
        status, headers, signed = fetch(phone, link)
        assert fetch(phone, link)[0] == 404
    assert (status, headers["Content-Type"]) == (200, "application/x-apple-aspen-config")
    way = Way(house.door, 0, house.certificates.authority, tmp_path)
    execute(
        way,
        *(programs.program("openssl"), "cms", "-verify", "-inform", "DER", "-binary"),
        *("-in", way.file("signed", signed), "-out", "profile", "-purpose", "any"),
        *("-CAfile", way.authority),
    )
    (account,) = plistlib.loads((tmp_path / "profile").read_bytes())["PayloadContent"]
    password = remember(account["OutgoingPassword"])
    where = (account["OutgoingMailServerHostName"], account["OutgoingMailServerPortNumber"])
    context = ssl.create_default_context(cafile=way.authority)
    if house.door == "implicit":
        client: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=PATIENCE, context=context)
    else:
        client = smtplib.SMTP(*where, timeout=PATIENCE)
    with client:
        assert account["OutgoingMailServerUseSSL"] is (house.door != "none")
        if house.door == "starttls":
            client.starttls(context=context)
        client.login(account["OutgoingMailServerUsername"], password)
        mail = f"From: {ANA}\r\nSubject: Hello\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n"
        client.sendmail(ANA, [account["EmailAddress"]], mail)
    check_arrived(house, ANA, tracked=True)
