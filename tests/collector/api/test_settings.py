"""A sender's toggles, read and changed by programs."""

from programs import Program
from sites import Site

from collector.senders import Sender


async def test_what_is_given_is_set(site: Site, ana: Sender, program: Program) -> None:
    before = await program.read("/settings")
    assert before == {
        "login": "ana@example.com",
        "opens": True,
        "clicks": True,
        "sticky": True,
        "per_recipient": False,
    }
    change = {"clicks": False, "per_recipient": True}
    after = await program.read("/settings", method="PATCH", json=change)
    assert after == before | change
    assert await program.read("/settings") == after
    known = await site.senders.find("ana@example.com")
    assert known
    assert (known.opens, known.clicks, known.per_recipient) == (True, False, True)


async def test_nothing_given_is_nothing_changed(program: Program) -> None:
    assert await program.read("/settings", method="PATCH", json={}) == await program.read(
        "/settings"
    )


async def test_a_sender_who_is_removed_meanwhile(
    site: Site, ana: Sender, program: Program, monkeypatch
) -> None:
    async def current(sender_id: int) -> Sender:
        return ana  # as it was a moment ago

    await program.read("/settings")
    monkeypatch.setattr(site.senders, "current", current)
    await site.senders.remove(ana.id)
    assert (await program.ask("/settings", method="PATCH", json={"opens": True})).status == 401
