"""The admin's pages: for admins alone, with nothing of anybody's mail in them, every act told."""

import re
import time

import pytest
from sites import Site, open_site
from structlog.testing import capture_logs

from collector import passwords
from collector.enrolment import Enrolment
from collector.logins import Logins
from collector.pages import admin as module
from collector.senders import Sender
from collector.store import SentLink
from collector.waiting import Waiting

PASSWORD = "the right one"
WAITING = (
    Waiting(upstream="mx.example.org:25", count=3, held=1, oldest_ms=0, is_away=True),
    Waiting(upstream="smtp.example.net:587", count=1, held=0, oldest_ms=0, is_away=False),
)


class Queue:
    """The relay's, as a test likes it."""

    def __init__(self) -> None:
        self.hurried: list[str] = []

    async def waiting(self) -> tuple[Waiting, ...]:
        return WAITING

    def hurry(self, upstream: str) -> int:
        self.hurried.append(upstream)
        return 3


ONE = ("/addresses", "/enabled", "/admin", "/password")


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def told(queue: Queue) -> dict[str, object]:
    """More for build_app."""

    return {
        "alarms": lambda: {"upstream": "mail waits for an upstream that is away"},
        "queue": queue,
    }


@pytest.fixture
async def site(tmp_path, monkeypatch, told):
    monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
    async with open_site(tmp_path, **told) as opened:
        yield opened


@pytest.fixture
async def ana(site: Site) -> Sender:
    """The admin."""
    added = await site.senders.add("ana@example.com", PASSWORD, ["ana@example.com"])
    await site.senders.set_admin(added.id, True)
    return added


@pytest.fixture
async def admin(site, ana, open_browser):
    browser = await open_browser()
    await browser.be(site, ana)
    await browser.get("/admin")
    return browser


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


async def test_health_numbers_and_queue(site, ana, eve, admin) -> None:
    now = time.time_ns() // 1_000_000
    for sender in (ana, eve):
        mail = await site.add_mail(sender, at_ms=now)
        await site.hit(sender, mail, "open", at_ms=now)
    page = text(await (await admin.get("/admin")).text())
    assert "The store takes writes." in page
    assert "upstream mail waits for an upstream that is away" in page
    assert "Mails 2 2" in page
    assert "Opens and clicks 2 2" in page
    assert re.search(r"mx\.example\.org:25 The oldest has waited for \d+ years\. 1 is held\.", page)
    assert "3 mails away Try now" in page
    assert "smtp.example.net:587" in page


async def test_what_waits_is_hurried(ana, queue, admin) -> None:
    with capture_logs() as logs:
        answer = await admin.post("/admin/queue", {"upstream": "mx.example.org:25"})
    assert (answer.status, answer.headers["Location"]) == (303, "/admin?hurried")
    assert queue.hurried == ["mx.example.org:25"]
    assert [(each["event"], each["by"], each["count"]) for each in logs if "by" in each] == [
        ("queued mail was hurried", ana.id, 3)
    ]
    assert "What waits is tried now" in await (await admin.get("/admin?hurried")).text()


async def test_senders_are_listed_and_found(site, ana, eve, admin) -> None:
    await site.senders.set_enabled(eve.id, False)
    page = await (await admin.get("/admin")).text()
    assert f'href="/admin/senders/{eve.id}">eve@example.com</a>' in page
    assert "disabled" in text(page)
    page = await (await admin.get("/admin?search=EVE")).text()
    assert "ana@example.com" not in page.partition('id="senders"')[2]
    page = await (await admin.get("/admin?search=%3Cb%3E")).text()
    assert "Nobody is called so." in page
    assert "<b>" not in page


@pytest.mark.parametrize("search", ["%00", "%ff", "%ED%A0%80", "%25", "a" * 5000, "&search=b"])
async def test_anything_may_be_looked_for(admin, search) -> None:
    assert (await admin.get(f"/admin?search={search}")).status == 200


async def test_a_sender_is_added_and_may_sign_in(site, admin, open_browser) -> None:
    fields = {"login": "ben", "addresses": "ben@example.net, *@example.net"}
    answer = await admin.post("/admin/senders", fields)
    page = await answer.text()
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    password = re.search(r'<code id="password">([\w-]{20,})</code>', page)[1]
    found = await site.senders.authenticate("ben", password)
    assert found.addresses == ("ben@example.net", "*@example.net")
    assert (found.opens, found.clicks, found.is_admin) == (True, True, False)
    for path in ("/admin", f"/admin/senders/{found.id}"):
        assert password not in await (await admin.get(path)).text()
    assert (await (await open_browser()).sign_in("ben", password)).status == 303


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"login": "eve@example.com"}, "There is a sender eve@example.com already."),
        ({"login": "EVE@example.com"}, "There is a sender EVE@example.com already."),
        ({"login": "ben"}, "is no mail address"),
        ({"login": ""}, "is no login"),
        ({}, "is no login"),
        ({"login": "ben+no-opens", "addresses": "a@example.com"}, "choose another login"),
        ({"login": "ben", "addresses": "a@x.org " * 101}, "more than 100 addresses"),
    ],
)
async def test_what_cannot_be_added_is_said(site, eve, admin, fields, says) -> None:
    before = await site.senders.list()
    answer = await admin.post("/admin/senders", fields)
    page = await answer.text()
    assert answer.status == 409
    assert says in text(page)
    assert 'role="alert"' in page
    assert f'name="login" value="{fields.get("login", "")}"' in page
    assert await site.senders.list() == before


async def test_addresses_are_set(site, eve, admin) -> None:
    path = f"/admin/senders/{eve.id}"
    answer = await admin.post(
        path + "/addresses", {"addresses": "a@example.com\r\nb@example.com\r\n"}
    )
    assert (answer.status, answer.headers["Location"]) == (303, path + "?saved")
    assert (await site.senders.current(eve.id)).addresses == ("a@example.com", "b@example.com")
    page = await (await admin.get(path + "?saved")).text()
    assert "a@example.com\nb@example.com</textarea>" in page
    assert "Saved." in page
    answer = await admin.post(path + "/addresses", {"addresses": "nonsense"})
    assert answer.status == 409
    assert "is no mail address" in await answer.text()


async def test_disabled_and_enabled(site, eve, admin, open_browser) -> None:
    other = await open_browser()
    await other.be(site, eve)
    path = f"/admin/senders/{eve.id}"
    assert (await admin.post(path + "/enabled", {"to": "no"})).status == 303
    assert (await other.get("/")).status == 303
    assert "disabled" in text(await (await admin.get(path)).text())
    assert (await admin.post(path + "/enabled", {"to": "yes"})).status == 303
    assert await site.senders.authenticate("eve@example.com", PASSWORD) is not None


async def test_a_fresh_password_ends_the_old_one(site, eve, admin, open_browser) -> None:
    other = await open_browser()
    await other.be(site, eve)
    page = await (await admin.post(f"/admin/senders/{eve.id}/password", {})).text()
    password = re.search(r'<code id="password">([\w-]{20,})</code>', page)[1]
    assert await site.senders.authenticate("eve@example.com", PASSWORD) is None
    assert await site.senders.authenticate("eve@example.com", password) is not None
    assert (await other.get("/")).status == 303


async def test_an_admin_is_made_and_unmade(site, eve, admin, open_browser) -> None:
    other = await open_browser()
    await other.be(site, eve)
    assert (await other.get("/admin")).status == 404
    path = f"/admin/senders/{eve.id}/admin"
    await admin.post(path, {"to": "yes"})
    assert (await other.get("/admin")).status == 200
    await admin.post(path, {"to": "no"})
    assert (await other.get("/admin")).status == 404


@pytest.mark.parametrize("act", ["enabled", "admin"])
async def test_nobody_takes_their_own_rights_away(site, ana, admin, act) -> None:
    answer = await admin.post(f"/admin/senders/{ana.id}/{act}", {"to": "no"})
    assert answer.status == 409
    assert "ask another admin to." in text(await answer.text())
    now = await site.senders.current(ana.id)
    assert now.is_admin
    assert now.enabled


async def test_acts_are_logged_with_who_did_them(site, ana, eve, admin) -> None:
    path = f"/admin/senders/{eve.id}"
    with capture_logs() as logs:
        await admin.post("/admin/senders", {"login": "ben@example.net"})
        await admin.post(path + "/addresses", {"addresses": "a@example.com"})
        await admin.post(path + "/enabled", {"to": "no"})
        await admin.post(path + "/enabled", {"to": "yes"})
        await admin.post(path + "/admin", {"to": "yes"})
        await admin.post(path + "/admin", {"to": "no"})
        await admin.post(path + "/password", {})
        await admin.post(f"/admin/senders/{ana.id}/enabled", {"to": "no"})  # is not done
    added = await site.senders.find("ben@example.net")
    told = [(each["event"], each["by"], each["sender"]) for each in logs if "by" in each]
    assert told == [
        ("a sender was added", ana.id, added.id),
        ("a sender's addresses were set", ana.id, eve.id),
        ("a sender was disabled", ana.id, eve.id),
        ("a sender was enabled", ana.id, eve.id),
        ("a sender was made an admin", ana.id, eve.id),
        ("a sender is no admin any more", ana.id, eve.id),
        ("a sender's password was reset", ana.id, eve.id),
    ]
    assert "@" not in str([each for each in logs if "by" in each])


def addresses_of(sender_id: int) -> list[tuple[str, str]]:
    """Every address of these pages, with its method."""
    one = f"/admin/senders/{sender_id}"
    return [
        ("GET", "/admin"),
        ("GET", "/admin?search=a"),
        ("HEAD", "/admin"),
        ("POST", "/admin/queue"),
        ("POST", "/admin/senders"),
        ("GET", one),
        *(("POST", one + act) for act in ONE),
    ]


def test_no_address_is_left_out(site) -> None:
    """The list above has all that there are."""
    listed = {(m, re.sub(r"/\d+", "/ID", p.partition("?")[0])) for m, p in addresses_of(1)}
    routed = {(r.method, re.sub(r"\{.*\}", "ID", r.path)) for r in module.routes(lambda page: page)}
    assert routed == {(m, p) for m, p in listed if m != "HEAD"}


async def test_for_others_there_is_no_such_page(site, ana, eve, browser) -> None:
    await browser.be(site, eve)
    await browser.get("/")
    nowhere = await browser.get("/nowhere")
    senders = await site.senders.list()
    for method, path in addresses_of(ana.id):
        fields = {"form_token": browser.token, "login": "x@example.com", "to": "no"}
        answer = await browser.session.request(
            method, browser.url + path, data=fields if method == "POST" else None
        )
        assert answer.status == 404, path
        assert answer.content_type == nowhere.content_type
        if method != "HEAD":
            assert await answer.text() == await nowhere.text()
    assert await site.senders.list() == senders
    assert await site.senders.authenticate("ana@example.com", PASSWORD) is not None
    assert "/admin" not in await (await browser.get("/")).text()


async def test_signed_out_one_signs_in_first(site, ana, browser) -> None:
    for method, path in addresses_of(ana.id):
        answer = await browser.session.request(method, browser.url + path, allow_redirects=False)
        if method == "GET":
            assert answer.status == 303
            assert answer.headers["Location"].startswith("/sign-in?next=/admin")
        else:
            assert answer.status == 401


async def test_forms_of_others_are_refused(site, ana, eve, admin) -> None:
    before = await site.senders.list()
    for method, path in addresses_of(eve.id):
        if method == "POST":
            fields = {"form_token": "0" * 32, "login": "x@example.com", "to": "no"}
            assert (await admin.post(path, fields)).status == 403
    assert await site.senders.list() == before


async def test_nobody_by_that_number(admin) -> None:
    for number in ("77", "999999999", "99999999999999999999"):
        assert (await admin.get(f"/admin/senders/{number}")).status == 404
        for act in ONE:
            answer = await admin.post(f"/admin/senders/{number}{act}", {"to": "no"})
            assert answer.status == 404


async def test_nothing_of_others_mail_is_in_any_page(site, ana, eve, admin) -> None:
    """Markers in all that a mail and its hits are made of; none of them may come up."""
    now = time.time_ns() // 1_000_000
    link = SentLink(0, "https://marker.example/link-marker", "<b>label-marker</b>")
    mail = await site.add_mail(
        eve,
        "subject-marker",
        ("recipient-marker@recipients.example",),
        (link,),
        at_ms=now,
        per_recipient=True,
        shared_reason="reason-marker",
    )
    await site.deliver(eve, mail, "250 reply-marker", "queued", at_ms=now)
    for kind in ("open", "click"):
        await site.hit(eve, mail, kind, link=0, agent="agent-marker", recipient=1, at_ms=now)
    pages = [
        await admin.get("/admin"),
        await admin.get("/admin?search=marker"),
        await admin.get("/admin?search=recipient"),
        await admin.get(f"/admin/senders/{eve.id}"),
        await admin.post("/admin/senders", {"login": "eve@example.com"}),
        await admin.post("/admin/senders", {"login": "new@example.com"}),
        *[await admin.post(f"/admin/senders/{eve.id}{act}", {"to": "yes"}) for act in ONE],
        await admin.get(f"/admin/senders/{eve.id}?saved"),
    ]
    for answer in pages:
        page = await answer.text()
        assert "-marker" not in page, answer.url
        assert "recipients.example" not in page
        assert str(mail) not in page
        assert f"{mail:x}" not in page
    assert (await admin.get(f"/mail/{mail}")).status == 404


class TestWhereUpstreamKnowsThem:
    """In auth.mode "upstream"."""

    @pytest.fixture
    def told(self) -> dict[str, object]:
        return {"logins": Logins(are_ours=False)}

    async def test_nobody_is_added(self, site, admin) -> None:
        page = await (await admin.get("/admin")).text()
        assert "each of its users becomes a sender at the first login" in page
        assert 'action="/admin/senders"' not in page
        answer = await admin.post("/admin/senders", {"login": "ben@example.net"})
        assert answer.status == 409
        assert await site.senders.find("ben@example.net") is None

    async def test_a_password_is_for_the_pages(self, eve, admin) -> None:
        page = await (await admin.get(f"/admin/senders/{eve.id}")).text()
        assert "A fresh password for these pages." in page
        page = await (await admin.post(f"/admin/senders/{eve.id}/password", {})).text()
        assert "It opens these pages alone" in page


class TestWithOtherDefaults:
    """What [tracking] says."""

    @pytest.fixture
    def told(self) -> dict[str, object]:
        return {"enrolment": Enrolment(opens=False, per_recipient=True)}

    async def test_new_senders_have_them(self, site, admin) -> None:
        await admin.post("/admin/senders", {"login": "ben@example.net"})
        added = await site.senders.find("ben@example.net")
        assert (added.opens, added.clicks, added.per_recipient) == (False, True, True)


async def test_more_senders_than_are_shown(site, ana, admin, monkeypatch) -> None:
    monkeypatch.setattr(module, "SHOWN", 2)
    for number in range(3):
        await site.senders.add(f"s{number}@example.com", PASSWORD, [])
    page = text(await (await admin.get("/admin")).text())
    assert "2 of 4: search for the others." in page
    assert "s0@example.com" in page
    assert "s1@example.com" not in page


class TestOnAQuietSite:
    """No alarm, and nothing waits."""

    @pytest.fixture
    def told(self) -> dict[str, object]:
        return {}

    async def test_it_says_so(self, admin) -> None:
        page = text(await (await admin.get("/admin")).text())
        assert "No alarm." in page
        assert "No mail waits" in page
