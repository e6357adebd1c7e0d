import json
import subprocess
import sys

import pytest

from relay.log import configure, mask

PROGRAM = r"""
import logging, structlog
from bs4 import UnicodeDammit
from relay.log import configure
configure(level="info", form=FORM)
log = structlog.get_logger()
log.debug("unseen")
log.info("mail taken\r\nforged", raw=b"a\xff\x1b", n=3)
logging.getLogger("aiohttp.server").warning("from %s", "aiohttp\x1b[2J")
logging.getLogger("mail.log").info("AUTH c2VjcmV0")
UnicodeDammit(b"\x81\xff\x8d\x90", is_html=True)  # warns, as of any mail in no charset at all
try:
    raise RuntimeError("evil\x1b[2J")
except RuntimeError:
    log.exception("broke")
"""


def logged(form: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("FORM", repr(form))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_is_one_object_a_line_from_us_and_from_libraries() -> None:
    own, library, exception = (json.loads(line) for line in logged("json"))
    assert own["event"] == r"mail taken\x0d\x0aforged"
    assert (own["raw"], own["n"], own["level"]) == (r"a\xff\x1b", 3, "info")
    assert (library["event"], library["logger"]) == (r"from aiohttp\x1b[2J", "aiohttp.server")
    assert exception["exception"].splitlines()[-1] == r"RuntimeError: evil\x1b[2J"


def test_console_is_escaped_too() -> None:
    lines = logged("console")
    assert len([line for line in lines if "mail taken" in line]) == 1
    assert r"mail taken\x0d\x0aforged" in lines[0]
    assert lines[-1] == r"RuntimeError: evil\x1b[2J"
    assert not any("\x1b" in line or "AUTH" in line or "unseen" in line for line in lines)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ana@example.com", "a…@example.com"),
        ('"a@b"@example.com', '"…@example.com'),
        ("@example.com", "…@example.com"),
        ("postmaster", "…"),
        ("", "…"),
    ],
)
def test_mask_keeps_a_letter_and_the_domain(address: str, masked: str) -> None:
    assert mask(address) == masked


def test_addresses_are_whole_where_that_is_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    for set_up in ("structlog.configure", "relay.log._route_libraries"):
        monkeypatch.setattr(set_up, lambda *_, **__: None)
    configure(level="info", form="json", addresses="full")
    assert mask("ana@example.com") == "ana@example.com"
    configure(level="info", form="json")
    assert mask("ana@example.com") == "a…@example.com"
