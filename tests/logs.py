"""What is logged while tests run, at DEBUG: after the last one nothing secret may be found in it.

Relays that tests start as processes have their logs kept in files; what tests log in their own
process is what pytest has captured of each. A pytest plugin: the process that runs the tests makes
a folder for the run in build/logs and tells it to its workers by the environment; `keep` opens a
log there, `remember` names a secret that is made while a test runs. Where nothing is found, and all
tests pass, the folder goes again.
"""

import base64
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

LOGS = Path(__file__).parents[1] / "build" / "logs"
FOLDER = "LETTERBELL_TEST_LOGS"
REMEMBERED = "secrets.txt"
# What the tests' logins, upstreams and tokens are made with, by hand; passwords begin so.
SECRETS = ("correct horse", "up stream", "hunter2", "k" * 43)
# What no line may look like, whoever wrote it.
FORBIDDEN = {
    "credentials": re.compile(
        r"(?i)\bAUTH\W+(?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER)\W+\w|\bBearer\W+\w"
    ),
    "a token": re.compile(r"/[oc]/[A-Za-z0-9_-]{16}"),
    "a webhook's secret": re.compile(r"whsec_[A-Za-z0-9+/]{16}"),
    "a feed's address": re.compile(r"/feed/[A-Za-z0-9_-]{43}"),
    "a body": re.compile(r"(?i)</?(?:html|body|div|p|a|b|table)\b[^>]{0,80}>|\bhref\W|Zimtstern"),
}
# As they are by default, masked, addresses have one letter and "…" (in JSON \u2026) before the "@".
ADDRESS = re.compile(r"[\w.+-]{2,}(?<!\\u2026)@[\w-]+(?:\.[\w-]+)*\.(?:com|org|example)\b")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
# What is in PLAIN's, XOAUTH2's and OAUTHBEARER's responses, whoever the user is.
RESPONSE = re.compile(rb"\A[^\0]{0,255}\0[^\0]{1,255}\0[^\0]{1,255}\Z|\x01auth=Bearer ")


def keep(name: str) -> IO[str]:
    """A new file of this run, for the log of a process; lines reach it at once."""
    number, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=_folder(), text=True)
    os.close(number)
    return Path(path).open("w", encoding="utf-8", buffering=1)


def remember(secret: str) -> str:
    """The secret, which from now on is searched for as well."""
    with (_folder() / REMEMBERED).open("a", encoding="utf-8") as file:
        file.write(f"{secret}\n")
    return secret


def _folder() -> Path:
    folder = Path(os.environ[FOLDER])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def leaks(text: str, secrets: tuple[str, ...]) -> Iterator[str]:
    """What of a secret or of a message's body the log has, in words."""
    for secret in secrets:
        if any(form in text for form in forms(secret.encode())):
            yield f"the secret {secret!r}"
    for name, pattern in FORBIDDEN.items():
        if found := pattern.search(text):
            yield f"{name}: {found[0]!r}"
    for found in BASE64.finditer(text):
        if RESPONSE.search(decoded(found[0])):
            yield f"an answer to AUTH: {found[0]!r}"


def forms(secret: bytes) -> Iterator[str]:
    """The secret as it is, in hex, and in base64 wherever it stands in what was encoded."""
    yield secret.decode()
    yield secret.hex()
    for skipped in range(3):
        encoded = base64.b64encode(b"\0" * skipped + secret).decode()
        # A character at either end that holds bits of what stands beside the secret is left out.
        own = encoded[(8 * skipped + 5) // 6 : 8 * (skipped + len(secret)) // 6]
        yield from (own, own.replace("+", "-").replace("/", "_"))


def decoded(text: str) -> bytes:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "==")


def leaks_of(folder: Path) -> list[str]:
    """All that is wrong in the logs of a run, file by file."""
    remembered = folder / REMEMBERED
    told = remembered.read_text(encoding="utf-8").splitlines() if remembered.exists() else []
    secrets = (*SECRETS, *told)
    found = []
    for path in sorted(folder.glob("*.log")):
        text = path.read_text(encoding="utf-8")
        found += [f"{path}: {leak}" for leak in leaks(text, secrets)]
        found += [f"{path}: an address: {address}" for address in ADDRESS.findall(text)[:1]]
    return found


LEAKS = pytest.StashKey[list[str]]()
captured: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What a test's own process has said, at its setup, call and end."""
    sections = report.sections if report.when == "teardown" else []  # it has all of them
    captured.extend(
        f"{report.nodeid}: {leak}" for _, text in sections for leak in leaks(text, SECRETS)
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        within = Path(os.environ.get(FOLDER, LOGS))  # a run inside a test has its folder in that
        within.mkdir(parents=True, exist_ok=True)
        os.environ[FOLDER] = tempfile.mkdtemp(dir=within)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """After the last worker's last test: its processes have ended, their logs are whole."""
    if hasattr(session.config, "workerinput"):
        return
    folder = Path(os.environ[FOLDER])
    session.config.stash[LEAKS] = captured + leaks_of(folder)
    if session.config.stash[LEAKS]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    elif session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if leaks := terminalreporter.config.stash.get(LEAKS, []):
        terminalreporter.section("secrets in the logs", red=True, bold=True)
        for leak in leaks:
            terminalreporter.line(leak, red=True)
