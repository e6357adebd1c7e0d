"""One mail as a file: all of it, of one's own alone."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from sites import SENT_MS

from collector import export
from collector.store import SentLink, Wished

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/export.schema.json").read_text())
FORMS = ("json", "csv")
PEOPLE = ("ben@example.net", "eve@example.net")


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    return browser


@pytest.fixture
async def mail(site, ana) -> int:
    links = (SentLink(0, "https://example.com/plans", "<b>Plans</b>"),)
    number = await site.add_mail(
        ana,
        '=HYPERLINK("x")',
        PEOPLE,
        links,
        per_recipient=True,
        skipped=(("opt-out", 1, "shop.example"),),
        wished=Wished(True, True, "setting", "header"),
    )
    await site.deliver(ana, number, "=250 2.0.0 Ok", "delivered")
    await site.hit(ana, number, "open", recipient=1)
    await site.hit(ana, number, "click", link=0, recipient=2, verdict="tool", rule="tool")
    return number


async def read(browser, mail: int, form: str):
    answer = await browser.get(f"/mail/{mail}/export.{form}")
    assert answer.status == 200
    return answer, await answer.text()


async def test_as_json_by_the_schema_of_exports(site, ana, signed_in, mail) -> None:
    answer, text = await read(signed_in, mail, "json")
    assert answer.content_type == "application/json"
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="letterbell-2023-11-14-{mail:x}.json"'
    )
    assert answer.headers["Cache-Control"] == "no-store"
    told = json.loads(text)
    of_sent = {**SCHEMA["properties"]["sent"]["items"], "$defs": SCHEMA["$defs"]}
    Draft202012Validator(of_sent).validate(told)
    assert told["subject"] == '=HYPERLINK("x")'
    assert told["skipped"] == [{"rule": "opt-out", "number": 1, "example": "shop.example"}]
    assert told["wished"]["clicks_from"] == "header"
    assert [(hit["kind"], hit["recipient"]) for hit in told["hits"]] == [
        ("open", PEOPLE[0]),
        ("click", PEOPLE[1]),
    ]


async def test_as_a_table(signed_in, mail) -> None:
    answer, text = await read(signed_in, mail, "csv")
    assert answer.content_type == "text/csv"
    assert answer.headers["Content-Disposition"].endswith(f'-{mail:x}.csv"')
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["event"] for row in rows] == ["sent", "delivered", "open", "click"]
    assert rows[1]["said"] == "'=250 2.0.0 Ok"  # no formula
    assert [row["recipient"] for row in rows[2:]] == list(PEOPLE)
    assert rows[3]["link"] == "https://example.com/plans"
    assert (rows[2]["counted"], rows[3]["counted"]) == ("true", "false")
    assert rows[3]["why"] == "It named itself a program"


async def test_a_mail_without_hits(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    assert json.loads((await read(signed_in, mail, "json"))[1])["hits"] == []
    rows = list(csv.DictReader(StringIO((await read(signed_in, mail, "csv"))[1])))
    assert [row["event"] for row in rows] == ["sent", "sending"]


async def test_more_hits_than_are_read_at_once(
    site, ana, signed_in, mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    for second in range(7):
        await site.hit(ana, mail, "open", recipient=1, at_ms=SENT_MS + second * 1_000)
    monkeypatch.setattr(export, "_HITS_OF_SENDER", export._HITS_OF_SENDER.limit(2))
    told = json.loads((await read(signed_in, mail, "json"))[1])
    assert len(told["hits"]) == 9
    assert len((await read(signed_in, mail, "csv"))[1].splitlines()) == 12


@pytest.mark.parametrize("form", FORMS)
async def test_another_senders_mail_is_not_there(site, eve, mail, open_browser, form: str) -> None:
    other = await open_browser()
    await other.be(site, eve)
    theirs = await other.get(f"/mail/{mail}/export.{form}")
    nobodys = await other.get(f"/mail/{mail + 1}/export.{form}")
    assert (theirs.status, nobodys.status) == (404, 404)
    assert await theirs.text() == await nobodys.text()
    assert (await other.get(f"/mail/{'9' * 40}/export.{form}")).status == 404


async def test_nobody_else_gets_it(mail, browser) -> None:
    answer = await browser.get(f"/mail/{mail}/export.json")
    assert (answer.status, answer.headers["Location"][:9]) == (303, "/sign-in?")
    assert (await browser.get(f"/mail/{mail}/export.xml")).status == 404
