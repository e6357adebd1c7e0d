"""The list: one's own, narrowed as its address says, a page at a time."""

import re

import pytest
from sites import SENT_MS

from collector.pages import mails
from collector.pages.mails import read_id

ROW = re.compile(r'<li class="mail" id="mail-(\d+)"')


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    return browser


async def text_of(browser, path: str) -> str:
    page = await browser.get(path)
    assert page.status == 200
    return await page.text()


async def subjects(browser, path: str) -> list[str]:
    page = await text_of(browser, path)
    return re.findall(r'<span class="subject">(.*?)</span>', page)


async def test_an_empty_list_says_what_to_do(signed_in) -> None:
    page = await text_of(signed_in, "/")
    assert "No mail yet" in page
    assert "No mail matches" not in page


async def test_lists_newest_first_with_marks_in_words(site, ana, signed_in) -> None:
    older = await site.add_mail(ana, "The older", snippet="Dear Ben, it begins so")
    newer = await site.add_mail(ana, "The newer", ("a@example.net", "b@example.net"))
    await site.hit(ana, older, "open")
    await site.hit(ana, older, "click", link=0, at_ms=SENT_MS + 180_000)
    page = await text_of(signed_in, "/")
    assert page.index("The newer") < page.index("The older")
    first, second = page.split(f'id="mail-{older}"')
    assert f'id="mail-{newer}"' in first
    assert "Not opened yet" in first
    assert 'data-state="hit"' not in first
    assert "a@example.net" in first
    assert "+1" in first
    assert "Opened 2 minutes after it was sent, likely a person" in second
    assert "Link followed 3 minutes after it was sent, likely a person" in second
    assert f'aria-describedby="eye-{older}-tip"' in second
    assert f'id="eye-{older}-tip"' in second
    assert "Dear Ben, it begins so" in second
    assert first.count('class="snippet"') == 0


async def test_narrowed_by_its_address(site, ana, signed_in) -> None:
    opened = await site.add_mail(ana, "The opened", snippet="about oak")
    await site.hit(ana, opened, "open")
    clicked = await site.add_mail(ana, "The clicked", ("zoe@example.org", "Ben@example.net"))
    await site.hit(ana, clicked, "click", link=0)
    await site.add_mail(ana, "Left alone", tracked=False)
    day = "2023-11-14"
    for query, found in {
        "opened=yes": ["The opened"],
        "opened=no": ["The clicked"],
        "clicked=yes": ["The clicked"],
        "tracked=yes": ["The clicked", "The opened"],
        "tracked=no": ["Left alone"],
        "tracked=no&opened=yes": [],
        "to=zoe@example.org": ["The clicked"],
        "to=BEN@EXAMPLE.NET": ["Left alone", "The clicked", "The opened"],
        "to=oe@example.org": [],
        "q=the+zoe": ["The clicked"],
        "q=OAK": ["The opened"],
        "days=30": [],
        f"since={day}&until={day}": ["Left alone", "The clicked", "The opened"],
        "until=2023-11-13": [],
        "since=2023-11-15": [],
    }.items():
        assert await subjects(signed_in, f"/?{query}") == found, query


async def test_what_it_is_narrowed_to_can_be_taken_away(site, ana, signed_in) -> None:
    await site.add_mail(ana, "Oak")
    page = await text_of(signed_in, "/?q=oak&opened=no&to=ben@example.net&days=365")
    assert "No mail matches" in page  # it is older than a year
    assert "No mail yet" not in page
    for address in (
        "/?q=oak&amp;opened=no&amp;to=ben%40example.net",
        "/?q=oak&amp;to=ben%40example.net&amp;days=365",
        "/?opened=no&amp;to=ben%40example.net&amp;days=365",
        "/",
    ):
        assert f'href="{address}"' in page
    assert '<input type="hidden" name="opened" value="no">' in page
    assert 'name="q" id="words" value="oak"' in page
    assert '<option value="365" selected>' in page
    assert "<details open>" in page
    assert (
        'hx-sse:connect="/live?q=oak&amp;opened=no&amp;to=ben%40example.net&amp;days=365&amp;paged=yes"'
        in page
    )


async def test_pages_by_cursor_there_and_back(site, ana, signed_in, monkeypatch) -> None:
    monkeypatch.setattr(mails, "PAGE", 2)
    numbers = range(9)
    ids = [await site.add_mail(ana, f"{'Odd' if n % 2 else 'Even'} {n}") for n in numbers]
    for query, expected in (("", ids[::-1]), ("q=even&", ids[::2][::-1])):
        seen, path, pages = [], f"/?{query}", []
        while path:
            page = await text_of(signed_in, path)
            pages.append([int(each) for each in ROW.findall(page)])
            seen += pages[-1]
            older = re.search(r'href="([^"]+)" rel="next"', page)
            path = older[1].replace("&amp;", "&") if older else None
            assert path is None or path.startswith(f"/?{query}before=")
        assert seen == expected
        for before in pages[-2::-1]:
            newer = re.search(r'href="([^"]+)" rel="prev"', page)
            path = newer[1].replace("&amp;", "&")
            assert path.startswith(f"/?{query}after=")
            page = await text_of(signed_in, path)
            assert len(ROW.findall(page)) == 2
            if before != pages[0]:
                assert f"before={ROW.findall(page)[-1]}" in page
        assert [int(each) for each in ROW.findall(page)] == pages[0]
        assert 'rel="prev"' not in page
    page = await text_of(signed_in, f"/?before={ids[0]}")
    assert "No older mail" in page
    assert f'href="/?after={ids[0] - 1}" rel="prev"' in page


async def test_mail_that_comes_meanwhile_moves_no_page(site, ana, signed_in, monkeypatch) -> None:
    monkeypatch.setattr(mails, "PAGE", 2)
    ids = [await site.add_mail(ana, f"Mail {n}") for n in range(4)]
    await site.add_mail(ana, "Newer")
    page = await text_of(signed_in, f"/?before={ids[2]}")
    assert [int(each) for each in ROW.findall(page)] == [ids[1], ids[0]]
    page = await text_of(signed_in, f"/?after={ids[1]}")
    assert [int(each) for each in ROW.findall(page)] == [ids[3], ids[2]]
    assert f'hx-sse:connect="/live?before={ids[3] + 1}' not in page
    assert re.search(r'hx-sse:connect="/live\?before=\d+&amp;paged=yes"', page)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "9" * 30, "٣", "1e3"])
async def test_a_cursor_that_is_none_is_the_newest_page(site, ana, signed_in, cursor: str) -> None:
    await site.add_mail(ana, "Here")
    for name in ("before", "after"):
        assert "Here" in await text_of(signed_in, f"/?{name}={cursor}")


async def test_nothing_of_another_sender_is_found(site, ana, eve, open_browser) -> None:
    mail = await site.add_mail(ana, "A secret", ("ben@example.net",), snippet="hidden words")
    await site.hit(ana, mail, "open")
    other = await open_browser()
    await other.be(site, eve)
    for query in ("q=secret", "q=hidden", "to=ben@example.net", "opened=yes", f"after={mail - 1}"):
        page = await text_of(other, f"/?{query}")
        assert ROW.findall(page) == []
        assert "A secret" not in page
        assert "ben@example.net</option>" not in page


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("0x1", None),
        ("²", None),
        (None, None),
    ],
)
def test_read_id(text: str | None, number: int | None) -> None:
    assert read_id(text) == number
