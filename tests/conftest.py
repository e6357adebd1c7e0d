"""What all tests share: asking for a program of the system, and telling what did not run.

A missing program is a skip that is told last, with its mend; with CI=true nothing may be skipped.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from places import File, Place, make_template, open_reused
from postgresql import Server, open_server

# A property is true or not, however busy the machine is.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# As the relay logs: where `rich` is installed, structlog's own default prints all local variables.
*PREPARE, _ = structlog.get_config()["processors"]
PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*PREPARE, PLAIN])

ROOT = Path(__file__).parents[1]
SYSTEM = ROOT / "build" / "system"
# After the last test, no secret is in the logs of what the tests have run.
pytest_plugins = ("logs",)
IN_CI = os.environ.get("CI") == "true"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both engines for each test with a store, unless it is marked `sqlite`."""
    if "place" in metafunc.fixturenames:
        one = metafunc.definition.get_closest_marker("sqlite")
        other = pytest.param("postgresql", marks=pytest.mark.postgresql)
        metafunc.parametrize("place", ["sqlite"] if one else ["sqlite", other], indirect=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One for all tests of a worker."""
    with open_server() as server:
        make_template(server)
        yield server


@pytest.fixture(scope="session")
def fresh_database(postgresql_server: Server) -> Iterator[Callable[[], Place]]:
    with open_reused(postgresql_server) as fresh:
        yield fresh


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A PostgreSQL server that may be stopped, with a store's tables in the database TEMPLATE."""
    with open_server() as server:
        make_template(server)
        yield server


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a store can be opened, on each engine: places.py."""
    if request.param == "sqlite":
        yield File(tmp_path / "letterbell.db")
        return
    yield request.getfixturevalue("fresh_database")()


@pytest.fixture(scope="session")
def require_program() -> Callable[[str], str]:
    """`require_program("swaks")` is its path; skips (in CI: fails) where it is missing."""

    def require(name: str) -> str:
        path = shutil.which(name, path=f"{SYSTEM / 'bin'}:{os.environ['PATH']}")
        return path or _miss(name)

    return require


@pytest.fixture(scope="session")
def require_node_module() -> Callable[[str], Path]:
    """`require_node_module("axe-core")` is its folder, in build/system/node_modules."""

    def require(name: str) -> Path:
        folder = SYSTEM / "node_modules" / name
        return folder if folder.is_dir() else Path(_miss(f"the node package {name}"))

    return require


@pytest.fixture(scope="session")
def require_tree() -> Callable[[str], Path]:
    """`require_tree("postfix")` is the folder that Debian's package of it was unpacked in."""

    def require(name: str) -> Path:
        folder = SYSTEM / name
        return folder if folder.is_dir() else Path(_miss(name))

    return require


@pytest.fixture(scope="session")
def require_file() -> Callable[[str], Path]:
    """`require_file("/usr/share/…")` is its path: something that is no program."""

    def require(path: str) -> Path:
        return Path(path) if Path(path).exists() else Path(_miss(path))

    return require


def _miss(what: str) -> str:
    message = f"{what} is missing: install it, or run `make system` as root on Debian"
    if IN_CI:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Every skipped part and how to get it, in the last lines."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("not run here", yellow=True, bold=True)
    for reason, tests in reasons.items():
        terminalreporter.line(f"{tests} test{'s' if tests > 1 else ''}: {reason}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip is a failure, whoever asked for it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter is not None and reporter.stats.get("skipped") and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
