"""Schemathesis reads the document and asks the real server for whatever it allows and forbids.

In its deterministic mode it asks the same each time.
"""

import asyncio
import sys
from pathlib import Path

import pytest
from programs import Program
from sites import SENT_MS, Site

from collector.api import admission
from collector.senders import Sender

CONFIG = """
# A cursor of another list and a period that is too long are no mistakes that a schema can name.
[checks.positive_data_acceptance]
expected-statuses = [200, 401, 403, 404, 422]
"""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wrong key is told 401, and never 429. Ask for it before `site`."""
    monkeypatch.setattr(admission, "FREE_BY_ADDRESS", 10_000)
    monkeypatch.setattr(admission, "FREE_BY_BOTH", 10_000)


@pytest.mark.usefixtures("patient")
async def test_it_finds_nothing(site: Site, ana: Sender, program: Program, tmp_path: Path) -> None:
    mail = await site.add_mail(ana, recipients=("ben@example.net", "zoe@example.org"))
    for second in range(5):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + second * 1000)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        tmp_path / "schemathesis.toml",
        "run",
        f"{site.url}/api/v1/openapi.json",
        *("--header", f"Authorization: Bearer {program.key}"),
        *("--max-examples", "15", "--generation-deterministic", "--no-color"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await running.communicate()
    assert running.returncode == 0, told.decode()
