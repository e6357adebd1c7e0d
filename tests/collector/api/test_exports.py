"""Lists as files: whole, harmless in spreadsheets, and never more than a piece in memory."""

import csv
import json
from io import StringIO

import pytest
from aiohttp import ClientPayloadError
from programs import Program
from sites import Site

from collector.api import hits, messages
from collector.api.exports import defuse
from collector.errors import StoreUnavailable
from collector.senders import Sender

CSV = {"Accept": "text/csv"}
NDJSON = {"Accept": "application/x-ndjson"}


def rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(body.decode(), newline="")))


async def test_messages_as_csv(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(ana, 'Übung, "quoted"', ("ben@example.net", "zoe@example.org"))
    await site.hit(ana, mail, "open")
    answer = await program.ask("/messages", headers=CSV)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="messages.csv"'
    assert rows(answer.body) == [
        {
            "id": f"{mail:016x}",
            "sent_at": "2023-11-14T22:13:20.000Z",
            "delivered_at": "",
            "state": "sending",
            "subject": 'Übung, "quoted"',
            "snippet": "",
            "recipients": "ben@example.net, zoe@example.org",
            "tracked_opens": "true",
            "tracked_clicks": "true",
            "untracked_reason": "",
            "per_recipient": "false",
            "stopped_at": "",
            "opens_believed": "1",
            "opens_raw": "1",
            "opens_first_at": "2023-11-14T22:15:20.000Z",
            "opens_last_at": "2023-11-14T22:15:20.000Z",
            "opens_who": "likely one of 2 recipients",
            "clicks_believed": "0",
            "clicks_raw": "0",
            "clicks_first_at": "",
            "clicks_last_at": "",
            "clicks_who": "",
        }
    ]


async def test_hits_as_csv(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "click", link=0)
    for path in ("/hits", f"/messages/{mail:016x}/hits"):
        answer = await program.ask(f"{path}?format=csv")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="hits.csv"'
        assert [(row["kind"], row["link"], row["recipient"]) for row in rows(answer.body)] == [
            ("click", "0", "")
        ]


async def test_ndjson_is_the_list_line_by_line(site: Site, ana: Sender, program: Program) -> None:
    for number in range(3):
        mail = await site.add_mail(ana, f"Mail\n{number}")
        await site.hit(ana, mail, "open")
    for path, name in (("/messages", "messages"), ("/hits", "hits")):
        answer = await program.ask(path, headers=NDJSON)
        assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
        lines = [json.loads(line) for line in answer.body.splitlines()]
        assert lines == (await program.read(path))[name]


async def test_format_goes_before_accept(program: Program) -> None:
    answer = await program.ask("/hits?format=ndjson", headers=CSV)
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    answer = await program.ask("/hits?format=json", headers=CSV)
    assert answer.headers["Content-Type"] == "application/json"


async def test_nothing_is_a_file_with_its_head(program: Program) -> None:
    assert rows((await program.ask("/messages", headers=CSV)).body) == []
    assert (await program.ask("/messages", headers=CSV)).body.startswith(b"id,sent_at,")
    assert (await program.ask("/messages", headers=NDJSON)).body == b""


async def test_an_export_has_all_of_them_a_piece_at_a_time(
    site: Site, ana: Sender, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "CHUNK", 2)
    monkeypatch.setattr(hits, "CHUNK", 2)
    for number in range(5):
        mail = await site.add_mail(ana, f"Mail {number}")
        await site.hit(ana, mail, "open", agent=str(number))
    largest = 0
    read = site.store.read

    async def spy(*arguments: object) -> object:
        nonlocal largest
        found = await read(*arguments)  # type: ignore[arg-type]
        largest = max(largest, len(found))
        return found

    monkeypatch.setattr(site.store, "read", spy)
    told = rows((await program.ask("/messages?limit=1", headers=CSV)).body)
    assert [row["subject"] for row in told] == [f"Mail {number}" for number in (4, 3, 2, 1, 0)]
    told = rows((await program.ask("/hits?limit=1", headers=CSV)).body)
    assert [row["agent"] for row in told] == list("01234")
    assert largest <= 3


async def test_filters_and_cursors_hold(site: Site, ana: Sender, program: Program) -> None:
    sent = [await site.add_mail(ana, f"Mail {number}") for number in range(3)]
    await site.hit(ana, sent[0], "open")
    assert len(rows((await program.ask("/messages?opened=true", headers=CSV)).body)) == 1
    answer = await program.ask(f"/messages?cursor={sent[2]:016x}", headers=CSV)
    assert [row["subject"] for row in rows(answer.body)] == ["Mail 1", "Mail 0"]


@pytest.mark.parametrize("path", ["/messages", "/hits"])
async def test_a_file_that_is_not_whole_does_not_look_so(
    site: Site, ana: Sender, program: Program, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(messages, "CHUNK", 1)
    monkeypatch.setattr(hits, "CHUNK", 1)
    for _ in range(3):
        await site.hit(ana, await site.add_mail(ana), "open")
    await program.read("/settings")
    read, reads = site.store.read, 0

    async def fail_late(*arguments: object) -> object:
        nonlocal reads
        reads += 1
        if reads > 2:
            raise StoreUnavailable("disk I/O error")
        return await read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(site.store, "read", fail_late)
    with pytest.raises(ClientPayloadError):
        await program.ask(path, headers=CSV)


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff20x"]
)
async def test_no_cell_is_a_formula(site: Site, ana: Sender, program: Program, cell: str) -> None:
    await site.add_mail(ana, cell, (f"{cell}@example.net",), tracked=False, reason=cell)
    [row] = rows((await program.ask("/messages", headers=CSV)).body)
    assert row["subject"] == row["untracked_reason"] == f"'{cell}"
    assert row["recipients"] == f"'{cell}@example.net"


@pytest.mark.parametrize("cell", ["", "a=1", "1-1", "'=1", "ben@example.net"])
def test_other_cells_stay(cell: str) -> None:
    assert defuse(cell) == cell
