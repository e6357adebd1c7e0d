"""The bell's page and popover: what is told, in which words, and how it is read."""

import pytest
from sites import SENT_MS

from collector.folding import FOLD_MS
from collector.pages import bell

BEN, CY = "ben@example.net", "cy@example.net"
UNREAD = 'class="note unread"'


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    return browser


async def text(browser, path: str) -> str:
    response = await browser.get(path)
    assert response.status == 200
    return await response.text()


async def test_a_first_page_is_empty(signed_in) -> None:
    page = await text(signed_in, "/bell")
    assert "No notifications yet" in page
    assert "Mark all as read" not in page
    assert 'aria-label="Notifications"' in page
    assert "<title>Notifications · Letterbell</title>" in page


async def test_every_page_tells_how_many_are_unread(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana, "Our offer")
    await site.hit(ana, mail, "open")
    for path in ("/", "/settings", "/bell", "/mail/1"):
        response = await signed_in.get(path)
        page = await response.text()
        assert 'aria-label="Notifications, 1 unread"' in page
        assert "<title>(1) " in page


async def test_each_leads_to_its_mail_in_honest_words(site, ana, signed_in) -> None:
    one = await site.add_mail(ana, "<b>Our offer</b>")
    own = await site.add_mail(ana, "Minutes", (BEN, CY), per_recipient=True)
    shared = await site.add_mail(ana, "", (BEN, CY))
    away = FOLD_MS + 1
    await site.hit(ana, one, "open", verdict="proxy", rule="google-proxy")
    await site.hit(ana, own, "open", recipient=2, at_ms=SENT_MS + away)
    await site.hit(ana, shared, "click", link=0, at_ms=SENT_MS + 2 * away)
    page = await text(signed_in, "/bell")
    assert page.count(UNREAD) == 3
    assert f'href="/mail/{one}">&lt;b&gt;Our offer&lt;/b&gt;</a>' in page
    assert "Opened, likely a person, through their mail service" in page
    assert f"To {BEN}" in page
    assert "Opened, likely a person" in page
    assert f"The copy of {CY}" in page
    assert f'href="/mail/{shared}">(no subject)</a>' in page
    assert "Link followed, likely a person" in page
    assert "The copy that 2 recipients share" in page
    places = [page.index(f'class="title" href="/mail/{each}"') for each in (shared, own, one)]
    assert places == sorted(places)


async def test_the_popover_has_the_newest(site, ana, eve, signed_in, monkeypatch) -> None:
    recent = await text(signed_in, "/bell/recent")
    assert "Nothing yet." in recent
    monkeypatch.setattr(bell, "RECENT", 1)
    for number, (sender, subject) in enumerate(((ana, "Old"), (ana, "New"), (eve, "Secret"))):
        mail = await site.add_mail(sender, subject)
        await site.hit(sender, mail, "open", at_ms=SENT_MS + number * (FOLD_MS + 1))
    recent = await text(signed_in, "/bell/recent")
    assert "<html" not in recent
    assert recent.count(UNREAD) == 1
    assert ">New</a>" in recent
    assert "Mark all as read" in recent
    assert "Secret" not in recent


async def test_further_hits_are_counted_where_all_are_wished(site, ana, signed_in) -> None:
    await site.senders.set_notify(ana.id, "all")
    mail = await site.add_mail(ana)
    for number in range(3):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + 1_000 * number)
    page = await text(signed_in, "/bell")
    assert page.count(UNREAD) == 1
    assert "3 times" in page
    assert "Whenever one of your mails is opened" in page


async def test_whoever_turned_them_off_is_told_so(site, ana, signed_in) -> None:
    await site.senders.set_notify(ana.id, "off")
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open")
    page = await text(signed_in, "/bell")
    assert "You have turned them off" in page
    assert UNREAD not in page


async def test_a_mailing_is_one_line(site, ana, signed_in) -> None:
    mails = [await site.add_mail(ana, f"News for {n}", (f"{n}@example.net",)) for n in range(25)]
    for number, mail in enumerate(mails):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + number)
    page = await text(signed_in, "/bell")
    assert page.count(UNREAD) == 1
    assert 'aria-label="Notifications, 1 unread"' in page
    assert "25 of your mails were opened" in page
    assert page.count('<li><a href="/mail/') == bell.NAMED
    assert "To 24@example.net" in page


async def test_the_copies_of_a_mail_are_one_line(site, ana, signed_in) -> None:
    readers = tuple(f"{number}@example.net" for number in range(6))
    mail = await site.add_mail(ana, "Newsletter", readers, per_recipient=True)
    for number in range(1, 6):
        await site.hit(ana, mail, "open", recipient=number, at_ms=SENT_MS + number * 10**8)
        await site.hit(ana, mail, "click", link=0, recipient=number, at_ms=SENT_MS + number * 10**8)
    page = await text(signed_in, "/bell")
    assert page.count(UNREAD) == 2
    assert "5 copies were opened, likely by their readers" in page
    assert "Links in 5 copies were followed, likely by their readers" in page
    assert f'href="/mail/{mail}">Newsletter</a>' in page


async def test_older_ones_are_a_page_further(site, ana, signed_in, monkeypatch) -> None:
    monkeypatch.setattr(bell, "PAGE", 2)
    mails = [await site.add_mail(ana, f"Mail {number}") for number in range(5)]
    for number, mail in enumerate(mails):
        # The third and the fourth in the same moment: no page may lose one of them.
        at_ms = SENT_MS + (number if number != 3 else 2) * (FOLD_MS + 1)
        await site.hit(ana, mail, "open", at_ms=at_ms)
    first = await text(signed_in, "/bell")
    assert [f"Mail {n}<" in first for n in range(5)] == [False, False, True, True, True]
    older = first.partition("/bell?before=")[2].partition('"')[0]
    second = await text(signed_in, f"/bell?before={older}")
    assert [f"Mail {n}<" in second for n in range(5)] == [True, True, False, False, False]
    assert "Back to the newest" in second
    assert "/bell?before=" not in second
    assert "No older notifications" in await text(signed_in, "/bell?before=1")


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "1.5"])
async def test_any_cursor_is_answered(signed_in, before: str) -> None:
    assert "Notifications" in await text(signed_in, f"/bell?before={before}")


async def test_one_is_marked_as_read(site, ana, signed_in) -> None:
    one, other = await site.add_mail(ana, "One"), await site.add_mail(ana, "Other")
    for number, mail in enumerate((one, other)):
        await site.hit(ana, mail, "open", at_ms=SENT_MS + number * (FOLD_MS + 1))
    page = await text(signed_in, "/bell")
    mails = f"{other:x}"
    assert f'name="mails" value="{mails}"' in page
    response = await signed_in.post("/bell/read", {"kind": "open", "mails": mails})
    assert (response.status, response.headers["Location"]) == (303, "/bell")
    page = await text(signed_in, "/bell")
    assert page.count(UNREAD) == 1
    assert f'name="mails" value="{one:x}"' in page


async def test_all_that_were_shown_are_marked_as_read(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open")
    page = await text(signed_in, "/bell")
    until = page.partition('name="until" value="')[2].partition('"')[0]
    await site.hit(ana, mail, "click", link=0, at_ms=int(until) + 1)  # after the page was made
    response = await signed_in.post("/bell/read", {"until": until}, {"HX-Request": "true"})
    assert response.status == 204
    page = await text(signed_in, "/bell")
    assert page.count(UNREAD) == 1
    assert "Link followed" in page


async def test_whoever_looks_at_a_mail_has_read_it(site, ana, signed_in) -> None:
    one, other = await site.add_mail(ana, "One"), await site.add_mail(ana, "Other")
    for mail in (one, other):
        await site.hit(ana, mail, "open")
    page = await text(signed_in, f"/mail/{one}")
    assert 'aria-label="Notifications, 1 unread"' in page
    assert page.count("<title>(1) ") == 1


@pytest.mark.parametrize(
    "fields",
    [{}, {"mails": "xyz 1 -1", "kind": "no"}, {"mails": ""}, {"until": "x"}, {"kind": "open"}],
)
async def test_a_form_that_names_nothing_marks_nothing(
    site, ana, signed_in, fields: dict[str, str]
) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open")
    await text(signed_in, "/bell")
    assert (await signed_in.post("/bell/read", fields)).status == 303
    assert UNREAD in await text(signed_in, "/bell")


async def test_another_page_marks_nothing(site, ana, signed_in) -> None:
    mail = await site.add_mail(ana)
    await site.hit(ana, mail, "open")
    await text(signed_in, "/bell")
    foreign = {"Sec-Fetch-Site": "cross-site"}
    fields = {"until": str(SENT_MS * 2)}
    assert (await signed_in.post("/bell/read", fields, foreign)).status == 403
    assert UNREAD in await text(signed_in, "/bell")


async def test_nothing_of_another_sender(site, ana, eve, signed_in, open_browser) -> None:
    mail = await site.add_mail(ana, "A secret of Ana's")
    await site.hit(ana, mail, "open")
    other = await open_browser()
    await other.be(site, eve)
    page = await text(other, "/bell")
    assert "secret" not in page
    assert 'aria-label="Notifications"' in page
    await other.post("/bell/read", {"mails": f"{mail:x}"})
    await other.post("/bell/read", {"until": str(SENT_MS * 2)})
    assert UNREAD in await text(signed_in, "/bell")


@pytest.mark.parametrize(("unread", "badge"), [(0, ""), (1, "1"), (99, "99"), (100, "99+")])
def test_the_badge_stays_small(unread: int, badge: str) -> None:
    assert bell.say_badge(unread) == badge
