"""One mail, and what is said of it in the list: one's own, inert, honest."""

import re

import pytest
from sites import SENT_MS
from sqlalchemy import delete

from collector.pages.rendering import POLICY
from collector.schema import hit
from collector.store import SentLink, Wished

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)' autofocus='",
    "{{ 4201*4201 }}{% raw %}",
    "</template></hx-partial><hx-partial hx-target='body'>gone",
    "javascript:alert(1)",
    "\u202egnp.exe",
]


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    return browser


async def text_of(browser, path: str) -> str:
    page = await browser.get(path)
    assert page.status == 200
    return await page.text()


async def test_one_mail_tells_its_story(site, ana, signed_in) -> None:
    links = (
        SentLink(0, "https://example.com/plans", "See <b>the plans</b>"),
        SentLink(1, "https://example.com/visit", '<img alt="Pick a day">'),
        SentLink(2, "https://example.com/bare", ""),
    )
    mail = await site.add_mail(ana, "Quote", links=links)
    await site.deliver(ana, mail, "250 2.0.0 Ok: queued as 4F1C8A", "delivered")
    early = SENT_MS + 900
    await site.hit(ana, mail, "open", verdict="prefetch", rule="apple-prefetch", at_ms=early)
    await site.hit(ana, mail, "open")
    await site.hit(ana, mail, "click", link=1, at_ms=SENT_MS + 180_000)
    page = await text_of(signed_in, f"/mail/{mail}")
    for words in (
        "Delivered",
        "250 2.0.0 Ok: queued as 4F1C8A",
        "Loaded by Apple&#39;s privacy proxy",
        "may be no one",
        "Apple Mail&#39;s privacy proxy loads everything, read or not",
        "Opened",
        "likely a person",
        "2 minutes after it was sent",
        "Link followed: “Pick a day”",
        "See the plans",
        "https://example.com/visit",
        "1 click",
        "example.com",
    ):
        assert words in page
    assert "Left as it was" not in page


async def test_a_copy_for_each_says_who(site, ana, signed_in) -> None:
    people = ("ben@example.net", "eve@example.org", "zoe@example.org")
    mail = await site.add_mail(ana, recipients=people, per_recipient=True)
    for second in (60, 120):
        await site.hit(ana, mail, "open", recipient=2, at_ms=SENT_MS + second * 1000)
    await site.hit(ana, mail, "click", recipient=2, link=0)
    await site.hit(ana, mail, "open", recipient=3, verdict="scanner")
    page = await text_of(signed_in, f"/mail/{mail}")
    assert "Copy of eve@example.org" in page
    minute = "14 Nov 2023, 22:1{} UTC"
    first, last = minute.format(4), minute.format(5)
    assert recipients_of(page) == [
        (people[0], "not yet"),
        (people[1], f"opened twice, {first}, last {last} link followed once, {last}"),
        (people[2], "not yet; once by machines"),
    ]
    assert f'href="/mail/{mail}?recipient=2"' in page
    assert f'href="/mail/{mail}?recipient=1"' not in page  # there is nothing to see
    alone = await text_of(signed_in, f"/mail/{mail}?recipient=3")
    assert "Only the copy of zoe@example.org." in alone
    assert "Loaded by a security scanner" in alone
    assert '<p class="what">Opened' not in alone
    assert f'hx-sse:connect="/live/{mail}?recipient=3"' in alone
    assert "likely eve@example.org" in await text_of(signed_in, "/")


def recipients_of(page: str) -> list[tuple[str, str]]:
    """Each recipient on a mail's page, and what is said of them, without its tags."""
    section = page.partition("recipients-title")[2].partition("</section>")[0]
    found = re.findall(r'label">(\S+@\S+)</span>.*?"clicks">(.*?)(?:<a|</li>)', section, re.DOTALL)
    return [
        (who, " ".join(re.sub(r"<[^>]+>", " ", done).split()).replace(" ,", ","))
        for who, done in found
    ]


async def test_links_say_what_machines_fetched(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    for verdict in ("person", "person", "scanner"):
        await site.hit(ana, mail, "click", link=0, verdict=verdict)
    assert "2 clicks; 1 more by machines" in await text_of(signed_in, f"/mail/{mail}")


async def test_a_shared_copy_says_how_many_and_why(site, ana, signed_in) -> None:
    people = ("ben@example.net", "eve@example.org")
    mail = await site.add_mail(ana, recipients=people, shared_reason="too large for 2 copies")
    await site.hit(ana, mail, "open")
    page = await text_of(signed_in, f"/mail/{mail}")
    assert "One of 2 recipients" in page
    why = "They share one copy, so who opened it is not known: it is too large for 2 copies."
    assert why in page
    assert all(each in page for each in people)
    assert "Only the copy of" not in await text_of(signed_in, f"/mail/{mail}?recipient=1")
    assert "likely one of 2 recipients" in await text_of(signed_in, "/")


async def test_what_was_left_alone_says_why(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana, tracked=False, reason="no HTML part")
    page = await text_of(signed_in, f"/mail/{mail}")
    why = "it has no HTML, and plain text is sent as it is"
    assert f"Nothing of this mail is tracked: {why}." in page
    assert "Opens not tracked" in page


async def test_each_link_that_was_left_alone_says_why(site, ana, signed_in) -> None:
    skipped = (("opt-out", 2, "shop.example"), ("scheme", 1, "mailto:"), ("own pixel", 1, "x.org"))
    mail = await site.add_mail(ana, skipped=skipped)
    page = await text_of(signed_in, f"/mail/{mail}")
    section = page.partition("left-title")[2].partition("</section>")[0]
    told = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    assert told.endswith(
        "Left as it was The pixel there is one in it already"
        " shop.example is marked as one not to track 2 links"
        " Mail address only web addresses can be tracked 1 link"
    )


async def test_who_decided_is_told(site, ana, signed_in) -> None:
    wished = Wished(True, False, "header", "login")
    mail = await site.add_mail(ana, wished=wished)
    page = await text_of(signed_in, f"/mail/{mail}")
    for words in (
        "Opens are tracked",
        "by a header in the mail itself",
        "Links are not tracked",
        "by the word behind your login",
    ):
        assert words in page
    hindered = await site.add_mail(ana, wished=wished, tracked=False)
    assert "but no pixel could be put in" in await text_of(signed_in, f"/mail/{hindered}")
    silent = await site.add_mail(ana)
    assert "by your settings" not in await text_of(signed_in, f"/mail/{silent}")


async def test_a_burst_is_one_line_and_a_long_story_is_short(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    for second in range(6):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + second * 9_000)
    page = await text_of(signed_in, f"/mail/{mail}")
    assert page.count('<p class="what">Opened</p>') == 1
    assert "6 times within a minute" in page
    for hour in range(1, 40):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + hour * 3_600_000)
    page = await text_of(signed_in, f"/mail/{mail}")
    assert page.count('<p class="what">Opened</p>') == 17
    [(number, address)] = re.findall(
        r'(\d+) more hits in between · <a href="([^"]+)">Show all</a>', page
    )
    path, _, key = address.partition("#")
    assert (number, path) == ("23", f"/mail/{mail}?all")
    whole = await text_of(signed_in, path)
    assert whole.count('<p class="what">Opened</p>') == 40
    assert f'id="{key}"' in whole
    assert "in between" not in whole
    assert f'hx-sse:connect="/live/{mail}?all"' in whole


@pytest.mark.parametrize("query", ["recipient=x", "recipient=-1", "recipient=9", "recipient=٣"])
async def test_a_copy_that_is_none_is_everybodys(site, ana, signed_in, query: str) -> None:
    mail = await site.add_mail(ana, recipients=("a@x.org", "b@x.org"), per_recipient=True)
    await site.hit(ana, mail, "open", recipient=1)
    page = await text_of(signed_in, f"/mail/{mail}?{query}")
    assert '<p class="what">Opened</p>' in page
    assert "Only the copy of" not in page


async def test_a_refusal_is_told_in_the_servers_words(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    await site.deliver(ana, mail, "550 5.1.1 <ben@example.net>: no such user", "refused")
    assert "550 5.1.1 &lt;ben@example.net&gt;: no such user" in await text_of(
        signed_in, f"/mail/{mail}"
    )
    assert "Refused" in await text_of(signed_in, "/")


async def test_another_senders_mail_is_not_there(site, ana, eve, open_browser) -> None:
    mail = await site.add_mail(ana, "A secret of Ana's")
    other = await open_browser()
    await other.be(site, eve)
    assert "secret" not in await text_of(other, "/")
    assert "secret" not in await text_of(other, f"/?before={mail + 1}")
    theirs, nobodys = await other.get(f"/mail/{mail}"), await other.get(f"/mail/{mail + 1}")
    assert (theirs.status, nobodys.status) == (404, 404)
    assert await theirs.text() == await nobodys.text()


async def test_a_mail_can_be_stopped(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    page = await text_of(signed_in, f"/mail/{mail}")
    assert f'action="/mail/{mail}/stop"' in page
    assert f"<code>{mail:x}</code>" in page
    answer = await signed_in.post(f"/mail/{mail}/stop", {})
    assert (answer.status, answer.headers["Location"]) == (303, f"/mail/{mail}")
    await site.hit(ana, mail, "open")
    page = await text_of(signed_in, f"/mail/{mail}")
    for words in ("Its tracking is stopped.", "Tracking stopped", "Opens no longer tracked"):
        assert words in page
    assert "/stop" not in page
    assert "Opened" not in page
    assert "Links no longer tracked" in await text_of(signed_in, "/")


async def test_a_mail_can_be_erased(site, ana, signed_in) -> None:
    mail, other = await site.add_mail(ana, "Goes"), await site.add_mail(ana, "Stays")
    await text_of(signed_in, f"/mail/{mail}")
    answer = await signed_in.post(f"/mail/{mail}/erase", {})
    assert (answer.status, answer.headers["Location"]) == (303, "/?erased")
    page = await text_of(signed_in, "/?erased")
    assert "The mail is erased." in page
    assert "Goes" not in page
    assert (await signed_in.get(f"/mail/{mail}")).status == 404
    assert (await signed_in.post(f"/mail/{mail}/erase", {})).status == 404
    assert "Stays" in await text_of(signed_in, f"/mail/{other}")


@pytest.mark.parametrize("what", ["stop", "erase"])
async def test_another_senders_mail_is_out_of_reach(
    site, ana, eve, signed_in, open_browser, what: str
) -> None:
    mail = await site.add_mail(ana, "Ana's own")
    other = await open_browser()
    await other.be(site, eve)
    await other.get("/")
    theirs = await other.post(f"/mail/{mail}/{what}", {})
    nobodys = await other.post(f"/mail/{mail + 1}/{what}", {})
    assert (theirs.status, nobodys.status) == (404, 404)
    assert await theirs.text() == await nobodys.text()
    assert (await other.post(f"/mail/{'9' * 40}/{what}", {})).status == 404
    page = await text_of(signed_in, f"/mail/{mail}")
    assert "Its tracking is stopped" not in page


@pytest.mark.parametrize("what", ["stop", "erase"])
async def test_only_our_own_form_does_it(site, ana, signed_in, what: str) -> None:
    mail = await site.add_mail(ana)
    await text_of(signed_in, f"/mail/{mail}")
    for fields, headers in (({"form_token": "0" * 32}, {}), ({}, {"Sec-Fetch-Site": "cross-site"})):
        assert (await signed_in.post(f"/mail/{mail}/{what}", fields, headers)).status == 403
    assert (await signed_in.get(f"/mail/{mail}/{what}")).status == 405
    assert "/stop" in await text_of(signed_in, f"/mail/{mail}")


async def test_hits_that_are_not_kept_are_told_as_such(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open")
    await site.hit(ana, mail, "click", link=0)
    assert "no longer kept" not in await text_of(signed_in, f"/mail/{mail}")
    await site.store.change(delete(hit), {})
    page = await text_of(signed_in, f"/mail/{mail}")
    assert "Older hits are counted, but no longer kept." in page
    assert ">not kept<" in page
    assert "not yet" not in page


@pytest.mark.parametrize("path", ["/mail/0", "/mail/9223372036854775808", "/mail/" + "9" * 40])
async def test_ids_that_cannot_be_are_not_there(signed_in, path: str) -> None:
    assert (await signed_in.get(path)).status == 404


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_others_wrote_stays_inert(site, ana, signed_in, hostile: str) -> None:
    links = (SentLink(0, f"https://example.com/?{hostile}", f"<p>{hostile}</p>"),)
    mail = await site.add_mail(ana, hostile, (f"{hostile}@example.net",), links)
    await site.deliver(ana, mail, hostile, "delivered")
    await site.hit(ana, mail, "open", agent=hostile)
    for path in ("/", f"/mail/{mail}"):
        page = await text_of(signed_in, path)
        for dangerous in (
            "<script>alert",
            "<img src=x",
            "onfocus='alert",
            "<hx-partial",
            "17648401",
        ):
            assert dangerous not in page


@pytest.mark.parametrize("path", ["/", "/settings", "/mail/1", "/sign-in"])
async def test_every_page_is_under_the_policy(signed_in, open_browser, path: str) -> None:
    browser = await open_browser() if path == "/sign-in" else signed_in
    page = await browser.get(path)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert all(each in policy for each in POLICY)
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    text = await page.text()
    assert " style=" not in text
    assert "<style" not in text
    assert " onclick=" not in text
