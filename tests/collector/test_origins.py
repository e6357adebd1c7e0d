"""Which mail has set a toggle; what is left of that once the toggle, or the mail, is another."""

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import text

from collector.erasing import erase
from collector.forgetting import forget
from collector.origins import Choice, find_origins
from collector.person import Person
from collector.senders import Sender, SenderError, Senders
from collector.store import Sent, Store

NO_OPENS = Choice("opens", False, "X-Track-Opens")
NO_CLICKS = Choice("clicks", False, "no-links@letterbell.invalid")


@pytest.fixture
async def senders(store: Store) -> AsyncIterator[Senders]:
    opened = Senders(store)
    yield opened
    opened.close()


@pytest.fixture
async def ana(senders: Senders, sender_id: int) -> Sender:
    found = await senders.current(sender_id)
    assert found
    return found


@pytest.fixture
async def offer(store: Store, make_sent: Callable[..., Sent]) -> Sent:
    sent = make_sent(subject="Offer for June", recipients=("ben@example.net", "eve@example.net"))
    await store.record_sent(sent)
    return sent


async def test_the_mail_that_did_it(
    store: Store, senders: Senders, ana: Sender, offer: Sent
) -> None:
    await senders.stick(ana.id, [NO_OPENS, NO_CLICKS], message_id=offer.message_id)
    now = await senders.current(ana.id)
    assert now
    assert (now.opens, now.clicks) == (False, False)
    origins = await find_origins(store, ana.id)
    assert {name: (each.said_by, each.subject) for name, each in origins.items()} == {
        "opens": ("X-Track-Opens", "Offer for June"),
        "clicks": ("no-links@letterbell.invalid", "Offer for June"),
    }
    assert origins["opens"].message_id == offer.message_id


async def test_a_mail_that_is_not_on_record(store: Store, senders: Senders, ana: Sender) -> None:
    await senders.stick(ana.id, [NO_OPENS], message_id=7)
    origin = (await find_origins(store, ana.id))["opens"]
    assert (origin.message_id, origin.subject) == (None, None)


async def test_what_changes_nothing_is_not_noted(
    store: Store, senders: Senders, ana: Sender, offer: Sent
) -> None:
    await senders.set_tracking(ana.id, opens=False)
    await senders.stick(ana.id, [NO_OPENS], message_id=offer.message_id)
    assert await find_origins(store, ana.id) == {}


async def test_set_by_hand_it_is_the_mails_no_more(
    store: Store, senders: Senders, ana: Sender, offer: Sent
) -> None:
    await senders.stick(ana.id, [NO_OPENS, NO_CLICKS], message_id=offer.message_id)
    await senders.set_tracking(ana.id, opens=False, clicks=True, sticky=False)
    assert list(await find_origins(store, ana.id)) == ["opens"]  # that was so already


async def test_it_is_taken_back_once(
    store: Store, senders: Senders, ana: Sender, offer: Sent
) -> None:
    await senders.stick(ana.id, [NO_OPENS, NO_CLICKS], message_id=offer.message_id)
    for _ in range(2):
        await senders.unstick(ana.id, "opens")
        now = await senders.current(ana.id)
        assert now
        assert (now.opens, now.clicks) == (True, False)
        assert list(await find_origins(store, ana.id)) == ["clicks"]


async def test_a_later_mail_takes_its_place(
    store: Store, senders: Senders, ana: Sender, offer: Sent, make_sent: Callable[..., Sent]
) -> None:
    later = make_sent(subject="Later")
    await store.record_sent(later)
    await senders.stick(ana.id, [NO_OPENS], message_id=offer.message_id)
    await senders.stick(ana.id, [Choice("opens", True, "X-Track")], message_id=later.message_id)
    origin = (await find_origins(store, ana.id))["opens"]
    assert (origin.subject, origin.said_by) == ("Later", "X-Track")
    await senders.unstick(ana.id, "opens")
    now = await senders.current(ana.id)
    assert now
    assert not now.opens


async def test_an_erased_mail_leaves_nothing_but_that_there_was_one(
    store: Store, senders: Senders, ana: Sender, offer: Sent
) -> None:
    await senders.stick(ana.id, [NO_OPENS], message_id=offer.message_id)
    assert await erase(store, ana.id, offer.message_id)
    origin = (await find_origins(store, ana.id))["opens"]
    assert (origin.message_id, origin.subject, origin.said_by) == (None, None, "X-Track-Opens")
    [row] = await store.read(text("SELECT message_id FROM toggle_origin"))
    assert row.message_id is None


async def test_who_is_forgotten_is_not_in_the_subject_either(
    store: Store, senders: Senders, ana: Sender, make_sent: Callable[..., Sent]
) -> None:
    sent = make_sent(subject="For ben@example.net", recipients=("ben@example.net", "eve@x.org"))
    await store.record_sent(sent)
    await senders.stick(ana.id, [NO_OPENS], message_id=sent.message_id)
    await forget(store, Person("ben@example.net"))
    origin = (await find_origins(store, ana.id))["opens"]
    assert origin.subject
    assert "ben" not in origin.subject


async def test_anothers_mail_is_not_named(
    store: Store, senders: Senders, ana: Sender, add_sender, offer: Sent
) -> None:
    eve = await add_sender("eve")
    await senders.stick(eve, [NO_OPENS], message_id=offer.message_id)
    assert (await find_origins(store, eve))["opens"].subject is None
    assert await find_origins(store, ana.id) == {}


async def test_who_is_gone_is_said_and_leaves_nothing(
    store: Store, senders: Senders, ana: Sender, offer: Sent
) -> None:
    await senders.stick(ana.id, [NO_OPENS], message_id=offer.message_id)
    await senders.remove(ana.id)
    assert await store.read(text("SELECT * FROM toggle_origin")) == []
    with pytest.raises(SenderError, match="there is no sender"):
        await senders.stick(ana.id, [NO_OPENS], message_id=1)
