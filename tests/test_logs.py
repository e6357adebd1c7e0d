"""The search for secrets in the logs finds them, in whatever form, and finds nothing else."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from logs import SECRETS, decoded, leaks, leaks_of

PASSWORD = "correct horse battery"
EVENT = '{"peer": "127.0.0.1", "event": "%s", "level": "debug", "timestamp": "2026-01-01T00:00Z"}\n'


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD,
        f"login {PASSWORD!r} refused",
        b64(PASSWORD),
        b64("x" + PASSWORD),
        b64("xx" + PASSWORD + "yyy"),
        base64.urlsafe_b64encode(b"\xff\xfe" + PASSWORD.encode()).decode(),
        PASSWORD.encode().hex(),
        b64("\0someone\0with an unknown password"),
        b64("user=someone\x01auth=Bearer ya29.unknown\x01\x01"),
        "AUTH PLAIN AGFuYQ",
        "b'auth login' b'YW5h'",
        "Authorization: Bearer ya29",
        "GET /o/AQEBAQEBAQEBAQEBAQEBAQEB",
        "<p>Hello",
        '<a href=\\"https://example.org\\">',
    ],
)
def test_a_planted_secret_is_found(said: str) -> None:
    assert list(leaks(EVENT % "before" + EVENT % said + EVENT % "after", SECRETS))


@pytest.mark.parametrize(
    "said",
    [
        "login refused",
        "AUTH over TLS only",
        "message from a…@example.com, opens=true, clicks=false",
        "internal error, reference 0123abcd",
        "/tmp/pytest-of-root/pytest-0/certificates0/authority.pem",
        "horse, correct",
    ],
)
def test_what_is_no_secret_is_none(said: str) -> None:
    assert not list(leaks(EVENT % said, SECRETS))


def test_base64_of_any_length_is_read() -> None:
    for length in range(1, 40):
        text = base64.b64encode(b"a" * length).decode()
        assert decoded(text) == decoded(text.rstrip("=")) == b"a" * length


def test_secrets_made_by_a_test_are_searched_for_too(tmp_path: Path) -> None:
    (tmp_path / "secrets.txt").write_text("QK3V-made-by-a-test\n")
    (tmp_path / "serve-1.log").write_text(EVENT % "nothing")
    assert leaks_of(tmp_path) == []
    (tmp_path / "serve-2.log").write_text(EVENT % b64("\0QK3V-made-by-a-test"))
    assert [leak.split(":")[0] for leak in leaks_of(tmp_path)] == [f"{tmp_path}/serve-2.log"]


def test_addresses_are_masked(tmp_path: Path) -> None:
    (tmp_path / "serve-1.log").write_text(EVENT % r"from a\u2026@example.com to \u2026@x.org")
    assert leaks_of(tmp_path) == []
    (tmp_path / "serve-2.log").write_text(EVENT % "from ana@example.com")
    assert leaks_of(tmp_path) == [f"{tmp_path}/serve-2.log: an address: ana@example.com"]


PLANTED = """
import sys
import pytest
from e2e.house import Running
from logs import keep

@pytest.mark.parametrize("said", ["nothing", "{said}", "nothing else"])
def test(said):
    with Running(sys.executable, "-c", f"print({{said!r}})", log=keep("serve")) as running:
        running.wait_for(lambda line: line == said)
"""


@pytest.mark.parametrize(("said", "code"), [("all is well", 0), (b64(PASSWORD), 1)])
def test_a_leak_fails_the_run_on_however_many_workers(said: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("logs",)\n')
    (tmp_path / "test_planted.py").write_text(PLANTED.format(said=said))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {Path(__file__).parent}\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", tmp_path],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert re.search(r"\d passed", done.stdout)
    assert ("secrets in the logs" in done.stdout, done.returncode) == (bool(code), code)
