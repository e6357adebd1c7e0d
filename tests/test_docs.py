"""The documents tell of what is there: names resolve, files exist, commands run.

tests/relay/test_config.py holds config.example.toml against the settings.
"""

import importlib
import re
from pathlib import Path

import click
import pytest

from relay.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bench" / "README.md"]
NAME = re.compile(r"`((?:relay|rewriter|collector)(?:\.\w+)+)(?:\(\))?`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
MAKE = re.compile(r"^(?: {4}|\$ )make ([a-z]+)|`make ([a-z]+)`", re.MULTILINE)
COMMAND = re.compile(r"(?:^ {4}|`)letterbell ([a-z]+)(?: ([a-z]+))?(?= |`|$)", re.MULTILINE)


def names() -> list[str]:
    found = {name for page in PAGES for name in NAME.findall(page.read_text())}
    return sorted(name for name in found if not name.endswith((".py", ".md", ".toml")))


@pytest.mark.parametrize("name", names())
def test_named_things_exist(name: str) -> None:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            thing = getattr(thing, part)
        return
    pytest.fail(f"no module of {name}")


def test_flow_names_enough() -> None:
    """The test above must not pass because its pattern finds nothing."""
    assert len(NAME.findall((ROOT / "docs" / "flow.md").read_text())) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_files_exist(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = {a or b for page in PAGES for a, b in MAKE.findall(page.read_text())}
    assert {"demo", "test"} <= told <= targets


def test_commands_exist() -> None:
    told = {command for page in PAGES for command in COMMAND.findall(page.read_text())}
    assert ("init", "") in told
    for name, sub in told:
        assert name in main.commands, name
        command = main.commands[name]
        if isinstance(command, click.Group):
            assert sub in command.commands, f"{name} {sub}"
