"""Figures by day and week."""

from datetime import UTC, datetime

import pytest
from programs import Program
from sites import Site

from collector.api import figures
from collector.api.values import to_ms
from collector.senders import Sender

NONE = {"believed": 0, "raw": 0}


def ms(day: int, hour: int = 12) -> int:
    return to_ms(datetime(2026, 7, day, hour, tzinfo=UTC))


@pytest.fixture
async def mails(site: Site, ana: Sender, eve: Sender) -> None:
    """Two of Thursday the 2nd, one of Sunday the 5th, one of Monday the 6th at midnight."""
    opened = await site.add_mail(ana, at_ms=ms(2))
    for verdict in ("person", "proxy", "scanner"):
        await site.hit(ana, opened, "open", verdict=verdict)
    scanned = await site.add_mail(ana, at_ms=ms(2, 23), tracked=True)
    await site.hit(ana, scanned, "open", verdict="scanner")
    await site.hit(ana, scanned, "click", link=0)
    await site.add_mail(ana, at_ms=ms(5), tracked=False)
    await site.add_mail(ana, at_ms=ms(6, 0))
    await site.add_mail(eve, at_ms=ms(2))


@pytest.mark.usefixtures("mails")
async def test_by_day(program: Program) -> None:
    told = await program.read("/stats?since=2026-07-02&until=2026-07-05")
    assert [(each["begins"], each["sent"], each["tracked"]) for each in told["periods"]] == [
        ("2026-07-02", 2, 2),
        ("2026-07-03", 0, 0),
        ("2026-07-04", 0, 0),
        ("2026-07-05", 1, 0),
    ]
    assert told["periods"][0] == {
        "begins": "2026-07-02",
        "sent": 2,
        "tracked": 2,
        "opened": {"believed": 1, "raw": 2},
        "clicked": {"believed": 1, "raw": 1},
        "opens": {"believed": 2, "raw": 4},
        "clicks": {"believed": 1, "raw": 1},
    }
    assert told["periods"][1]["opened"] == NONE


@pytest.mark.usefixtures("mails")
async def test_by_week_which_begins_on_monday(program: Program) -> None:
    told = await program.read("/stats?since=2026-06-29&until=2026-07-12&by=week")
    assert [(each["begins"], each["sent"]) for each in told["periods"]] == [
        ("2026-06-29", 3),
        ("2026-07-06", 1),
    ]
    # Of a week that the period cuts, what is in the period.
    told = await program.read("/stats?since=2026-07-03&until=2026-07-06&by=week")
    assert [(each["begins"], each["sent"]) for each in told["periods"]] == [
        ("2026-06-29", 1),
        ("2026-07-06", 1),
    ]


@pytest.mark.usefixtures("mails")
async def test_the_last_thirty_days(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures.time, "time", lambda: ms(6) / 1000)
    periods = (await program.read("/stats"))["periods"]
    assert (periods[0]["begins"], periods[-1]["begins"]) == ("2026-06-07", "2026-07-06")
    assert sum(each["sent"] for each in periods) == 4


@pytest.mark.parametrize(
    ("query", "begins"),
    [
        ("since=2026-07-02&until=2026-07-01", []),
        ("since=0001-01-01&until=0001-01-02", ["0001-01-01", "0001-01-02"]),
        ("until=0001-01-01&by=week", ["0001-01-01"]),
        ("since=9999-12-31&until=9999-12-31", ["9999-12-31"]),
    ],
)
async def test_odd_periods(program: Program, query: str, begins: list[str]) -> None:
    told = await program.read(f"/stats?{query}")
    assert [each["begins"] for each in told["periods"]] == begins


async def test_a_period_that_is_too_long(program: Program) -> None:
    assert len((await program.read("/stats?since=2024-01-01&until=2024-12-31"))["periods"]) == 366
    answer = await program.ask("/stats?since=2024-01-01&until=2025-01-01")
    assert answer.status == 422
    assert "longer than 366 days" in answer.json["detail"]
