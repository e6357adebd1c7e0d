"""A copy for each recipient, from the mail program to the page that says who opened it."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, Kept, Letterbell, Sink, fetch, run, settings
from e2e.letters import NEWSLETTER, without_bcc
from e2e.oracle import Findings, compare, our_received
from e2e.test_hits import FIREFOX, Page

BOB, EVE, BOB_AGAIN = "bob@example.org", "eve@example.org", "bob@Example.ORG"
BLIND = NEWSLETTER.replace(b"Subject", b"Bcc: Eve <eve@example.org>\r\nSubject", 1)
MINTED = re.compile(rb"(?<=/[oc]/)[\w-]+")


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


@pytest.fixture
def relay(tmp_path: Path, sink: Sink, until_done: ExitStack) -> Letterbell:
    upstream = f'port = {sink.port}\ntls = "none"'
    relay = until_done.enter_context(Letterbell(tmp_path, settings(upstream)))
    relay.add_sender(ANA, "--per-recipient")
    return relay


def send(relay: Letterbell) -> None:
    """To Bob, blindly to Eve, and to Bob once more; each with parameters of their own."""
    with relay.smtp() as client:
        client.ehlo()
        assert client.mail(ANA, ["BODY=8BITMIME", "ENVID=QQ1"])[0] == 250
        for address in (BOB, EVE, BOB_AGAIN):
            known_as = f"ORCPT=rfc822;{address}"
            assert client.rcpt(address, ["NOTIFY=FAILURE", known_as])[0] == 250
        assert client.data(BLIND)[0] == 250


def read(kept: Kept) -> Findings:
    """What is minted in a copy; nothing else of it has changed, and nobody else is named in it."""
    assert b"eve@" not in kept.content.lower()
    return compare(without_bcc(BLIND), kept.content, BASE)


def test_each_gets_their_own_and_their_hits_are_theirs(relay: Letterbell, sink: Sink) -> None:
    send(relay)
    kept = {tuple(mail.recipients): mail for mail in (sink.next_mail(), sink.next_mail())}
    bobs, eves = kept[BOB, BOB_AGAIN], kept[EVE,]
    assert "eve" not in " ".join(bobs.dsn).lower()
    assert "bob" not in " ".join(eves.dsn).lower()
    ours, theirs = read(bobs), read(eves)
    assert set(ours.targets.values()) == set(theirs.targets.values())
    assert not set(ours.targets) & set(theirs.targets)
    assert len({MINTED.sub(b"", our_received(each.content)[1]) for each in (bobs, eves)}) == 1
    with relay.http() as connection:
        for url in (theirs.pixels[0], next(iter(theirs.targets)), ours.pixels[0]):
            fetch(connection, url, FIREFOX)
    hits = relay.rows("SELECT recipient, count(*) FROM hit GROUP BY recipient ORDER BY recipient")
    assert hits == [(1, 1), (2, 2)]
    assert relay.rows("SELECT per_recipient FROM message") == [(1,)]
    page = Page(relay).sign_in(ANA)
    [path] = set(re.findall(r'"(/mail/\d+)"', page.get("/")[1]))
    _, story = page.get(path)
    assert f"Copy of {BOB}" in story
    assert f"Copy of {EVE}" in story


def test_a_shared_copy_names_nobody(relay: Letterbell, sink: Sink) -> None:
    run("sender", "set", ANA, "--shared", config=relay.config)
    relay.stop()  # what is remembered of a sender is five seconds old at most
    upstream = f'port = {sink.port}\ntls = "none"'
    with Letterbell(relay.folder, settings(upstream)) as again:
        send(again)
        kept = sink.next_mail()
        assert kept.recipients == [BOB, EVE, BOB_AGAIN]
        with again.http() as connection:
            fetch(connection, read(kept).pixels[0], FIREFOX)
        assert again.rows("SELECT recipient FROM hit") == [(0,)]
        assert "likely one of 2 recipients" in Page(again).sign_in(ANA).get("/")[1]
