"""One store, made once and copied, and one throw-away authority for TLS."""

import asyncio
from pathlib import Path

import pytest
import trustme
from hypothesis import settings
from relays import prepare_store

# A property is true or not, however busy the machine is.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.db"
    asyncio.run(prepare_store(path))
    return path


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()
