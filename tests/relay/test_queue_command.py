"""`letterbell queue`, while the relay runs and while it does not."""

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from custodies import BOB, EVE, House, outgoing, saying
from jsonschema import Draft202012Validator
from relays import until

from collector.tokens import Key
from relay.cli import main
from relay.envelope import Deferred, Delivered, Refused
from relay.orders import Order, Orders, obey
from relay.sealing import Seal
from relay.spool import Spool, SpoolError, read_entries
from relay.spoolfile import Got

BUSY = Deferred(
    recipient=BOB, code=451, enhanced="4.2.1", text=b"busy", ordinal=1, host="mx.example.org"
)
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/queue.schema.json").read_text())
ID = 0x33568A0B1C000005


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "letterbell.toml"
    path.touch(0o600)
    path.write_text(
        '[upstream]\nhost = "smtp.example.com"\n[http]\npublic_url = "https://t.example.com"\n'
        f'[tokens]\nkeys = ["1:{"k" * 43}"]\n[delivery]\nspool = "spool"\n'
    )
    return path


@pytest.fixture
def run(config: Path) -> Callable[..., Result]:
    def run(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(
            main, ["queue", words[0], *words[1:], "--config", str(config)], input=stdin
        )

    return run


async def fill(folder: Path) -> None:
    spool = Spool.open(folder / "spool", min_free=0, sealer=Seal([Key(id=1, secret=b"k" * 32)]))
    await spool.put(outgoing(ID, BOB, EVE), next_ms=2**42)
    refused = Refused(recipient=EVE, code=550, enhanced="5.1.1", text=b"no eve", ordinal=2)
    await spool.note(ID, Got((BUSY, refused), 1, 2**42))
    await spool.put(outgoing(1), next_ms=0)
    spool.close()


@pytest.fixture
def filled(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path))


def entries(folder: Path) -> dict[int, Any]:
    return {entry.id: entry for entry in read_entries(folder / "spool")}


def test_without_a_spool_it_is_empty(run: Callable[..., Result]) -> None:
    assert run("list").output == "The queue is empty.\n"
    assert run("list", "--json").output == ""


@pytest.mark.usefixtures("filled")
def test_list_tells_each(run: Callable[..., Result]) -> None:
    head, *rows = run("list").output.splitlines()
    assert head.split() == ["ID", "AGE", "SIZE", "FROM", "TO", "STATE", "LAST", "WORD"]
    row = next(row for row in rows if row.startswith("33568a0b1c000005"))
    assert "ana@example.com" in row
    assert "bob@example.org" in row
    assert row.endswith("451 4.2.1 busy")
    assert len(rows) == 2


@pytest.mark.usefixtures("filled")
def test_json_is_as_its_schema_says(run: Callable[..., Result]) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    told = [json.loads(line) for line in run("list", "--json").output.splitlines()]
    for each in told:
        Draft202012Validator(SCHEMA).validate(each)
    one = json.loads(run("show", f"{ID:x}", "--json").output)
    assert one in told
    assert one["recipients"] == [
        {
            "address": "bob@example.org",
            "state": "queued",
            "said": "451 4.2.1 busy",
            "host": "mx.example.org",
        },
        {
            "address": "eve@example.org",
            "state": "refused",
            "said": "550 5.1.1 no eve",
            "host": None,
        },
    ]
    assert (one["state"], one["attempts"]) == ("waiting", 1)


@pytest.mark.usefixtures("filled")
def test_show_tells_all_of_one(run: Callable[..., Result]) -> None:
    told = run("show", f"{ID:X}").output
    assert "id:       33568a0b1c000005\n" in told
    assert "<bob@example.org> queued\n    451 4.2.1 busy (by mx.example.org)\n" in told
    assert "<eve@example.org> refused\n    550 5.1.1 no eve\n" in told


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("show", "2"), 1, "2 is not queued (any more)"),
        (("show", "xyz"), 2, "'xyz' is no message's id"),
        (("retry",), 2, "name messages by their ID, or give --all"),
        (("retry", "1", "--all"), 2, "name messages by their ID, or give --all"),
        (("hold", "2"), 1, "2 is not queued (any more)"),
        (("hold", "1" * 17), 2, "is no message's id"),
    ],
)
def test_what_cannot_be_done_is_told(
    run: Callable[..., Result], words: tuple[str, ...], code: int, error: str
) -> None:
    result = run(*words)
    assert result.exit_code == code
    assert error in result.output


@pytest.mark.usefixtures("filled")
def test_while_nothing_runs_it_is_done_at_once(run: Callable[..., Result], tmp_path: Path) -> None:
    assert run("hold", "--all").output == "2 of 2 held.\n"
    assert {entry.state.held for entry in entries(tmp_path).values()} == {"by the operator"}
    assert run("retry", "1").output == "1 of 1 tried at once.\n"
    assert entries(tmp_path)[1].state.held is None
    assert run("remove", "1", stdin="n\n").exit_code == 1
    assert 1 in entries(tmp_path)
    assert run("remove", "1", "--silent", stdin="y\n").exit_code == 0
    assert 1 not in entries(tmp_path)
    assert run("remove", f"{ID:x}", "--yes").exit_code == 0
    state = entries(tmp_path)[ID].state  # its report is written when the relay starts
    assert (state.pending, state.owed, state.held) == (frozenset(), {1, 2}, None)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path, saying(BUSY))
    obeying = asyncio.create_task(obey(Orders(tmp_path / "spool"), house.queue))
    yield house
    obeying.cancel()
    await house.close()


async def test_a_running_relay_obeys(
    house: House, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.orders.LOOK_SECONDS", 0.01)
    await house.take(outgoing(1))
    await house.rest()
    held = await asyncio.to_thread(run, "hold", "1", "2")
    assert "1 of 2 held." in held.output
    assert "2 is not queued (any more)" in held.output
    assert house.spool.entries[1].state.held == "by the operator"
    house.lane.answer = lambda copy: (
        replace(Delivered(recipient=BOB, code=250, ordinal=1), text=b"ok"),
    )
    retried = await asyncio.to_thread(run, "retry", "--all")
    assert retried.output.endswith("1 of 1 tried at once.\n")
    await house.rest()
    assert not house.spool.entries
    assert list((tmp_path / "spool/orders").iterdir()) == []


async def test_what_is_being_sent_is_busy(
    house: House, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.orders.LOOK_SECONDS", 0.01)
    house.lane.gate.clear()
    await house.take(outgoing(1))
    await house.until_tried()
    result = await asyncio.to_thread(run, "remove", "1", "--yes")
    assert (result.exit_code, "1 is being sent just now" in result.output) == (1, True)
    house.lane.gate.set()


async def test_what_the_disk_refuses_is_not_done(
    house: House, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.orders.LOOK_SECONDS", 0.01)
    await house.take(outgoing(1))
    await house.rest()

    async def fails(*arguments: Any) -> Any:
        raise SpoolError("the disk fails", "mend it")

    monkeypatch.setattr(house.spool, "note", fails)
    result = await asyncio.to_thread(run, "hold", "1")
    assert (result.exit_code, "1 waits for the disk" in result.output) == (1, True)


def test_no_spool_is_made(run: Callable[..., Result], tmp_path: Path) -> None:
    """By root it would be root's, and the relay could not use it."""
    result = run("retry", "1")
    assert (result.exit_code, "1 is not queued (any more)" in result.output) == (1, True)
    assert not (tmp_path / "spool").exists()


async def test_a_relay_that_dies_with_the_order_in_hand(
    tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.commands.queue.ANSWER_SECONDS", 0.0)
    monkeypatch.setattr("relay.commands.queue.WORK_SECONDS", 0.05)
    monkeypatch.setattr(Orders, "withdraw", lambda orders, name: False)
    spool = Spool.open(tmp_path / "spool", min_free=0, sealer=Seal([Key(id=1, secret=b"k" * 32)]))
    result = await asyncio.to_thread(run, "hold", "1")
    assert (result.exit_code, "has not ended" in result.output) == (1, True)
    spool.close()


def test_the_relay_can_read_what_root_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orders").mkdir()
    owned: list[tuple[str, int, int]] = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(
        "os.chown", lambda path, user, group: owned.append((path.suffix, user, group))
    )
    Orders(tmp_path).place(Order("hold", (1,)))
    folder = (tmp_path / "orders").stat()
    assert owned == [(".new", folder.st_uid, folder.st_gid)]


async def test_a_relay_that_does_not_answer(
    tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.commands.queue.ANSWER_SECONDS", 0.05)
    spool = Spool.open(tmp_path / "spool", min_free=0, sealer=Seal([Key(id=1, secret=b"k" * 32)]))
    result = await asyncio.to_thread(run, "hold", "1")
    assert (result.exit_code, "does not answer" in result.output) == (1, True)
    assert list((tmp_path / "spool/orders").iterdir()) == []
    spool.close()


def test_orders_that_do_not_read_and_answers_nobody_fetched_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    orders = Orders(tmp_path)
    (folder / "broken.order").write_text("{")
    orders.give("old", {1: "done"})
    name = orders.place(Order("hold", (1, 2)))
    assert orders.take() == [(name, Order("hold", (1, 2)))]
    assert [path.name for path in folder.iterdir()] == ["old.answer"]
    monkeypatch.setattr("relay.orders.FORGET_SECONDS", -1)
    assert orders.take() == []
    assert list(folder.iterdir()) == []


def test_a_file_that_goes_meanwhile_costs_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command is about to name its order, or has just fetched its answer."""
    folder = tmp_path / "orders"
    folder.mkdir()
    orders = Orders(tmp_path)
    name = orders.place(Order("hold", (1,)))
    (folder / "other.new").touch()
    seen = sorted(os.scandir(folder), key=lambda item: item.name == "other.new")
    (folder / "other.new").unlink()
    monkeypatch.setattr("os.scandir", lambda _: seen)
    assert orders.take() == [(name, Order("hold", (1,)))]


async def test_an_answer_that_cannot_be_given_costs_no_other_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, orders = House(tmp_path, saying(BUSY)), Orders(tmp_path / "spool")
    for number in (1, 2):
        await house.take(outgoing(number))
        orders.place(Order("hold", (number,)))
    await house.rest()  # what is being sent is left alone

    def give(name: str, results: Any) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(orders, "give", give)
    monkeypatch.setattr("relay.orders.LOOK_SECONDS", 0.001)
    obeying = asyncio.create_task(obey(orders, house.queue))
    await until(lambda: all(entry.state.held for entry in house.spool.entries.values()))
    obeying.cancel()
    await house.close()
