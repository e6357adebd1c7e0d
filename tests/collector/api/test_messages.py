"""Messages as programs read them."""

import asyncio

import pytest
from programs import Program
from sites import SENT_MS, Site

from collector.api.values import write_id, write_time
from collector.senders import Sender
from collector.store import Outcome, SentLink

NEVER = {"believed": 0, "raw": 0, "first_at": None, "last_at": None}


async def subjects(program: Program, query: str = "") -> list[str]:
    return [each["subject"] for each in (await program.read(f"/messages{query}"))["messages"]]


async def test_a_message_in_the_list(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(
        ana, "Quote", ("ben@example.net", "zoe@example.org"), snippet="Dear all"
    )
    await site.deliver(ana, mail, "250 ok", "delivered")
    for second in (60, 120):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + second * 1000)
    await site.hit(ana, mail, "open", verdict="scanner", rule="safe-links")
    await site.hit(ana, mail, "click", verdict="tool", rule="head", link=0)
    assert await program.read("/messages") == {
        "messages": [
            {
                "id": f"{mail:016x}",
                "sent_at": "2023-11-14T22:13:20.000Z",
                "delivered_at": "2023-11-14T22:13:20.500Z",
                "state": "delivered",
                "subject": "Quote",
                "snippet": "Dear all",
                "recipients": ["ben@example.net", "zoe@example.org"],
                "tracked": {"opens": True, "clicks": True},
                "untracked_reason": None,
                "per_recipient": False,
                "stopped_at": None,
                "opens": {
                    "believed": 2,
                    "raw": 3,
                    "first_at": "2023-11-14T22:14:20.000Z",
                    "last_at": "2023-11-14T22:15:20.000Z",
                },
                "opens_who": "likely one of 2 recipients",
                "clicks": NEVER,
                "clicks_who": "",
            }
        ],
        "next": None,
    }


async def test_pages_by_cursor_without_gap_or_repeat(
    site: Site, ana: Sender, program: Program
) -> None:
    sent = [await site.add_mail(ana, f"Mail {number}") for number in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = await program.read(f"/messages?limit=2{cursor and f'&cursor={cursor}'}")
        seen += [each["id"] for each in page["messages"]]
        cursor = page["next"]
    assert seen == [write_id(each) for each in reversed(sent)]
    last = await program.read(f"/messages?cursor={seen[-1]}")
    assert last == {"messages": [], "next": None}


async def test_filters(site: Site, ana: Sender, program: Program) -> None:
    hour = 3_600_000
    opened = await site.add_mail(ana, "The Opened", ("Ben@example.net",), at_ms=SENT_MS)
    await site.hit(ana, opened, "open")
    clicked = await site.add_mail(ana, "The clicked 100%", at_ms=SENT_MS + hour)
    await site.hit(ana, clicked, "click", link=0)
    await site.hit(ana, clicked, "open", verdict="scanner")
    await site.deliver(ana, clicked, "250 ok", "delivered")
    await site.add_mail(ana, "Plain", ("o_o@example.net",), tracked=False, at_ms=SENT_MS + 2 * hour)
    for query, found in {
        "": ["Plain", "The clicked 100%", "The Opened"],
        "?tracked=true": ["The clicked 100%", "The Opened"],
        "?tracked=false": ["Plain"],
        "?opened=true": ["The Opened"],
        "?opened=false": ["Plain", "The clicked 100%"],
        "?opened=false&opens_tracked=true": ["The clicked 100%"],
        "?opens_tracked=false": ["Plain"],
        "?clicked=true": ["The clicked 100%"],
        "?state=delivered": ["The clicked 100%"],
        "?state=sending&opened=true": ["The Opened"],
        "?recipient=ben@example.net": ["The clicked 100%", "The Opened"],
        "?recipient=en@example.net": [],
        "?recipient=o-o@example.net": [],
        "?recipient=O_O@example.net": ["Plain"],
        "?q=the+": ["The clicked 100%", "The Opened"],
        "?q=0%25": ["The clicked 100%"],
        "?q=ben+OPENED": ["The Opened"],
        f"?since={write_time(SENT_MS + hour)}": ["Plain", "The clicked 100%"],
        f"?until={write_time(SENT_MS + hour)}": ["The Opened"],
        f"?since={write_time(SENT_MS)}&until={write_time(SENT_MS + 1)}": ["The Opened"],
        "?since=9999-12-31T23:59:59Z": [],
        "?until=0001-01-01T00:00:00Z": [],
    }.items():
        assert await subjects(program, query) == found, query


async def test_who_opened_it_where_each_has_a_copy(
    site: Site, ana: Sender, program: Program
) -> None:
    people = ("ben@example.net", "eve@example.org", "zoe@example.org")
    links = (
        SentLink(0, "https://example.com/plans", "See <b>the plans</b>"),
        SentLink(1, "https://example.com/visit", ""),
    )
    mail = await site.add_mail(ana, recipients=people, links=links, per_recipient=True)
    for at_ms, recipient in ((1000, 2), (3000, 2), (2000, 3)):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + at_ms, recipient=recipient)
    await site.hit(ana, mail, "open", verdict="scanner", recipient=1)
    for verdict in ("person", "scanner"):
        await site.hit(
            ana, mail, "click", at_ms=SENT_MS + 4000, link=0, recipient=2, verdict=verdict
        )
    told = await program.read(f"/messages/{mail:016x}")
    assert told["opens_who"] == "likely eve@example.org and zoe@example.org"
    assert told["clicks_who"] == "likely eve@example.org"
    by_recipient = {
        each["address"]: (
            (each["opens"]["believed"], each["opens"]["raw"], each["opens"]["first_at"]),
            (each["clicks"]["believed"], each["clicks"]["raw"], each["clicks"]["last_at"]),
        )
        for each in told["by_recipient"]
    }
    assert by_recipient == {
        people[0]: ((0, 1, None), (0, 0, None)),
        people[1]: ((2, 2, write_time(SENT_MS + 1000)), (1, 2, write_time(SENT_MS + 4000))),
        people[2]: ((1, 1, write_time(SENT_MS + 2000)), (0, 0, None)),
    }
    assert [each["label"] for each in told["links"]] == ["See the plans", "example.com"]
    assert [each["clicks"]["believed"] for each in told["links"]] == [1, 0]
    assert [each["clicks"]["raw"] for each in told["links"]] == [2, 0]


async def test_of_a_shared_copy_it_is_not_known_who(
    site: Site, ana: Sender, program: Program
) -> None:
    people = ("ben@example.net", "eve@example.org", "zoe@example.org")
    mail = await site.add_mail(ana, recipients=people, shared_reason="too large for 3 copies")
    await site.hit(ana, mail, "open")
    told = await program.read(f"/messages/{mail:016x}")
    assert told["opens_who"] == "likely one of 3 recipients"
    assert told["shared_reason"] == "too large for 3 copies"
    assert {(each["opens"], each["clicks"]) for each in told["by_recipient"]} == {(None, None)}


async def test_of_one_recipient_alone_all_is_known(
    site: Site, ana: Sender, program: Program
) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open")
    told = await program.read(f"/messages/{mail:016x}")
    assert told["opens_who"] == "likely a person"
    assert told["by_recipient"][0]["opens"] == told["opens"]
    assert told["by_recipient"][0]["clicks"] == NEVER


async def test_what_became_of_each_recipient(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(ana, recipients=("ben@example.net", "zoe@example.org"))
    outcomes = ((1, "delivered", "250 ok"), (2, "refused", "550 no such user"))
    noted = asyncio.Event()
    outcome = Outcome(at_ms=SENT_MS, state="delivered", reply="250 ok", outcomes=outcomes)  # type: ignore[arg-type]
    site.store.record_outcome(mail, outcome, noted.set)
    await noted.wait()
    told = await program.read(f"/messages/{mail:016x}")
    assert [(each["state"], each["reply"]) for each in told["by_recipient"]] == [
        ("delivered", "250 ok"),
        ("refused", "550 no such user"),
    ]


@pytest.mark.parametrize("message_id", ["0" * 16, "7" + "f" * 15, "8" + "0" * 15, "f" * 16])
async def test_a_message_that_is_not_there(program: Program, message_id: str) -> None:
    for path in (f"/messages/{message_id}", f"/messages/{message_id}/hits"):
        assert (await program.ask(path)).status == 404
