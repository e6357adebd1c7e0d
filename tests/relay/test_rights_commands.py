"""`letterbell stop`, `erase`, `export` and `forget` as a person types them."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from custodies import BOB, EVE, outgoing
from jsonschema import Draft202012Validator
from relays import ADDRESSES

from collector.errors import StoreUnavailable
from collector.store import Sent, Store
from collector.tokens import Key
from relay.cli import main
from relay.sealing import Seal
from relay.spool import Spool

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/export.schema.json").read_text())
Run = Callable[..., Result]
ID = 0x33568A0B1C000005


@pytest.fixture
def run(tmp_path: Path, store_template: Path) -> Run:
    """A command, on a store with the sender ana in it."""
    shutil.copy(store_template, tmp_path / "letterbell.db")
    config = tmp_path / "letterbell.toml"
    config.touch(0o600)
    config.write_text(
        '[upstream]\nhost = "smtp.example.com"\n[http]\npublic_url = "https://t.example.com"\n'
        f'[tokens]\nkeys = ["1:{"k" * 43}"]\n'
    )

    def run(*words: str, stdin: str | None = None, expect: int = 0) -> Result:
        result = CliRunner().invoke(main, [*words, "--config", str(config)], input=stdin)
        assert result.exit_code == expect, (result.output, result.exception)
        return result

    return run


def add_message(folder: Path, message_id: int, *recipients: str) -> None:
    async def add() -> None:
        store = await Store.open(f"sqlite:///{folder / 'letterbell.db'}")
        await store.record_sent(
            Sent(
                message_id=message_id,
                sender_id=1,
                sent_at_ms=5,
                mail_from=ADDRESSES[0],
                recipients=recipients or ("bob@example.org",),
                subject="Hello",
                message_id_header="<1@example.com>",
                opens=True,
                clicks=True,
            )
        )
        await store.close()

    asyncio.run(add())


def spool_mails(folder: Path, *mails: tuple[int, tuple[bytes, ...]]) -> None:
    async def put() -> None:
        seal = Seal([Key(id=1, secret=b"k" * 32)])
        spool = Spool.open(folder / "spool", min_free=0, sealer=seal)
        for message_id, recipients in mails:
            await spool.put(outgoing(message_id, *recipients), next_ms=2**42)
        spool.close()

    asyncio.run(put())


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "letterbell.db")) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("spelt", [f"{ID:x}", f"{ID:X}", str(ID)])
def test_stop_and_erase(run: Run, tmp_path: Path, spelt: str) -> None:
    add_message(tmp_path, ID)
    assert run("stop", spelt).output == f"Stopped the tracking of {ID:x}.\n"
    [(stopped,)] = rows(tmp_path, "SELECT stopped_at_ms FROM message")
    assert stopped
    assert "Aborted" in run("erase", spelt, stdin="n\n", expect=1).output
    assert rows(tmp_path, "SELECT id FROM message") == [(ID,)]
    assert run("erase", spelt, "--yes").output == f"Erased {ID:x}.\n"
    assert rows(tmp_path, "SELECT id FROM message") == []
    for command in (("stop",), ("erase", "--yes")):
        told = run(*command, spelt, expect=1).output
        assert told == f"Error: there is no message {ID:x} (any more)\n"


@pytest.mark.parametrize("text", ["xyz", "-1", "", "f" * 17, str(2**63), "8000000000000000"])
def test_what_is_no_id(run: Run, text: str) -> None:
    assert (
        "is no message's id: the log and its page show it"
        in run("stop", "--", text, expect=2).output
    )


@pytest.mark.parametrize("command", ["forget", "export"])
def test_what_is_no_address(run: Run, command: str) -> None:
    told = run(command, "bob", expect=2).output
    assert "'bob' is no mail address; write name@example.com" in told


def test_export_is_as_its_schema_says(run: Run, tmp_path: Path) -> None:
    add_message(tmp_path, ID, "Bob@example.org", "eve@example.org")
    add_message(tmp_path, ID + 1, "eve@example.org")
    spool_mails(tmp_path, (ID, (BOB, EVE)), (ID + 1, (EVE,)))
    told = json.loads(run("export", "bob@example.org").output)
    Draft202012Validator(SCHEMA).validate(told)
    assert told["address"] == "bob@example.org"
    assert [mail["id"] for mail in told["received"]] == [f"{ID:x}"]
    [queued] = told["queued"]
    assert (queued["id"], queued["state"]) == (f"{ID:x}", "waiting")
    assert [each["address"] for each in queued["recipients"]] == ["bob@example.org"]
    sender = json.loads(run("export", ADDRESSES[0]).output)
    Draft202012Validator(SCHEMA).validate(sender)
    assert [mail["id"] for mail in sender["sent"]] == [f"{ID:x}", f"{ID + 1:x}"]
    assert len(sender["queued"]) == 2


def test_export_without_anything(run: Run) -> None:
    told = json.loads(run("export", "nobody@example.org").output)
    Draft202012Validator(SCHEMA).validate(told)
    assert not any(told[name] for name in ("accounts", "received", "sent", "queued"))


def test_forget_asks_first(run: Run, tmp_path: Path) -> None:
    add_message(tmp_path, ID)
    assert "Aborted" in run("forget", "bob@example.org", stdin="n\n", expect=1).output
    assert len(rows(tmp_path, "SELECT id FROM message")) == 1
    told = run("forget", "BOB@example.org", stdin="y\n").output
    assert "1 messages erased, the address blanked in 0 rows more" in told
    assert run("forget", "bob@example.org", "--yes").output == (
        "Nothing is kept about bob@example.org.\n"
    )
    assert b"bob@example.org" not in (tmp_path / "letterbell.db").read_bytes()


@pytest.mark.parametrize("address", [ADDRESSES[0], "Ana@Example.com"])
def test_a_senders_own_address_is_refused_with_the_mend(run: Run, address: str) -> None:
    told = run("forget", address, "--yes", expect=1).output
    assert "is a sender's own address: `letterbell sender remove ana`" in told
    assert "letterbell sender set" in told


def test_forget_ends_no_mail_that_is_on_its_way(run: Run, tmp_path: Path) -> None:
    add_message(tmp_path, 1, "bob@example.org")
    spool_mails(tmp_path, (1, (BOB,)), (2, (BOB, EVE)), (3, (EVE,)))
    told = run("forget", "bob@example.org", "--yes", expect=1).output
    assert "nothing is forgotten yet" in told
    assert "still on its way: 0000000000000001, 0000000000000002; wait" in told
    told = run("forget", "bob@example.org", "--yes", "--remove-queued", expect=1).output
    assert "Gave up 1 of 1 mails that were queued to them alone." in told
    assert "still on its way: 0000000000000002; wait" in told
    assert len(rows(tmp_path, "SELECT id FROM message")) == 1
    run("queue", "remove", "2", "--silent", "--yes")
    assert "1 messages erased" in run("forget", "bob@example.org", "--yes").output
    assert [path.name for path in (tmp_path / "spool").glob("??/*")] == ["0000000000000003"]


def test_files_that_were_set_aside_are_named(run: Run, tmp_path: Path) -> None:
    spool_mails(tmp_path, (1, (BOB,)))
    aside = tmp_path / "spool/aside/0000000000000001.damaged"
    (tmp_path / "spool/01/0000000000000001").rename(aside)
    told = run("forget", "bob@example.org", "--yes", expect=1).output
    assert f"look at {aside} and remove what is not needed" in told
    aside.unlink()
    run("forget", "bob@example.org", "--yes")


def test_a_longer_address_is_anothers(run: Run, tmp_path: Path) -> None:
    add_message(tmp_path, ID, "jimbob@example.org")
    told = run("forget", "bob@example.org", "--yes").output
    assert "Nothing is kept about bob@example.org." in told
    assert "holds these letters still: in a longer address" in told
    assert rows(tmp_path, "SELECT recipients FROM message") == [('["jimbob@example.org"]',)]


def test_a_file_that_cannot_be_purged_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise StoreUnavailable("database or disk is full")

    add_message(tmp_path, ID)
    monkeypatch.setattr("collector.sqlite.purge", fail)
    told = run("forget", "bob@example.org", "--yes", expect=1).output
    assert "1 messages erased" in told
    assert "database or disk is full): give the command again" in told


def test_mail_of_one_who_was_a_sender_is_on_its_way(run: Run, tmp_path: Path) -> None:
    async def put() -> None:
        seal = Seal([Key(id=1, secret=b"k" * 32)])
        spool = Spool.open(tmp_path / "spool", min_free=0, sealer=seal)
        await spool.put(replace(outgoing(5, EVE), login="Bob@example.org"), next_ms=2**42)
        spool.close()

    asyncio.run(put())
    told = run("forget", "bob@example.org", "--yes", "--remove-queued", expect=1).output
    assert "still on its way: 0000000000000005" in told
