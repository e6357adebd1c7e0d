"""Notifications for programs: listed, marked as read, ids that tell nothing."""

import pytest
from programs import Program
from sites import SENT_MS, Site

from collector.api.values import write_id
from collector.senders import Sender


async def test_they_are_listed_newest_first(site: Site, ana: Sender, program: Program) -> None:
    empty = {"notifications": [], "next": None, "unread": 0}
    assert await program.read("/notifications") == empty
    mail = await site.add_mail(ana, "Hi", ("ben@example.net", "cy@example.net"), per_recipient=True)
    await site.hit(ana, mail, "open", recipient=2)
    await site.hit(ana, mail, "click", link=0, recipient=0, at_ms=SENT_MS + 180_000)
    page = await program.read("/notifications?limit=1")
    assert page["unread"] == 2
    [click] = page["notifications"]
    assert (click["kind"], click["recipient"]) == ("click", None)
    page = await program.read(f"/notifications?limit=1&cursor={page['next']}")
    [opened] = page["notifications"]
    assert len(opened.pop("id")) == 32
    assert opened == {
        "message_id": write_id(mail),
        "subject": "Hi",
        "kind": "open",
        "verdict": "person",
        "recipient": "cy@example.net",
        "count": 1,
        "first_at": "2023-11-14T22:15:20.000Z",
        "last_at": "2023-11-14T22:15:20.000Z",
        "read_at": None,
    }
    assert page["next"] is None


async def test_they_are_marked_as_read(site: Site, ana: Sender, program: Program) -> None:
    for _ in range(3):
        await site.hit(ana, await site.add_mail(ana), "open")
    newest = (await program.read("/notifications"))["notifications"][0]
    marked = {"ids": [newest["id"]]}
    left = await program.read("/notifications/read", method="POST", json=marked)
    assert left == {"unread": 2}
    page = await program.read("/notifications?unread=true")
    assert newest["id"] not in {each["id"] for each in page["notifications"]}
    assert len(page["notifications"]) == 2
    assert await program.read("/notifications/read", method="POST", json={}) == {"unread": 0}
    page = await program.read("/notifications")
    assert all(each["read_at"] for each in page["notifications"])


async def test_ids_and_cursors_are_ones_own(
    site: Site, ana: Sender, eve: Sender, program: Program, give_key
) -> None:
    for _ in range(2):
        await site.hit(eve, await site.add_mail(eve), "open")
    page = await (await give_key(eve)).read("/notifications?limit=1")
    foreign = {"ids": [page["notifications"][0]["id"]]}
    answer = await program.ask("/notifications/read", method="POST", json=foreign)
    assert answer.status == 422
    assert "no notification of yours" in answer.json["detail"]
    answer = await program.ask(f"/notifications?cursor={page['next']}")
    assert answer.status == 422
    own = {"ids": [page["next"]]}  # a cursor is no id, either
    assert (await program.ask("/notifications/read", method="POST", json=own)).status == 422


@pytest.mark.parametrize("body", [{"ids": "x"}, {"ids": ["short"]}, {"all": True}, {"ids": None}])
async def test_what_cannot_be_marked(program: Program, body: dict) -> None:
    answer = await program.ask("/notifications/read", method="POST", json=body)
    assert answer.status == 400


async def test_a_key_that_only_reads_marks_nothing(ana: Sender, give_key) -> None:
    reader = await give_key(ana)
    assert (await reader.ask("/notifications")).status == 200
    assert (await reader.ask("/notifications/read", method="POST", json={})).status == 403
