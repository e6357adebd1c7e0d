"""The stage that a dialogue asks for; it stays for as long as the next ones ask for the same."""

import asyncio
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from dialogues.stage import Setting, Stage, config
from e2e.house import Certificates, Letterbell
from relays import HOSTNAME, prepare_store


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.db"
    asyncio.run(prepare_store(path))
    return path


@pytest.fixture(scope="session")
def set_stage(
    store_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[tuple[Setting, ...], bool], Stage]]:
    """`set_stage(settings, alone)`: the stage that stands if it fits, else a new one."""
    authority = trustme.CA()
    standing: tuple[tuple[Setting, ...], Stage] | None = None

    def clear() -> None:
        nonlocal standing
        if standing:
            standing[1].relay.stop()
            standing[1].upstream.close()
            standing = None

    def set_stage(settings: tuple[Setting, ...], alone: bool) -> Stage:
        nonlocal standing
        if alone or not standing or standing[0] != settings:
            clear()
            folder = tmp_path_factory.mktemp("stage")
            shutil.copy(store_template, folder / "letterbell.db")
            upstream = socket.create_server(("127.0.0.1", 0))
            certificates = Certificates.make(folder, HOSTNAME, authority=authority)
            text = config(settings, upstream.getsockname()[1], certificates)
            standing = settings, Stage(Letterbell(folder, text), upstream, authority)
        stage = standing[1]
        if alone:
            standing = (("", ""),), stage  # fits nobody else
        return stage

    yield set_stage
    clear()
