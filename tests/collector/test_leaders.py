"""Which mails and links led, by believed hits alone, within their time, of one sender."""

from functools import partial
from itertools import count

import pytest
from sites import SENT_MS, Site, open_site

from collector import leaders, passwords
from collector.leaders import read_leaders, read_leading_links
from collector.senders import Sender
from collector.store import SentLink

DAY_MS = 86_400_000
TWO = (
    SentLink(0, "https://example.com/plans", "<b>Plans</b>"),
    SentLink(1, "https://example.com/visit", "Visit"),
)


@pytest.fixture
async def site(tmp_path, monkeypatch):
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    async with open_site(tmp_path) as opened:
        yield opened


@pytest.fixture
async def ana(site: Site) -> Sender:
    return await site.senders.add("ana@example.com", "secret", ["ana@example.com"])


@pytest.fixture
def links(site: Site, ana: Sender):
    """`await links(5)`: target and clicks of the first five."""

    async def read(limit: int, sender: Sender = ana) -> list[tuple[str, int]]:
        found = await read_leading_links(
            site.store,
            sender.id,
            since_ms=SENT_MS - DAY_MS,
            until_ms=SENT_MS + DAY_MS,
            limit=limit,
        )
        return [(each.target, each.count) for each in found]

    return read


async def click(site: Site, ana: Sender, mail: int, link: int, times: int, **how: str) -> None:
    for _ in range(times):
        await site.hit(ana, mail, "click", link=link, **how)


async def test_links_by_believed_clicks(site: Site, ana: Sender, links) -> None:
    first = await site.add_mail(ana, "First", links=TWO)
    second = await site.add_mail(ana, "Second", links=TWO)
    await click(site, ana, first, 1, 3)
    await click(site, ana, first, 0, 9, verdict="scanner", rule="safe-links")
    await click(site, ana, second, 0, 2, verdict="proxy")
    await click(site, ana, second, 1, 2)
    await site.hit(ana, second, "open")
    assert await links(5) == [
        ("https://example.com/visit", 3),
        ("https://example.com/plans", 2),
        ("https://example.com/visit", 2),
    ]
    assert await links(1) == [("https://example.com/visit", 3)]


async def test_a_mail_of_many_links_does_not_hide_one_of_few(
    site: Site, ana: Sender, links, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mails are looked at by their clicks, links ranked by their own."""
    monkeypatch.setattr(leaders, "AT_ONCE", 1)
    numbers = count()
    wide = tuple(SentLink(number, f"https://example.com/{number}", "") for number in range(6))
    many = await site.add_mail(ana, "Many links", links=wide)
    for number in range(6):
        await click(site, ana, many, number, 2)
    for times in (1, 3, 5):
        alone = SentLink(0, f"https://example.com/alone/{next(numbers)}", "")
        await click(site, ana, await site.add_mail(ana, "One link", links=(alone,)), 0, times)
    assert await links(2) == [
        ("https://example.com/alone/2", 5),
        ("https://example.com/alone/1", 3),
    ]


async def test_the_rest_is_not_counted(
    site: Site, ana: Sender, links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "AT_ONCE", 1)
    for times in (1, 2, 3):
        mail = await site.add_mail(ana, "One link", links=TWO[:1])
        await click(site, ana, mail, 0, times)
    asked = []
    counting = leaders._count_links

    async def count_links(store, ids):
        asked.extend(ids)
        return await counting(store, ids)

    monkeypatch.setattr(leaders, "_count_links", count_links)
    assert await links(1) == [("https://example.com/plans", 3)]
    assert asked == [mail]


async def test_mails_by_believed_opens(site: Site, ana: Sender) -> None:
    read = partial(
        read_leaders,
        site.store,
        ana.id,
        kind="open",
        since_ms=SENT_MS,
        until_ms=SENT_MS + DAY_MS,
    )
    await site.add_mail(ana, "Never opened")
    machines = await site.add_mail(ana, "By machines")
    await site.hit(ana, machines, "open", verdict="prefetch", rule="apple-prefetch")
    earlier = await site.add_mail(ana, "Earlier", at_ms=SENT_MS - 2 * DAY_MS)
    await site.hit(ana, earlier, "open")
    for subject, times in (("Once", 1), ("Twice", 2), ("Once more", 1)):
        mail = await site.add_mail(ana, subject, ("ben@example.net", "cy@example.net"))
        for _ in range(times):
            await site.hit(ana, mail, "open")
    found = await read(limit=5)
    assert [(each.subject, each.count) for each in found] == [
        ("Twice", 2),
        ("Once more", 1),
        ("Once", 1),
    ]
    assert found[0].recipients == ("ben@example.net", "cy@example.net")
    assert [each.subject for each in await read(limit=1)] == ["Twice"]


async def test_nothing_of_another_sender(site: Site, ana: Sender, links) -> None:
    eve = await site.senders.add("eve@example.com", "secret", ["eve@example.com"])
    mail = await site.add_mail(eve, "Hers")
    await click(site, eve, mail, 0, 5)
    assert await links(5) == []
    assert await links(5, eve) == [("https://example.com/plans", 5)]
