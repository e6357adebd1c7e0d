"""`letterbell store copy` as a person types it, and every command on the store it made."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from places import OnServer, open_database
from postgresql import Server

from collector.store import Sent, Store
from relay.cli import main

ID = 0x33568A0B1C000005
Run = Callable[..., Result]


@pytest.fixture
def database(postgresql_server: Server) -> Iterator[OnServer]:
    with open_database(postgresql_server, "of_commands") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path, store_template: Path) -> Path:
    """A store with the sender ana and a mail of hers."""
    file = shutil.copy(store_template, tmp_path / "letterbell.db")

    async def add() -> None:
        store = await Store.open(f"sqlite:///{file}")
        await store.record_sent(
            Sent(
                message_id=ID,
                sender_id=1,
                sent_at_ms=5,
                mail_from="ana@example.com",
                recipients=("bob@example.org", "eve@example.org"),
                subject="Hello",
                message_id_header="<1@example.com>",
                opens=True,
                clicks=True,
            )
        )
        await store.close()

    asyncio.run(add())
    return Path(file)


@pytest.fixture
def run(tmp_path: Path, database: OnServer) -> Run:
    """A command, with a config whose store is the database."""
    config, url = tmp_path / "letterbell.toml", tmp_path / "store.url"
    for secret in (config, url):
        secret.touch(0o600)
    url.write_text(database.url)
    config.write_text(
        '[upstream]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\n'
        '[http]\npublic_url = "https://t.example.com"\n'
        f'[tokens]\nkeys = ["1:{"k" * 43}"]\n[store]\nurl_file = "store.url"\n'
    )

    def run(*words: str, expect: int = 0, **told: str) -> Result:
        result = CliRunner().invoke(main, [*words, "--config", str(config)], **told)  # type: ignore[arg-type]
        assert result.exit_code == expect, (result.output, result.exception)
        return result

    return run


def copy(file: Path, url: str, expect: int = 0) -> str:
    result = CliRunner().invoke(main, ["store", "copy", f"sqlite:///{file}", url])
    assert result.exit_code == expect, (result.output, result.exception)
    return result.output


def test_copy_says_what_is_there_and_what_to_do(file: Path, database: OnServer) -> None:
    said = copy(file, database.url)
    assert ["message", "1"] in [line.split() for line in said.splitlines()]
    assert f"All rows of {file} are in {database.server.url('')[:23]}" in said
    assert f'delivery.spool to "{file.parent}/spool"' in said
    assert database.execute("SELECT id FROM message") == [(ID,)]


def test_copy_refuses_a_database_in_use(file: Path, database: OnServer) -> None:
    copy(file, database.url)
    assert "has rows in 'sender' already; name an empty database" in copy(file, database.url, 1)


def test_copy_goes_one_way(file: Path, database: OnServer) -> None:
    result = CliRunner().invoke(main, ["store", "copy", database.url, f"sqlite:///{file}"])
    assert result.exit_code == 2
    assert "from sqlite:///PATH to postgresql://" in result.output


def test_every_command_works_there(file: Path, database: OnServer, run: Run) -> None:
    copy(file, database.url)
    run("sender", "add", "new@example.com", "--password-stdin", input="a good one\n")
    assert "new@example.com" in run("sender", "list").output
    run("sender", "set", "new@example.com", "--disable")
    assert "-" in run("sender", "device", "add", "ana", "phone").output
    assert "phone" in run("sender", "device", "list", "ana").output
    run("sender", "device", "revoke", "ana", "phone")
    assert "letterbell_" in run("sender", "key", "add", "ana", "program").output
    assert "program" in run("sender", "key", "list", "ana").output
    exported = json.loads(run("export", "bob@example.org").output)
    assert [each["subject"] for each in exported["received"]] == ["Hello"]
    assert "0 hits" in run("rejudge").output
    assert "0 links exported" in run("links", "export", "--form", "nginx").output
    run("stop", f"{ID:x}")
    forgotten = run("forget", "bob@example.org", "--yes").output
    assert "the address blanked in 1 rows" in forgotten
    assert "until VACUUM" in forgotten
    [(recipients,)] = database.execute("SELECT recipients FROM message")
    assert json.loads(recipients) == ["(forgotten)", "eve@example.org"]
    run("erase", f"{ID:x}", "--yes")
    run("sender", "remove", "new@example.com", "--yes")
    assert database.execute("SELECT count(*) FROM message") == [(0,)]


def test_consent_works_there(file: Path, database: OnServer, run: Run) -> None:
    copy(file, database.url)
    run("consent", "refuse", "ana", "bob@example.org")
    assert "bob@example.org" in run("consent", "list", "ana").output


def test_check_opens_it_and_says_what_is_wrong(
    database: OnServer, run: Run, tmp_path: Path
) -> None:
    assert f"/{database.name} opens and takes writes" in run("check", expect=2).output
    (tmp_path / "store.url").write_text(database.url.replace(database.name, "nothing"))
    said = run("check", expect=2).output
    assert "there is no such database; on the server, CREATE DATABASE nothing" in said
