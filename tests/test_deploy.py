"""The units in deploy/: systemd takes them, they fit one another, and they allow little."""

import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from collector import app
from relay.connections import ABORT_SECONDS
from relay.descriptors import needed
from relay.records import NOTE_SECONDS
from relay.serve import DRAIN_SECONDS
from relay.settings import SECRETS, ListenSettings, SmtpSettings, UpstreamSettings
from relay.site import STOP_SECONDS

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = ("letterbell.service", "letterbell.socket", "letterbell-submissions.socket")
EXPOSURE = 20  # tenths of what systemd-analyze counts; a service without any hardening has 96


def values(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", (DEPLOY / unit).read_text(), re.MULTILINE)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copies whose program is there."""
    copies = [tmp_path / name for name in UNITS]
    for copy in copies:
        text = (DEPLOY / copy.name).read_text()
        copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    return copies


def analyze(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.system
def test_systemd_takes_them(require_program: Callable[[str], str], units: list[Path]) -> None:
    done = analyze(require_program("systemd-analyze"), "verify", "--man=no", *units)
    told = [line for line in done.stderr.splitlines() if "letterbell" in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.system
def test_the_service_is_allowed_little(
    require_program: Callable[[str], str], units: list[Path]
) -> None:
    options = ("security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}")
    done = analyze(require_program("systemd-analyze"), *options, units[0])
    assert done.returncode == 0, done.stdout


def test_the_sockets_are_the_services() -> None:
    [sockets] = values("letterbell.service", "Sockets")
    assert sockets.split() == list(UNITS[1:])
    assert values("letterbell-submissions.socket", "Service") == ["letterbell.service"]


def test_the_page_names_the_sockets_as_they_are() -> None:
    page = (ROOT / "docs" / "doors.md").read_text()
    [example] = re.findall(r"^    \[\[smtp\.listen\]\]\n(?:    .*\n)+", page, re.MULTILINE)
    tables = tomllib.loads(example)["smtp"]["listen"]
    assert [ListenSettings(**table).tls for table in tables] == ["starttls", "implicit"]
    names = [values(unit, "FileDescriptorName") for unit in UNITS[1:]]
    assert [[table["socket"]] for table in tables] == names


def test_the_service_has_files_and_secrets_enough() -> None:
    connections = SmtpSettings().max_connections
    upstream = UpstreamSettings(host="x").connections
    [limit] = values("letterbell.service", "LimitNOFILE")
    assert int(limit) >= needed(connections=connections, upstream=upstream)
    credentials = {each.split(":")[0] for each in values("letterbell.service", "LoadCredential")}
    assert credentials == {"upstream.password", "tokens.keys"}
    assert credentials <= {".".join(path) for path in SECRETS}


def test_the_service_has_time_to_stop() -> None:
    """What a stop waits for at most, one after the other, and what it writes meanwhile."""
    of_mail = DRAIN_SECONDS + ABORT_SECONDS + STOP_SECONDS + NOTE_SECONDS
    of_browsers = 2 * app.STOP_SECONDS
    [seconds] = values("letterbell.service", "TimeoutStopSec")
    assert int(seconds) >= of_mail + of_browsers + 20
