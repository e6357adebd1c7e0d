"""The overview: what a period shows, in words and numbers, of one sender's mail alone."""

import re
import time

import pytest
from sites import Site

from collector.pages.overview import SPANS
from collector.senders import Sender
from collector.store import SentLink

DAY_MS = 86_400_000


@pytest.fixture
def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    return browser


async def rows(browser, path: str) -> list[list[str]]:
    """The table's lines, as text."""
    page = await (await browser.get(path)).text()
    body = re.search(r"<tbody>(.*)</tbody>", page, re.DOTALL)[1]
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]


async def send(site: Site, sender: Sender, at_ms: int, subject: str = "Hello") -> int:
    link = SentLink(0, "https://example.com/plans?of=42", "The <b>plans</b>")
    mail = await site.add_mail(sender, subject, links=(link,), at_ms=at_ms)
    await site.hit(sender, mail, "open", at_ms=at_ms + 1000)
    await site.hit(sender, mail, "click", at_ms=at_ms + 2000, link=0)
    return mail


async def test_an_empty_time_says_so(signed_in) -> None:
    answer = await signed_in.get("/overview")
    page = await answer.text()
    assert answer.status == 200
    assert "Nothing sent in this time" in page
    assert 'href="/overview?period=52w"' in page
    assert "<table" not in page


async def test_figures_rates_and_what_led(site, ana, signed_in, now) -> None:
    mail = await send(site, ana, now, "Your quote")
    other = await site.add_mail(ana, "Nobody's", at_ms=now)
    await site.hit(ana, other, "open", verdict="scanner", rule="safe-links")
    await site.add_mail(ana, "Plain", at_ms=now, tracked=False)
    page = await (await signed_in.get("/overview")).text()
    found = await rows(signed_in, "/overview")
    assert len(found) == 30
    assert found[0][1:] == ["3", "1", "1", "1", "0"]
    assert found[1][1:] == ["0", "0", "0", "0", "0"]
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "Sent 3 2 of them tracked" in text
    assert "Opened 50% 1 of 2 mails whose opens are tracked 100% if machines counted" in text
    assert "Link followed 50% 1 of 2 mails whose links are tracked" in text
    assert "The plans https://example.com/plans?of=42 Your quote 1 click" in text
    assert f'href="/mail/{mail}">Your quote</a>' in page
    assert "1 open" in text


@pytest.mark.parametrize(("key", "lines"), [(k, span.count) for k, span in SPANS.items()])
async def test_each_period_has_its_own_address(site, ana, signed_in, now, key, lines) -> None:
    await send(site, ana, now)
    path = f"/overview?period={key}"
    page = await (await signed_in.get(path)).text()
    assert f'href="{path}" aria-current="true"' in page
    assert page.count('aria-current="true"') == 1
    assert len(await rows(signed_in, path)) == lines


async def test_what_is_older_is_in_longer_periods_alone(site, ana, signed_in, now) -> None:
    await send(site, ana, now - 40 * DAY_MS)
    for key, sent in {"7d": 0, "30d": 0, "90d": 1, "12w": 1, "52w": 1}.items():
        page = await (await signed_in.get(f"/overview?period={key}")).text()
        assert ("Nothing sent" in page) is not bool(sent), key
        if sent:
            found = await rows(signed_in, f"/overview?period={key}")
            assert sum(int(line[1]) for line in found) == 1


@pytest.mark.parametrize("query", ["period=", "period=1000d", "period=%00", "period=7d&period=90d"])
async def test_any_other_period_is_one_of_these(site, ana, signed_in, now, query) -> None:
    await send(site, ana, now)
    answer = await signed_in.get(f"/overview?{query}")
    assert answer.status == 200
    assert len(await rows(signed_in, f"/overview?{query}")) in {7, 30}


async def test_untracked_mail_has_no_rate(site, ana, signed_in, now) -> None:
    await site.add_mail(ana, at_ms=now, tracked=False)
    page = await (await signed_in.get("/overview")).text()
    assert "no mail whose opens are tracked" in page
    assert "no mail whose links are tracked" in page
    assert "none of them tracked" in page
    assert "No link has been followed" in page


async def test_nothing_of_another_sender(site, ana, eve, signed_in, now) -> None:
    await send(site, ana, now, "My own")
    await send(site, eve, now, "Her secret")
    page = await (await signed_in.get("/overview")).text()
    assert "My own" in page
    assert "Her secret" not in page
    assert (await rows(signed_in, "/overview"))[0][1] == "1"


async def test_what_others_wrote_is_text(site, ana, signed_in, now) -> None:
    hostile = "<script>alert(1)</script>"
    link = SentLink(0, "https://example.com/?q=<script>", hostile)
    mail = await site.add_mail(ana, hostile, (f'"{hostile}"@example.net',), (link,), at_ms=now)
    await site.hit(ana, mail, "open")
    await site.hit(ana, mail, "click", link=0)
    page = await (await signed_in.get("/overview")).text()
    assert page.count("&lt;script&gt;") >= 4
    assert "<script>" not in page


async def test_signed_out_one_signs_in_first_and_comes_back(ana, browser) -> None:
    answer = await browser.get("/overview?period=7d")
    there = answer.headers["Location"]
    assert (answer.status, there) == (303, "/sign-in?next=/overview?period%3D7d")
    page = await (await browser.get(there)).text()
    form = re.search(r'action="(/sign-in[^"]+)"', page)[1]
    answer = await browser.post(form, {"login": ana.login, "password": "the right one"})
    assert (answer.status, answer.headers["Location"]) == (303, "/overview?period=7d")


async def test_the_policy_holds_for_chart_and_styles(site, ana, signed_in, now) -> None:
    await send(site, ana, now)
    answer = await signed_in.get("/overview")
    page = await answer.text()
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page)
    for name in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert (await signed_in.get(name)).status == 200
