"""docs/api.md: its commands run as they stand there, its example is an answer that could be."""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import Program
from sites import Site

from collector.api.models import MessageDetail
from collector.senders import Sender

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
COMMANDS = re.findall(r"^    (curl .+?)(?: +# (\d+))?$", PAGE, re.MULTILINE)
EXAMPLES = re.findall(r"^```json\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_there_are_some() -> None:
    assert len(COMMANDS) > 10
    assert len(EXAMPLES) == 1


@pytest.mark.system
@pytest.mark.parametrize(("command", "status"), COMMANDS)
async def test_a_command(
    site: Site,
    ana: Sender,
    program: Program,
    require_program: Callable[[str], str],
    tmp_path: Path,
    command: str,
    status: str,
) -> None:
    require_program("curl")
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open")
    (tmp_path / ".curlrc").write_text('silent\nshow-error\nwrite-out = "%{stderr}%{http_code}"\n')
    known = {"KEY": str(program.key), "API": f"{site.url}/api/v1", "ID": f"{mail:016x}"}
    running = await asyncio.create_subprocess_exec(
        "bash",
        "-euc",
        command,
        env={**os.environ, **known, "CURL_HOME": str(tmp_path)},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await running.communicate()
    assert (running.returncode, told.decode()) == (0, status or "200")


def test_the_example_is_an_answer() -> None:
    read = MessageDetail.model_validate_json(EXAMPLES[0], strict=True, extra="forbid")
    assert [each.address for each in read.by_recipient] == read.recipients
    assert sum(each.opens.raw for each in read.by_recipient if each.opens) == read.opens.raw
