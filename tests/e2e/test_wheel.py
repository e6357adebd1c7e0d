"""The wheel, away from the checkout: templates, static files and migrations are in it."""

import os
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import PATIENCE, Running

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content alone; what it depends on is this Python's."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    for step in (
        ["wheel", "--no-deps", "--wheel-dir", folder, ROOT],
        ["install", "--no-deps", "--target", folder / "site", "--find-links", folder, "letterbell"],
    ):
        subprocess.run([*pip, *map(str, step)], check=True, timeout=300)
    return folder / "site"


def test_demo_runs_from_the_wheel(installed: Path, tmp_path: Path, until_done: ExitStack) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed), "PYTHONUNBUFFERED": "1"}
    where = "import relay, rewriter, collector; print(relay.__file__, rewriter.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [
        str(installed / package / "__init__.py") for package in ("relay", "rewriter")
    ]
    demo = until_done.enter_context(
        Running(
            installed / "bin" / "letterbell",
            *("demo", "--smtp-port", "0", "--http-port", "0"),
            cwd=tmp_path,
            env=environment,
        )
    )
    line = demo.wait_for(lambda line: "http://" in line)
    url = next(word for word in line.split() if word.startswith("http://"))
    with urllib.request.urlopen(url, timeout=PATIENCE) as page:
        assert page.status == 200
        assert b"Letterbell" in page.read()
    assert demo.stop() == 0
