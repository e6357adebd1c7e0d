"""Hits as programs read them: one message's, and all of a sender's, again and again."""

from collections.abc import Awaitable, Callable

from programs import Program
from sites import SENT_MS, Site

from collector import hitlist
from collector.senders import Sender

Give = Callable[..., Awaitable[Program]]


async def test_a_hit(site: Site, ana: Sender, program: Program) -> None:
    people = ("ben@example.net", "zoe@example.org")
    mail = await site.add_mail(ana, recipients=people, per_recipient=True)
    await site.hit(ana, mail, "click", link=0, recipient=2, agent="Firefox")
    await site.hit(ana, mail, "open", verdict="scanner", rule="safe-links", recipient=0)
    page = await program.read(f"/messages/{mail:016x}/hits")
    assert page["hits"] == [
        {
            "message_id": f"{mail:016x}",
            "at": "2023-11-14T22:15:20.000Z",
            "kind": "click",
            "link": 0,
            "verdict": "person",
            "believed": True,
            "rule": "browser",
            "why": "It looked like a person's browser or mail client",
            "agent": "Firefox",
            "recipient": "zoe@example.org",
        },
        page["hits"][1],
    ]
    other = page["hits"][1]
    assert (other["verdict"], other["believed"], other["recipient"]) == ("scanner", False, None)
    assert (await program.read("/hits"))["hits"] == page["hits"]


async def test_a_shared_copy_names_nobody(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open", recipient=1)
    assert (await program.read("/hits"))["hits"][0]["recipient"] is None


async def test_filters(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open", agent="1")
    await site.hit(ana, mail, "open", verdict="tool", agent="2")
    await site.hit(ana, mail, "click", verdict="proxy", link=0, agent="3")
    for query, found in {
        "": "123",
        "?kind=open": "12",
        "?kind=click": "3",
        "?believed=true": "13",
        "?believed=false&kind=open": "2",
    }.items():
        for path in ("/hits", f"/messages/{mail:016x}/hits"):
            page = await program.read(path + query)
            assert "".join(each["agent"] for each in page["hits"]) == found


async def test_pages_by_cursor_without_gap_or_repeat(
    site: Site, ana: Sender, eve: Sender, program: Program
) -> None:
    mine, theirs = await site.add_mail(ana), await site.add_mail(eve)
    for number in range(5):
        await site.hit(ana, mine, "open", agent=str(number))
        await site.hit(eve, theirs, "open", agent="theirs")
    for path in ("/hits", f"/messages/{mine:016x}/hits"):
        seen, cursor, more = "", "", True
        while more:
            page = await program.read(f"{path}?limit=2{cursor and f'&cursor={cursor}'}")
            seen += "".join(each["agent"] for each in page["hits"])
            cursor, more = page["next"], page["more"]
        assert seen == "01234"


async def test_who_asks_again_hears_what_is_new(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(ana)
    for path in ("/hits", f"/messages/{mail:016x}/hits"):
        page = await program.read(path)
        again = await program.read(f"{path}?cursor={page['next']}")
        assert (again["hits"], again["more"]) == ([], False)
        await site.hit(ana, mail, "open", agent="new")
        later = await program.read(f"{path}?cursor={again['next']}")
        assert [each["agent"] for each in later["hits"]] == ["new"]


async def test_who_wants_only_what_is_new(site: Site, ana: Sender, program: Program) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open", agent="old")
    page = await program.read("/hits?new=true")
    assert (page["hits"], page["more"]) == ([], False)
    await site.hit(ana, mail, "open", agent="new")
    later = await program.read(f"/hits?new=true&cursor={page['next']}")
    assert [each["agent"] for each in later["hits"]] == ["new"]


async def test_a_cursor_of_another_list(
    site: Site, ana: Sender, eve: Sender, program: Program, give_key: Give
) -> None:
    mine, theirs = await site.add_mail(ana), await give_key(eve)
    cursor = (await program.read("/hits"))["next"]
    for other, path in ((program, f"/messages/{mine:016x}/hits"), (theirs, "/hits")):
        answer = await other.ask(f"{path}?cursor={cursor}")
        assert answer.status == 422
        assert "take `next` of its last page, or leave it out" in answer.json["detail"]
    assert (await program.ask(f"/hits?cursor={'A' * 32}&format=csv")).status == 422


async def test_a_page_may_be_empty_and_more_behind_it(
    site: Site, ana: Sender, eve: Sender, program: Program, monkeypatch
) -> None:
    """Many hits of others stand between: each page looks at so many and no more."""
    monkeypatch.setattr(hitlist, "SPAN", 3)
    mine, theirs = await site.add_mail(ana), await site.add_mail(eve)
    for _ in range(7):
        await site.hit(eve, theirs, "open", at_ms=SENT_MS)
    await site.hit(ana, mine, "open", agent="mine")
    pages, cursor = [], ""
    while True:
        page = await program.read(f"/hits{cursor and f'?cursor={cursor}'}")
        pages.append([each["agent"] for each in page["hits"]])
        cursor = page["next"]
        if not page["more"]:
            break
    assert pages == [[], [], ["mine"]]
    assert b"mine" in (await program.ask("/hits?format=csv")).body
