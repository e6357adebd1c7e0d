"""The demo's world without a browser: it opens, carries mail, says where it is, and goes."""

import re
import socket
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import aiosmtplib
import pytest
from aiohttp import ClientSession, CookieJar

from relay.demo import pages
from relay.demo.state import LOGIN, RECIPIENT
from relay.demo.world import open_demo

FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')
HTML = f"""\
From: {LOGIN}\r
To: {RECIPIENT}\r
Subject: By SMTP\r
Message-ID: <by-smtp@demo.example>\r
Content-Type: text/html\r
\r
<p>See <a href="http://localhost/plans">the plans</a></p>\r
""".encode()


@pytest.fixture
async def demo():
    async with open_demo(smtp_port=0, http_port=0) as opened:
        yield opened


@pytest.fixture
async def browser(demo):
    async with ClientSession(demo.public_url, cookie_jar=CookieJar(unsafe=True)) as session:
        yield session


async def send(demo, source: bytes = HTML) -> None:
    await aiosmtplib.send(
        source,
        sender=LOGIN,
        recipients=[RECIPIENT],
        hostname="127.0.0.1",
        port=demo.smtp_port,
        username=LOGIN,
        password=demo.password,
        start_tls=False,
    )


async def test_the_entrance_opens_once(demo, browser) -> None:
    entrance = demo.entrance
    page = await browser.get(entrance)
    assert (page.status, page.url.path) == (200, "/demo")
    browser.cookie_jar.clear()
    again = await browser.get(entrance)
    assert again.url.path == "/sign-in"


@pytest.mark.parametrize("guess", ["x", "None", "é"])
async def test_a_guess_opens_nothing(demo, browser, guess: str) -> None:
    answer = await browser.get(f"/demo/enter/{guess}")
    assert answer.url.path == "/sign-in"
    assert (await browser.get(demo.entrance)).url.path == "/demo"


async def test_mail_from_any_client_arrives_tracked_and_is_compared(demo, browser) -> None:
    await browser.get(demo.entrance)
    await send(demo)
    (mail,) = demo.inbox.mails
    kind, text = mail.body()
    assert kind == "html"
    assert f"{demo.public_url}/c/" in text
    assert f"{demo.public_url}/o/" in text
    page = await (await browser.get("/demo/inbox/1?view=changes")).text()
    assert "<del>http://localhost/plans</del>" in page
    assert "By SMTP" in await (await browser.get("/demo")).text()


async def test_the_form_sends_by_smtp_and_its_toggles_stick(demo, browser) -> None:
    page = await (await browser.get(demo.entrance)).text()
    fields = {
        "form_token": FORM_TOKEN.search(page).group(1),
        "to": RECIPIENT,
        "subject": "From the form",
        "text": "[Go](http://localhost/there)",
        "clicks": "on",
    }
    answer = await browser.post("/demo/letters", data=fields, headers={"HX-Request": "true"})
    assert "The relay answered 250 2.0.0 In the inbox as number 1" in await answer.text()
    _, text = demo.inbox.mails[0].body()
    assert "/c/" in text
    assert "/o/" not in text
    settings = await (await browser.get("/settings")).text()
    assert settings.count("checked>") == 2  # links and sticky


async def test_a_letter_that_cannot_be_is_answered_in_words(demo, browser) -> None:
    page = await (await browser.get(demo.entrance)).text()
    fields = {"form_token": FORM_TOKEN.search(page).group(1), "to": "nobody", "text": "Hello"}
    answer = await browser.post("/demo/letters", data=fields)
    text = await answer.text()
    assert "nobody is no mail address" in text
    assert ">Hello</textarea>" in text
    assert not demo.inbox.mails


async def test_the_relays_refusal_is_told_in_its_own_words(demo, browser) -> None:
    page = await (await browser.get(demo.entrance)).text()
    demo.password = "another"
    fields = {"form_token": FORM_TOKEN.search(page).group(1), "to": RECIPIENT, "text": "Hello"}
    answer = await browser.post("/demo/letters", data=fields, headers={"HX-Request": "true"})
    assert "The relay did not take it: (535" in await answer.text()


async def test_the_letter_can_do_nothing_but_show(demo, browser) -> None:
    await browser.get(demo.entrance)
    await send(demo)
    blocked = await browser.get("/demo/inbox/1/letter")
    policy = blocked.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "img-src data:;" in policy + ";"
    assert f"sandbox {pages.SANDBOX}" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "/o/" not in await blocked.text()
    shown = await browser.get("/demo/inbox/1/letter?images")
    assert "img-src http: https: data:" in shown.headers["Content-Security-Policy"]
    assert "/o/" in await shown.text()


@pytest.mark.parametrize("path", ["/demo", "/demo/live", "/demo/inbox/1", "/demo/inbox/1/letter"])
async def test_strangers_stay_outside(demo, browser, path: str) -> None:
    await send(demo)
    assert (await browser.get(path)).url.path == "/sign-in"


async def test_mails_that_are_not_there_are_not_found(demo, browser) -> None:
    await browser.get(demo.entrance)
    assert (await browser.get("/demo/inbox/1/letter")).status == 404
    headers = {"HX-Request": "true"}
    assert (await browser.get("/demo/inbox/7", headers=headers)).status == 404


async def test_everyone_may_land_where_links_lead(demo, browser) -> None:
    page = await browser.get("/demo/landing/plans")
    assert "You followed a link" in await page.text()
    picture = await browser.get("/demo/landing/picture.svg")
    assert picture.content_type == "image/svg+xml"


async def test_a_hostile_mail_stays_in_its_frame(demo, browser) -> None:
    await browser.get(demo.entrance)
    hostile = b"<script>alert(1)</script>"
    await send(demo, HTML.replace(b"By SMTP", hostile).replace(b"<p>", b"<p>" + hostile))
    for path in ("/demo", "/demo?mail=1&view=changes"):
        page = await (await browser.get(path)).text()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


async def test_taken_ports_are_told_and_others_taken(demo) -> None:
    said: list[str] = []
    async with open_demo(
        smtp_port=demo.smtp_port, http_port=demo.http_port, echo=said.append
    ) as second:
        assert second.smtp_port != demo.smtp_port
        assert second.http_port != demo.http_port
        await send(second)
        assert len(second.inbox.mails) == 1
    taken = "cannot be had (Address already in use)"
    assert said == [
        f"Port {demo.http_port} {taken}: the page is on port {second.http_port}.",
        f"Port {demo.smtp_port} {taken}: the relay is on port {second.smtp_port}.",
    ]


def left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_leaves_nothing_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with open_demo(smtp_port=0, http_port=0) as demo:
        assert left(tmp_path)
        await send(demo)
    assert not left(tmp_path)
    for port in (demo.smtp_port, demo.http_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_the_sources_before_and_after_are_the_delivered_ones() -> None:
    pieces = pages._compare(HTML, b"Received: x\r\n" + HTML)
    assert pieces[0].change == "added"
    shown = "".join(piece.text for piece in pieces[1:])
    assert message_from_bytes(shown.encode(), policy=default)["Subject"] == "By SMTP"
