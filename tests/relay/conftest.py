"""One store, made once and copied, and one throw-away authority for TLS."""

import asyncio
from pathlib import Path

import pytest
import trustme
from relays import prepare_store


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.db"
    asyncio.run(prepare_store(path))
    return path


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()
