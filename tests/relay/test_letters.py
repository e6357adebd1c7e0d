"""A day's mail: out of a whole site, through the queue, to a real SMTP server."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from dkimkeys import key, verdicts
from relays import Sink, until
from sqlalchemy import text

from collector.hits import Hit, store_hits
from collector.outward.digests import Digest
from collector.outward.ways import Ways
from collector.senders import Senders
from collector.store import Sent, Store
from collector.tokens import Key, mint_message_id
from collector.verdict import Verdict
from relay.drafts import Drafts
from relay.letters import Letters
from relay.sealing import Seal
from relay.signing import Signing
from relay.site import Site, open_site
from relay.spool import Spool, SpoolError
from relay.upstream import UpstreamHost, UpstreamRoute

KEYS = [Key(1, b"k" * 32)]
HOSTNAME = "relay.example.com"
PUBLIC = "https://t.example.com"


@dataclass(slots=True)
class Yard:
    """A store in a folder, and the upstream that its site's mail goes to."""

    folder: Path
    sink: Sink

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'letterbell.db'}"

    async def fill(self, *, language: str = "en", news: int = 2, subject: str = "Offer") -> int:
        """A sender with news whose mail is due; its id."""
        store = await Store.open(self.url)
        senders = Senders(store)
        try:
            addresses = ["*@example.com", "ana@example.com"]
            sender = await senders.find("ana") or await senders.add("ana", "password", addresses)
            now = time.time_ns() // 1_000_000
            row = {"id": sender.id, "language": language}
            await store.write(
                lambda c: c.execute(
                    text("INSERT INTO digest VALUES (:id, :language, 0, 0) ON CONFLICT DO NOTHING"),
                    row,
                )
            )
            for number in range(news):
                message_id = mint_message_id(now + number, number)
                await store.record_sent(
                    Sent(
                        message_id=message_id,
                        sender_id=sender.id,
                        sent_at_ms=now,
                        mail_from="ana@example.com",
                        recipients=("ben@example.net",),
                        subject=subject,
                        message_id_header="<1@example.com>",
                        opens=True,
                        clicks=True,
                    )
                )
                await store.write(partial(store_hits, hits=[_hit(message_id, now)], judge=_judge))
            return sender.id
        finally:
            senders.close()
            await store.close()

    @asynccontextmanager
    async def site(
        self, ways: Ways | None = None, signing: Signing | None = None, **told: object
    ) -> AsyncIterator[Site]:
        host = UpstreamHost(host="127.0.0.1", port=self.sink.port, hostname=HOSTNAME, tls="none")
        spool = Spool.open(self.folder / "spool", min_free=0, sealer=Seal(KEYS))
        try:
            async with open_site(
                store_url=self.url,
                keys=KEYS,
                routes=[UpstreamRoute.to(host)],
                drafts=Drafts(self.folder, floor=0),
                hostname=HOSTNAME,
                public_url=PUBLIC,
                spool=spool,
                signing=signing or Signing(),
                ways=ways or Ways(),
                **told,  # type: ignore[arg-type]
            ) as site:
                yield site
        finally:
            spool.close()

    async def next_mail(self) -> EmailMessage:
        await until(lambda: bool(self.sink.mails))
        parsed = message_from_bytes(self.sink.mails[0].content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


def _hit(message_id: int, at_ms: int) -> Hit:
    return Hit(
        kind="open",
        message_id=message_id,
        recipient=0,
        link=None,
        at_ms=at_ms,
        method="GET",
        agent="",
        purpose="",
        address=None,
    )


def _judge(*_: object) -> Verdict:
    return Verdict("person", "browser", 1.0)


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    async with Sink().running() as sink:
        yield Yard(tmp_path, sink)


async def test_a_days_news_arrive_as_a_mail(yard: Yard) -> None:
    await yard.fill(subject="Grüße <b>")
    async with yard.site():
        mail = await yard.next_mail()
    [kept] = yard.sink.mails
    assert (kept.mail_from, kept.recipients) == ("no-reply@relay.example.com", ["ana@example.com"])
    assert kept.content.isascii()
    assert mail["From"] == "Letterbell <no-reply@relay.example.com>"
    assert mail["To"] == "ana@example.com"
    assert mail["Subject"] == "2 notifications: Grüße <b>"
    assert mail["List-Unsubscribe"] == f"<{PUBLIC}/settings/notifications>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@relay.example.com>")
    assert mail["Date"]
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.iter_parts()
    assert plain.get_content_type() == "text/plain"
    for part in (plain, html):
        assert f"{PUBLIC}/mail/" in part.get_content()
        assert "ben@example.net" in part.get_content()
        assert f"{PUBLIC}/settings/notifications" in part.get_content()
    assert "Grüße <b>" in plain.get_content()
    assert "Grüße &lt;b&gt;" in html.get_content()


async def test_is_tracked_by_nobody(yard: Yard) -> None:
    await yard.fill()
    async with yard.site():
        await yard.next_mail()
    [kept] = yard.sink.mails
    assert f"{PUBLIC}/o/".encode() not in kept.content
    assert f"{PUBLIC}/c/".encode() not in kept.content
    store = await Store.open(yard.url)
    assert len(await store.read(text("SELECT * FROM message"))) == 2
    await store.close()


async def test_comes_once(yard: Yard) -> None:
    await yard.fill()
    async with yard.site():
        await yard.next_mail()
    async with yard.site() as site:
        assert await site.outward.digests.due() == []
    assert len(yard.sink.mails) == 1


async def test_a_full_disk_only_delays_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[object] = []

    def refuse(*_: object) -> None:
        refused.append(1)
        raise SpoolError("the disk is full", "make room")

    sender_id = await yard.fill()
    with monkeypatch.context() as patched:
        patched.setattr(Spool, "_put", refuse)
        async with yard.site() as site:
            await until(lambda: bool(refused))
            assert await site.outward.digests.is_on(sender_id)
    assert yard.sink.mails == []
    store = await Store.open(yard.url)
    await store.write(lambda c: c.execute(text("UPDATE digest SET next_at_ms = 0")))  # its lease
    await store.close()
    async with yard.site():
        await yard.next_mail()


async def test_one_that_breaks_stops_nothing(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    await yard.fill(subject="Broken")
    written: list[str] = []

    def fail(_: object, digest: Digest, *__: object) -> bytes:
        written.append(digest.address)
        raise ValueError("ours")

    with monkeypatch.context() as patched:
        patched.setattr(Letters, "_compose", fail)
        async with yard.site():
            await until(lambda: bool(written))
    assert yard.sink.mails == []


async def test_is_from_whom_the_site_says_and_signed(yard: Yard) -> None:
    await yard.fill()
    async with yard.site(signing=Signing([key("example.org")]), digest_from="bell@example.org"):
        mail = await yard.next_mail()
    [kept] = yard.sink.mails
    assert kept.mail_from == "bell@example.org"
    assert mail["From"] == "Letterbell <bell@example.org>"
    assert verdicts(kept.content, key("example.org")) == [True]


async def test_is_in_the_senders_language(yard: Yard) -> None:
    await yard.fill(language="de")
    async with yard.site():
        mail = await yard.next_mail()
    assert mail["Content-Language"] == "de"


async def test_a_site_may_send_none(yard: Yard) -> None:
    await yard.fill()
    async with yard.site(ways=Ways(digest=False)) as site:
        assert len(await site.outward.digests.due()) == 1  # nobody has taken it
    assert yard.sink.mails == []


async def test_no_report_is_made_of_one(yard: Yard) -> None:
    yard.sink.refuse["ana@example.com"] = "550 5.1.1 no ana"
    await yard.fill()
    async with yard.site() as site:
        await until(lambda: bool(yard.sink.sessions) and not site.queue._wards)
    assert yard.sink.mails == []
