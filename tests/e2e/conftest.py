"""Real processes for the end-to-end tests; each test module has its own, started when asked for."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("house")


@pytest.fixture
def until_done() -> Iterator[ExitStack]:
    """What is entered here is left when the test is done."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def until_all_done() -> Iterator[ExitStack]:
    """What is entered here is left when the module's tests are done."""
    with ExitStack() as stack:
        yield stack
