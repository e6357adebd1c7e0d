"""The house stands: who may import whom (docs/architecture.md draws the same arrows)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"relay", "rewriter", "collector"}
# Above everything: the settings, the commands, the composition root, the demo.
ABOVE = {
    "relay.__main__",
    "relay.cli",
    "relay.commands",
    "relay.config",
    "relay.demo",
    "relay.problems",
    "relay.reloading",
    "relay.serve",
    "relay.settings",
}


def modules() -> Iterator[tuple[str, Path]]:
    for package in sorted(OURS):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), path


def imports(path: Path) -> set[str]:
    """Every module that the file imports, also inside functions; `from a import b` is a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrows"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module: str) -> None:
    package = module.partition(".")[0]
    for name in imports(MODULES[module]):
        if package != "relay":
            assert not within(name, OURS - {package}), f"{module} imports {name}"
        elif not within(module, ABOVE):
            assert not within(name, ABOVE), f"{module} imports {name}, which stands above it"


def test_rewriter_is_pure() -> None:
    doors = {"asyncio", "socket", "os", "pathlib", "time", "random", "secrets", "logging"}
    doors |= {"structlog", "aiohttp", "sqlite3", "subprocess", "threading", "datetime"}
    for module, path in MODULES.items():
        if module.startswith("rewriter"):
            assert not any(within(name, doors) for name in imports(path)), module
