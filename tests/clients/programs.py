"""Each mail program, told to hand one letter to the relay: how its command is written.

All check the relay's certificate, none asks or opens a window. Those that can ask for a delivery
status notification do.
"""

import json
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from clients.letters import FILE_NAME, TO, Letter
from e2e.house import ANA, PASSWORD, PATIENCE

HERE = Path(__file__).parent
DOORS = ("none", "starttls", "implicit")
PHPMAILER = "/usr/share/php/libphp-phpmailer/autoload.php"


@dataclass(frozen=True)
class Way:
    """How a client shall reach the relay, and a folder for what it reads."""

    door: str
    port: int
    authority: Path
    folder: Path
    password: str = PASSWORD

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def attachment(self, letter: Letter) -> list[Path]:
        return [] if letter.attachment is None else [self.file(FILE_NAME, letter.attachment)]


@dataclass(frozen=True)
class Programs:
    """Where the programs are; one that is missing is a skip, in CI a failure."""

    program: Callable[[str], str]
    node_module: Callable[[str], Path]
    file: Callable[[str], Path]


class ClientFailed(Exception):  # noqa: N818 - named for what happened
    """What the client printed when it gave up."""


def execute(
    way: Way,
    *command: str | Path,
    stdin: Path | None = None,
    patience: float = PATIENCE,
    **environment: str,
) -> str:
    """The command's output; all of it in the failure if it fails."""
    with (stdin or Path("/dev/null")).open("rb") as source:
        done = subprocess.run(
            [*map(str, command)],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
            cwd=way.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(way.folder), "LC_ALL": "C.UTF-8"}
            | environment,
        )
    if done.returncode:
        raise ClientFailed(done.stdout)
    return done.stdout


def send_by_smtplib(way: Way, letter: Letter, _: Programs) -> None:
    context = ssl.create_default_context(cafile=way.authority)
    where = ("localhost", way.port)
    if way.door == "implicit":
        client: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=PATIENCE, context=context)
    else:
        client = smtplib.SMTP(*where, timeout=PATIENCE)
    with client:
        if way.door == "starttls":
            client.starttls(context=context)
        try:
            client.login(ANA, way.password)
        except smtplib.SMTPAuthenticationError as error:
            raise ClientFailed(str(error)) from None
        asked = ["BODY=8BITMIME", "RET=HDRS", "ENVID=letter"]
        client.sendmail(ANA, [TO], letter.raw(), asked, ["NOTIFY=SUCCESS,FAILURE"])


def send_by_swaks(way: Way, letter: Letter, programs: Programs) -> None:
    tls = {"none": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[way.door]
    verify = ["--tls-verify", "--tls-ca-path", str(way.authority)] if tls else []
    login = ("--auth", "--auth-user", ANA, "--auth-password", way.password)
    server = ("--server", "localhost", "--port", str(way.port), *tls, *verify)
    mail = way.file("mail.eml", letter.raw().removesuffix(b"\r\n"))  # swaks adds one
    envelope = ("--from", ANA, "--to", TO, "--data", f"@{mail}")
    execute(way, programs.program("swaks"), *server, *login, *envelope)


def send_by_msmtp(way: Way, letter: Letter, programs: Programs) -> None:
    on = {"none": ["--tls=off"], "starttls": ["--tls=on"]}
    tls = on.get(way.door, ["--tls=on", "--tls-starttls=off"])
    trust = [] if way.door == "none" else [f"--tls-trust-file={way.authority}"]
    auth = "plain" if way.door != "none" else "login"  # what it takes to be safe without TLS
    execute(
        way,
        *(programs.program("msmtp"), "--host=localhost", f"--port={way.port}", *tls, *trust),
        *(f"--auth={auth}", f"--user={ANA}", f"--passwordeval=echo '{way.password}'"),
        *("--dsn-notify=success,failure", "--dsn-return=headers", f"--from={ANA}", TO),
        stdin=way.file("mail.eml", letter.raw()),
    )


def send_by_curl(way: Way, letter: Letter, programs: Programs) -> None:
    scheme = "smtps" if way.door == "implicit" else "smtp"
    tls = ["--ssl-reqd"] if way.door == "starttls" else []
    url = f"{scheme}://localhost:{way.port}"
    execute(
        way,
        *(programs.program("curl"), "--silent", "--show-error", "--url", url, *tls),
        *("--cacert", way.authority, "--user", f"{ANA}:{way.password}"),
        *("--mail-from", ANA, "--mail-rcpt", TO),
        *("--upload-file", way.file("mail.eml", letter.raw())),
    )


def send_by_s_nail(way: Way, letter: Letter, programs: Programs) -> None:
    scheme = {"none": "smtp", "starttls": "submission", "implicit": "submissions"}[way.door]
    login = f"{quote(ANA, safe='')}:{quote(way.password, safe='')}"
    settings = {
        "v15-compat": "yes",
        "mta": f"{scheme}://{login}@localhost:{way.port}",
        "smtp-auth": "plain",
        "tls-ca-file": str(way.authority),
        "tls-ca-no-defaults": "yes",
        "tls-verify": "strict",
        "sendwait": "yes",
        "ttycharset": "utf-8",
        "from": ANA,
    }
    settings |= {"smtp-use-starttls": "yes"} if way.door == "starttls" else {}
    told = execute(
        way,
        *(programs.program("s-nail"), "-:/", *(f"-S{k}={v}" for k, v in settings.items())),
        *(
            "-s",
            letter.subject,
            *(each for file in way.attachment(letter) for each in ("-a", file)),
        ),
        *(["-M", "text/html"] if letter.html else []),
        TO,
        stdin=way.file("body", letter.body.encode()),
    )
    if "message not sent" in told:  # and yet it exits with 0
        raise ClientFailed(told)


def send_by_neomutt(way: Way, letter: Letter, programs: Programs) -> None:
    scheme = "smtps" if way.door == "implicit" else "smtp"
    settings = f"""
set from="{ANA}" use_envelope_from=yes copy=no charset=utf-8 header_cache=""
set smtp_url="{scheme}://{quote(ANA, safe="")}@localhost:{way.port}" smtp_pass="{way.password}"
set ssl_starttls=yes ssl_force_tls=yes certificate_file="{way.authority}"
set dsn_notify="success,failure" dsn_return=hdrs content_type="{letter.media_type}"
"""
    files = way.attachment(letter)
    execute(
        way,
        *(programs.program("neomutt"), "-F", way.file("neomuttrc", settings.encode())),
        *("-s", letter.subject, *(["-a", *files, "--"] if files else []), TO),
        stdin=way.file("body", letter.body.encode()),
    )


def send_by_git(way: Way, letter: Letter, programs: Programs) -> None:
    """git send-email, which takes whole mails and writes their headers anew."""
    programs.file("/usr/lib/git-core/git-send-email")
    encryption = "ssl" if way.door == "implicit" else "tls"
    execute(
        way,
        *(programs.program("git"), "send-email", "--quiet", "--confirm=never", "--suppress-cc=all"),
        *("--no-validate", f"--from=Ana <{ANA}>", f"--to={TO}", "--smtp-server=localhost"),
        *(f"--smtp-server-port={way.port}", f"--smtp-encryption={encryption}"),
        *(f"--smtp-ssl-cert-path={way.authority}", f"--smtp-user={ANA}"),
        *(
            f"--smtp-pass={way.password}",
            way.file("mail.eml", letter.raw().replace(b"\r\n", b"\n")),
        ),
        GIT_CONFIG_NOSYSTEM="1",
    )


def send_by_phpmailer(way: Way, letter: Letter, programs: Programs) -> None:
    script = (HERE / "send.php", programs.file(PHPMAILER), as_json(way, letter))
    execute(way, programs.program("php"), *script)


def send_by_nodemailer(way: Way, letter: Letter, programs: Programs) -> None:
    modules = programs.node_module("nodemailer").parent
    script = (HERE / "send.cjs", as_json(way, letter))
    execute(way, programs.program("node"), *script, NODE_PATH=str(modules))


def send_by_thunderbird(way: Way, letter: Letter, programs: Programs) -> bytes:
    programs.program("thunderbird")
    if find_spec("marionette_driver") is None:
        pytest.skip("marionette_driver is missing: `make clients` installs it")
    script = (HERE / "thunderbird.py", as_json(way, letter))
    copy = way.folder / "sent.eml"
    execute(way, sys.executable, *script, copy, patience=3 * PATIENCE)
    return copy.read_bytes()


def as_json(way: Way, letter: Letter) -> str:
    """The letter and its way, for the scripts beside this file."""
    given = {
        "port": way.port,
        "secure": way.door == "implicit",
        "starttls": way.door == "starttls",
        "ca": str(way.authority),
        "user": ANA,
        "password": way.password,
        "from": ANA,
        "to": TO,
        "subject": letter.subject,
        "html": letter.html,
        "body": letter.body,
        "file": next(map(str, way.attachment(letter)), ""),
        "file_name": FILE_NAME,
    }
    return json.dumps(given)


@dataclass(frozen=True)
class Client:
    """A mail program: what it makes of a letter, what it says of a 535 ("" if it asks a person),
    and what of DSN it asks for.

    It `carries` whole mails, `writes` one of what it is given, or `edits`: lays the text out anew,
    and shows what it has sent.
    """

    send: Callable[[Way, Letter, Programs], bytes | None]
    does: Literal["carries", "writes", "edits"]
    refused: str
    dsn: tuple[str, ...] = ()


NOTIFY = "NOTIFY=SUCCESS,FAILURE"
CLIENTS = {
    "smtplib": Client(send_by_smtplib, "carries", "535", ("RET=HDRS", "ENVID=letter", NOTIFY)),
    "swaks": Client(send_by_swaks, "carries", "535"),
    "msmtp": Client(send_by_msmtp, "carries", "authentication failed", ("RET=HDRS", NOTIFY)),
    "curl": Client(send_by_curl, "carries", "Login denied"),
    "s-nail": Client(send_by_s_nail, "writes", "535"),
    "neomutt": Client(send_by_neomutt, "writes", "authentication failed", ("RET=HDRS", NOTIFY)),
    "git": Client(send_by_git, "writes", r"5\.7\.8"),
    "phpmailer": Client(send_by_phpmailer, "writes", "Could not authenticate", (NOTIFY,)),
    "nodemailer": Client(send_by_nodemailer, "writes", "535", ("RET=HDRS", "ENVID=letter", NOTIFY)),
    "thunderbird": Client(
        send_by_thunderbird, "edits", "", ("RET=FULL", "ENVID=", f"{NOTIFY},DELAY")
    ),
}
# Those that need nothing but Python.
PURE = ("smtplib",)


def parameters(names: list[str]) -> list[object]:
    """Clients by name as parameters, marked by what they need."""
    return [pytest.param(each, marks=[] if each in PURE else pytest.mark.system) for each in names]
