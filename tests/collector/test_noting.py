"""What is news to a sender is noted with the hit that is, once, and never for hits that are not
believed."""

from collections.abc import Callable
from functools import partial

import pytest
from hits import make_hit
from sqlalchemy import delete, select, update

from collector import noting
from collector.consent import Mode
from collector.erasing import erase, stop
from collector.hits import Hit, HitMessage, Kept, store_hits
from collector.rejudge import rejudge
from collector.schema import hit, notification, sender
from collector.signs import our_signs
from collector.store import Sent, Store
from collector.verdict import Verdict

PERSON = Verdict("person", "browser", 0.7)
PROXY = Verdict("proxy", "google-proxy", 0.9)
SCANNER = Verdict("scanner", "safe-links", 0.9)
SELF = Verdict("self", "self-session", 0.9)
BURST = Verdict("scanner", "burst", 0.8)

Judge = Callable[[Hit, HitMessage], Verdict]


def click(message_id: int, at_ms: int = 5_000, **changes: object) -> Hit:
    return make_hit(message_id, at_ms, **{"kind": "click", "link": 0, **changes})


@pytest.fixture
def keep(store: Store) -> Callable[..., object]:
    """`await keep(hit, …, judge=PERSON)` stores hits that are all judged like that."""

    async def run(
        *hits: Hit, judge: Verdict | Judge = PERSON, consent: Mode = "unless-refused"
    ) -> Kept:
        decide = judge if callable(judge) else lambda hit, message: judge
        return await store.write(partial(store_hits, hits=hits, judge=decide, consent=consent))

    return run


@pytest.fixture
def send(store: Store, make_sent: Callable[..., Sent]) -> Callable[..., object]:
    async def run(**changes: object) -> int:
        sent = make_sent(**changes)
        await store.record_sent(sent)
        return sent.message_id

    return run


@pytest.fixture
async def message_id(send: Callable) -> int:
    return await send()


@pytest.fixture
async def copies(send: Callable) -> int:
    """A message of which each recipient has a copy of their own."""
    return await send(recipients=("ben@example.net", "cy@example.net"), per_recipient=True)


@pytest.fixture
def wish(store: Store) -> Callable[..., object]:
    async def run(notify: str) -> None:
        await store.change(update(sender).values(notify=notify), {})

    return run


async def notes(store: Store) -> list[tuple[object, ...]]:
    """Kind, recipient, verdict, count, first, last of each, oldest first."""
    some = ("kind", "recipient", "verdict", "count", "first_ms", "last_ms")
    rows = await store.read(select(*(notification.c[name] for name in some)).order_by("id"))
    return [tuple(row) for row in rows]


async def test_a_first_open_and_a_first_click_are_news(
    store: Store, sender_id: int, message_id: int, keep: Callable
) -> None:
    kept = await keep(make_hit(message_id, 1_000), judge=PROXY)
    assert [each.sender_id for each in kept.noted] == [sender_id]
    await keep(click(message_id, 2_000))
    assert await notes(store) == [
        ("open", 0, "proxy", 1, 1_000, 1_000),
        ("click", 0, "person", 1, 2_000, 2_000),
    ]


async def test_later_ones_are_none(store: Store, message_id: int, keep: Callable) -> None:
    await keep(make_hit(message_id, 1_000), make_hit(message_id, 1_500))
    assert (await keep(make_hit(message_id, 2_000), make_hit(message_id, 3_000))).noted == []
    assert await notes(store) == [("open", 0, "person", 1, 1_000, 1_000)]


@pytest.mark.parametrize("verdict", [SCANNER, SELF, BURST])
async def test_what_is_not_believed_is_no_news(
    store: Store, message_id: int, keep: Callable, verdict: Verdict
) -> None:
    await keep(make_hit(message_id), click(message_id), judge=verdict)
    assert await notes(store) == []
    await keep(make_hit(message_id, 6_000))  # the first that is
    assert await notes(store) == [("open", 0, "person", 1, 6_000, 6_000)]


async def test_each_copy_has_its_first(store: Store, copies: int, keep: Callable) -> None:
    await keep(make_hit(copies, 1_000, recipient=2))
    await keep(make_hit(copies, 2_000, recipient=1), make_hit(copies, 2_100, recipient=2))
    await keep(make_hit(copies, 3_000, recipient=1), click(copies, 3_000, recipient=2))
    assert await notes(store) == [
        ("open", 2, "person", 1, 1_000, 1_000),
        ("open", 1, "person", 1, 2_000, 2_000),
        ("click", 2, "person", 1, 3_000, 3_000),
    ]


async def test_a_first_is_the_first_however_many_notes_have_gone(
    store: Store, copies: int, keep: Callable
) -> None:
    await keep(make_hit(copies, 1_000, recipient=1))
    await store.change(delete(notification), {})
    await keep(make_hit(copies, 2_000, recipient=1))
    assert await notes(store) == []


async def test_where_hits_have_aged_out_nobody_knows_a_first(
    store: Store, copies: int, message_id: int, keep: Callable
) -> None:
    await keep(make_hit(copies, 1_000, recipient=1), make_hit(message_id, 1_000))
    await store.change(delete(notification), {})
    await store.change(delete(hit), {})  # as retention.py does
    await keep(make_hit(copies, 2_000, recipient=1), make_hit(message_id, 2_000))
    assert await notes(store) == []


async def test_off_notes_nothing(
    store: Store, message_id: int, copies: int, keep: Callable, wish: Callable
) -> None:
    await wish("off")
    await keep(make_hit(message_id), click(message_id), make_hit(copies, recipient=1))
    assert await notes(store) == []


async def test_all_tells_of_every_hit_folded_while_it_is_unread(
    store: Store, message_id: int, copies: int, keep: Callable, wish: Callable
) -> None:
    await wish("all")
    await keep(make_hit(message_id, 1_000), make_hit(message_id, 1_200), judge=PROXY)
    assert (await keep(make_hit(message_id, 3_000))).noted == []
    await keep(make_hit(copies, 2_000, recipient=1))
    assert await notes(store) == [
        ("open", 0, "proxy", 3, 1_000, 3_000),
        ("open", 1, "person", 1, 2_000, 2_000),
    ]
    await store.change(update(notification).values(read_at_ms=9_000), {})
    await keep(make_hit(message_id, 10_000))
    assert (await notes(store))[2:] == [("open", 0, "person", 1, 10_000, 10_000)]


async def test_a_wish_for_all_goes_on_with_what_is_unread(
    store: Store, message_id: int, keep: Callable, wish: Callable
) -> None:
    await keep(make_hit(message_id, 1_000))
    await wish("all")
    await keep(make_hit(message_id, 2_000))
    assert await notes(store) == [("open", 0, "person", 2, 1_000, 2_000)]


async def test_a_stopped_or_erased_message_is_no_news(
    store: Store, sender_id: int, message_id: int, copies: int, keep: Callable
) -> None:
    await keep(make_hit(copies, 1_000, recipient=1))
    assert await erase(store, sender_id, copies)
    assert await stop(store, sender_id, message_id)
    await keep(make_hit(message_id))
    assert await notes(store) == []


async def test_nobody_is_told_of_whoever_objects(
    store: Store, message_id: int, keep: Callable
) -> None:
    kept = await keep(make_hit(message_id), consent="only-consented")
    assert (kept.withheld, await notes(store)) == (1, [])


async def test_a_burst_takes_its_news_back(store: Store, copies: int, keep: Callable) -> None:
    await keep(click(copies, 1_000, recipient=2))
    await keep(click(copies, 8_500, link=1, recipient=1))
    await keep(
        click(copies, 9_000, link=2, recipient=1),
        click(copies, 9_100, link=3, recipient=1),
        judge=lambda hit, _: BURST if hit.link == 3 else PERSON,
    )
    assert await notes(store) == [("click", 2, "person", 1, 1_000, 1_000)]
    await keep(click(copies, 60_000, recipient=1))
    assert (await notes(store))[1:] == [("click", 1, "person", 1, 60_000, 60_000)]


async def test_what_a_burst_takes_back_at_once_was_never_news(
    store: Store, message_id: int, keep: Callable
) -> None:
    kept = await keep(
        make_hit(message_id, 9_000),
        click(message_id, 9_000, link=1),
        click(message_id, 9_100, link=2),
        click(message_id, 9_200, link=3),
        judge=lambda hit, _: BURST if hit.link == 3 else PERSON,
    )
    assert len(kept.noted) == 1
    assert await notes(store) == [("open", 0, "person", 1, 9_000, 9_000)]


async def test_judging_again_makes_none(store: Store, message_id: int, keep: Callable) -> None:
    unknown = Verdict("unknown", "unrecognised", 0.0)
    mozilla = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    await keep(make_hit(message_id, 10**13, agent=mozilla), judge=unknown)
    told = await rejudge(store, our_signs())
    assert sum(told.hits.values()) == 1
    assert await notes(store) == []


async def test_the_oldest_go(
    store: Store,
    send: Callable,
    add_sender: Callable,
    keep: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(noting, "MAX_KEPT", 3)
    other = await send(sender_id=await add_sender("eve"))
    await keep(make_hit(other, 1))
    for number in range(5):
        await keep(make_hit(await send(), 1_000 + number))
    assert [row[4] for row in await notes(store)] == [1, 1_002, 1_003, 1_004]


async def test_no_id_is_used_twice(store: Store, send: Callable, keep: Callable) -> None:
    [first] = (await keep(make_hit(await send()))).noted
    await store.change(delete(notification), {})
    [second] = (await keep(make_hit(await send()))).noted
    assert second.id > first.id


async def test_they_go_with_their_sender(store: Store, message_id: int, keep: Callable) -> None:
    await keep(make_hit(message_id))
    await store.change(delete(sender), {})
    assert await notes(store) == []
