"""What recipients have decided, as programs read and note it; messages that they stop and erase."""

import csv
import io

import pytest
from programs import Program
from sites import SENT_MS, Site

from collector.senders import Sender

BEN, ZOE = "ben@example.net", "zoe@example.org"


async def test_what_is_noted_holds_at_once(site: Site, ana: Sender, give_key) -> None:
    program = await give_key(ana, scope="write")
    refused = {"address": BEN, "granted": False, "kind": "open"}
    page = await program.read("/consents", method="POST", json=refused)
    [told] = page["consents"]
    assert told.pop("at").endswith("Z")
    assert told == refused | {"how": "api", "text_version": None}
    held = await site.consents.held(ana.id, [BEN])
    assert held == {(BEN, "open"): False}
    agreed = {"address": BEN.upper(), "granted": True, "text_version": "v1"}
    page = await program.read("/consents", method="POST", json=agreed)
    assert [(each["kind"], each["granted"]) for each in page["consents"]] == [
        ("open", False),
        ("open", True),
        ("click", True),
    ]


async def test_pages_of_what_holds_and_of_what_has_held(
    site: Site, ana: Sender, program: Program
) -> None:
    for address, granted in ((BEN, True), (ZOE, False), (BEN, False)):
        await site.consents.decide(ana.id, address, {"open": granted}, how="command")
    told = []
    path = "/consents?limit=1"
    while True:
        page = await program.read(path)
        told += [(each["address"], each["granted"]) for each in page["consents"]]
        if not page["more"]:
            break
        path = f"/consents?limit=1&cursor={page['next']}"
    assert told == [(ZOE, False), (BEN, False)]
    page = await program.read("/consents?past=true")
    assert [each["address"] for each in page["consents"]] == [BEN, ZOE, BEN]
    page = await program.read(f"/consents?address={BEN}")
    assert [each["granted"] for each in page["consents"]] == [True, False]
    written = (await program.ask("/consents?format=csv")).body.decode()
    assert [row["address"] for row in csv.DictReader(io.StringIO(written))] == [ZOE, BEN]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"address": BEN, "granted": True}, 422, "has refused on the notice page"),
        ({"address": "*@example.net", "granted": False}, 422, "is no mail address"),
        ({"address": BEN, "granted": "no"}, 400, "granted"),
        ({"granted": False}, 400, "address"),
    ],
)
async def test_what_cannot_be_noted(
    site: Site, ana: Sender, give_key, body: object, status: int, words: str
) -> None:
    await site.consents.decide(ana.id, BEN, {"open": False}, how="notice")
    program = await give_key(ana, scope="write")
    answer = await program.ask("/consents", method="POST", json=body)
    assert (answer.status, words in answer.json["detail"]) == (status, True)
    assert await site.consents.held(ana.id, [BEN]) == {(BEN, "open"): False}


async def test_a_key_that_reads_changes_nothing(site: Site, ana: Sender, give_key) -> None:
    program = await give_key(ana, scope="read")
    mail = await site.add_mail(ana)
    for method, path in (
        ("POST", f"/messages/{mail:016x}/stop"),
        ("DELETE", f"/messages/{mail:016x}"),
    ):
        assert (await program.ask(path, method=method)).status == 403
    assert (await program.read(f"/messages/{mail:016x}"))["stopped_at"] is None


async def test_a_message_is_stopped_and_erased(site: Site, ana: Sender, give_key) -> None:
    program = await give_key(ana, scope="write")
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open", at_ms=SENT_MS + 60_000)
    path = f"/messages/{mail:016x}"
    stopped = await program.read(f"{path}/stop", method="POST")
    assert stopped["stopped_at"].endswith("Z")
    assert await program.read(f"{path}/stop", method="POST") == stopped
    await site.hit(ana, mail, "open", at_ms=SENT_MS + 90_000)
    assert (await program.read(path))["opens"]["raw"] == 1
    assert await program.read(path, method="DELETE") == {"id": f"{mail:016x}"}
    assert (await program.ask(path, method="DELETE")).status == 404
    assert (await program.read("/messages"))["messages"] == []
