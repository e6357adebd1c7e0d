"""A store on a PostgreSQL server: whom it talks to, what it says when it cannot, how it returns."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import ClientSession
from places import TEMPLATE, OnServer, make_template, open_database
from postgresql import Server, open_server
from sites import TOKENS, open_site
from sqlalchemy import insert, select, text
from sqlalchemy.util import await_only

from collector import postgres, roster
from collector.consents import Consents, RefusalStands
from collector.databases import find_database
from collector.decisions import FIND_SECRET, Decision, add_decisions
from collector.errors import StoreConflict, StoreError, StoreUnavailable
from collector.hits import Hit, store_hits
from collector.keeping import Keeping
from collector.postgres import Postgres
from collector.schema import agent, message
from collector.store import Sent, Store
from collector.verdict import Verdict

PASSWORD = "correct horse"


@pytest.fixture
def database(postgresql_server: Server) -> Iterator[OnServer]:
    """On this engine alone."""
    with open_database(postgresql_server, "of_postgres") as made:
        yield made


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server on a port, which asks for a password and speaks no TLS."""
    with open_server(tcp=True, password=PASSWORD) as server:
        make_template(server)
        yield server


async def refusal(url: str) -> str:
    """What is said when the store there is opened."""
    with pytest.raises(StoreError) as refused:
        await Store.open(url)
    said = str(refused.value)
    assert PASSWORD not in said
    return said


async def test_with_its_password_it_opens(guarded: Server) -> None:
    store = await Store.open(guarded.url(TEMPLATE))
    await store.check()
    await store.close()


async def test_a_wrong_password(guarded: Server) -> None:
    url = guarded.url("postgres").replace("correct", "wrong")
    said = await refusal(url)
    assert "it lets 'letterbell' not in" in said
    assert "see the user and password of store.url" in said
    assert "wrong" not in said


async def test_no_such_database(guarded: Server) -> None:
    said = await refusal(guarded.url("nothing"))
    assert "CREATE DATABASE nothing OWNER letterbell ENCODING 'UTF8'" in said
    assert f"postgresql://letterbell@127.0.0.1:{guarded.port}/nothing" in said


async def test_nobody_there(guarded: Server) -> None:
    with open_server() as gone:
        url = gone.url("postgres")
    assert f"nobody answers at {gone.folder} port 5432" in await refusal(url)
    assert "nobody answers at 127.0.0.1 port 1 " in await refusal("postgresql://u@127.0.0.1:1/x")


async def test_no_such_host() -> None:
    url = "postgresql://letterbell@nowhere.invalid/letterbell?sslmode=disable"
    assert "there is no host 'nowhere.invalid'" in await refusal(url)


async def test_a_user_who_may_make_no_tables(guarded: Server) -> None:
    guarded.execute("CREATE DATABASE not_theirs")
    guarded.execute(f"CREATE USER guest PASSWORD '{PASSWORD}'")
    said = await refusal(guarded.url("not_theirs").replace("//letterbell", "//guest"))
    assert "ALTER DATABASE not_theirs OWNER TO guest" in said


async def test_an_encoding_without_all_letters(guarded: Server) -> None:
    guarded.execute(
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    assert "is in LATIN1, which has not all letters" in await refusal(guarded.url("latin"))


async def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    assert "pip install 'letterbell[postgres]'" in await refusal("postgresql://u@localhost/x")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u@localhost", "names no database"),
        ("postgresql://u@localhost/x?sslmode=prefer", "sslmode=prefer; it can be disable, req"),
        ("postgresql://u@localhost/x?ssl=1", "has 'ssl' behind its"),
        ("postgresql://u@localhost/x?sslmode=require&sslmode=disable", "has 'sslmode' behind its"),
        ("postgresql://u@db/x?sslrootcert=/nowhere.pem", "cannot be read .*No such file"),
        ("postgres://u@localhost/x", "'postgres'; it can be"),
        ("postgresql+psycopg://u@localhost/x", "it can be"),
    ],
)
def test_a_bad_url(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        find_database(url)


def security(url: str) -> ssl.SSLContext | bool:
    database = find_database(url)
    assert isinstance(database, Postgres)
    protected: ssl.SSLContext | bool = database.arguments["ssl"]
    return protected


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", ""])
def test_on_this_machine_nothing_is_encrypted_unless_it_is_asked_for(host: str) -> None:
    assert security(f"postgresql://u@{host}/x") is False
    assert security(f"postgresql://u@{host}/x?sslmode=require") is not False
    assert security("postgresql://u@/x?host=/run/postgresql") is False


@pytest.mark.parametrize("host", ["db.example.com", "10.0.0.7", "db", "localhost.example.com"])
def test_another_machine_proves_its_name_unless_told_otherwise(host: str) -> None:
    context = security(f"postgresql://u@{host}/x")
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    context = security(f"postgresql://u@{host}/x?sslmode=verify-ca")
    assert isinstance(context, ssl.SSLContext)
    assert not context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    context = security(f"postgresql://u@{host}/x?sslmode=require")
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode == ssl.CERT_NONE
    assert security(f"postgresql://u@{host}/x?sslmode=disable") is False


def test_where_it_is_told_without_the_password() -> None:
    told = find_database(f"postgresql://u:{PASSWORD}@db.example.com/x?sslmode=verify-full").where
    assert told == "postgresql://u@db.example.com/x"


async def test_a_server_without_tls_is_not_talked_to_in_clear(guarded: Server) -> None:
    said = await refusal(guarded.url("postgres") + "?sslmode=require")
    assert "turn on TLS there, or see sslmode" in said


@dataclass(slots=True)
class Way:
    """Between store and server: may speak TLS, may be cut behind a word, may fall silent."""

    server: Server
    context: ssl.SSLContext | None = None
    cut_behind: bytes | None = None  # said by the store; heard by the server, and not answered
    is_cut: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    walks: set[asyncio.Task[None] | None] = field(default_factory=set)

    def url(self, database: str, query: str = "") -> str:
        return f"postgresql://letterbell@127.0.0.1:{self.port}/{database}{query}"

    async def walk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.walks.add(asyncio.current_task())
        with suppress(ssl.SSLError, ConnectionError):
            if self.context:
                await reader.readexactly(8)  # SSLRequest
                writer.write(b"S")
                await writer.start_tls(self.context)
            await self._pass_on(reader, writer)
        await close(writer)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = f"{self.server.folder}/.s.PGSQL.{self.server.port}"
        answers, asks = await asyncio.open_unix_connection(path)
        answering = asyncio.create_task(self._copy(answers, writer))
        with suppress(ConnectionError):
            while octets := await reader.read(65_536):
                await self.open.wait()
                asks.write(octets)
                if self.cut_behind and self.cut_behind in octets:
                    self.is_cut = True
        asks.write_eof()
        await answering
        await close(asks)

    async def _copy(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while octets := await answers.read(65_536):
                await self.open.wait()
                if self.is_cut:  # the server has done it, and nobody hears
                    self.is_cut = False
                    writer.transport.abort()
                writer.write(octets)
            writer.close()


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ssl.SSLError, OSError):
        await writer.wait_closed()


@asynccontextmanager
async def open_way(server: Server, **told: Any) -> AsyncIterator[Way]:
    way = Way(server, **told)
    way.open.set()
    listening = await asyncio.start_server(way.walk, "127.0.0.1", 0)
    way.port = listening.sockets[0].getsockname()[1]
    yield way
    listening.close()
    await asyncio.gather(*filter(None, way.walks))


async def test_tls_that_proves_who_it_is(database: OnServer, tmp_path: Path) -> None:
    authority, name = trustme.CA(), "127.0.0.1"
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    ours, others = (f"&sslrootcert={tmp_path}/{each}.pem" for each in ("ca", "other"))
    async with open_way(database.server, context=context) as way:
        store = await Store.open(way.url(database.name, f"?sslmode=verify-full{ours}"))
        await store.check()
        await store.close()
        said = await refusal(way.url(database.name, f"?sslmode=verify-full{others}"))
        assert "CERTIFICATE_VERIFY_FAILED" in said
        assert "see sslmode and sslrootcert" in said
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    async with open_way(database.server, context=context) as way:
        said = await refusal(way.url(database.name, f"?sslmode=verify-full{ours}"))
        assert "certificate is not valid for '127.0.0.1'" in said
        store = await Store.open(way.url(database.name, f"?sslmode=verify-ca{ours}"))
        await store.close()


async def test_it_comes_back_when_the_server_does(
    own_server: Server, make_row: Callable[..., Sent]
) -> None:
    store = await Store.open(own_server.url(TEMPLATE))
    await store.write(add_ana)
    before, lost, after = (make_row(number) for number in range(3))
    await store.record_sent(before)
    await asyncio.to_thread(own_server.stop)
    with pytest.raises(StoreUnavailable):
        await store.record_sent(lost)
    with pytest.raises(StoreUnavailable):
        await store.read(select(message.c.id))
    with pytest.raises(StoreUnavailable):
        await store.check()
    await asyncio.to_thread(own_server.start)
    await store.record_sent(after)
    found = {row.id for row in await store.read(select(message.c.id))}
    assert found == {before.message_id, after.message_id}
    await store.close()


async def test_a_server_that_went_and_came_unnoticed(
    own_server: Server, make_row: Callable[..., Sent]
) -> None:
    """Nobody asked meanwhile: nobody need know."""
    store = await Store.open(own_server.url(TEMPLATE))
    await store.write(add_ana)
    await store.read(select(message.c.id))
    await asyncio.to_thread(own_server.stop)
    await asyncio.to_thread(own_server.start)
    await store.record_sent(make_row(1))
    assert len(await store.read(select(message.c.id))) == 1
    await store.close()


async def test_links_and_pixels_are_answered_without_it(own_server: Server, tmp_path: Path) -> None:
    """As with SQLite: what was answered meanwhile is stored when it is back."""
    url = own_server.url(TEMPLATE)
    async with open_site(tmp_path, store_url=url) as site, ClientSession(site.url) as session:
        ana = await site.senders.ensure("ana", ["ana@example.com"], opens=True, clicks=True)
        assert ana
        mail = await site.add_mail(ana)
        await asyncio.to_thread(own_server.stop)
        click = TOKENS.mint_click(mail, 0, 0, b"https://example.com/plans")
        async with session.get(f"/c/{click}", allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Location"] == "https://example.com/plans"
        async with session.get(f"/o/{TOKENS.mint_open(mail)}") as answer:
            assert answer.content_type == "image/gif"
        async with session.get("/health") as answer:
            assert answer.status == 503
        await asyncio.to_thread(own_server.start)
        async with session.get("/health") as answer:
            assert answer.status == 200
    kinds = own_server.execute("SELECT kind FROM hit ORDER BY id", TEMPLATE)
    assert [row["kind"] for row in kinds] == [1, 0]


def add_ana(connection: Any) -> int:
    row = {"login": "ana", "login_key": "ana", "enabled": True, "created_at_ms": 0}
    row |= {"opens": True, "clicks": True, "sticky": True}
    return roster.insert_sender(connection, row, [])


@pytest.fixture
def make_row() -> Callable[..., Sent]:
    """The message of a number, of the sender who is the first."""

    def make(number: int, **changes: Any) -> Sent:
        values: dict[str, Any] = {
            "message_id": 1_000 + number,
            "sender_id": 1,
            "sent_at_ms": 0,
            "mail_from": "ana@example.com",
            "recipients": ("ben@example.net",),
            "subject": f"Mail {number}",
            "message_id_header": "",
            "opens": True,
            "clicks": True,
        }
        return Sent(**{**values, **changes})

    return make


async def test_a_commit_that_was_not_answered_is_undone(
    database: OnServer, make_row: Callable[..., Sent]
) -> None:
    """Who hears of an error finds nothing stored, although the server had stored it."""
    async with open_way(database.server) as way:
        store = await Store.open(way.url(database.name))
        await store.write(add_ana)
        way.cut_behind = b"COMMIT"
        with pytest.raises(StoreUnavailable):
            await store.record_sent(make_row(1))
        assert database.execute("SELECT id FROM message") == [(1_001,)]
        way.cut_behind = None
        await store.check()
        assert await store.read(select(message.c.id)) == []
        await store.close()


async def test_a_server_that_falls_silent_is_given_up(
    database: OnServer, make_row: Callable[..., Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_SECONDS", "WRITE_SECONDS", "READ_SECONDS", "GRACE_SECONDS"):
        monkeypatch.setattr(postgres, name, 0.1 if name == "GRACE_SECONDS" else 0.5)
    async with open_way(database.server) as way:
        store = await Store.open(way.url(database.name))
        await store.write(add_ana)
        way.open.clear()
        outcomes = await asyncio.gather(
            store.record_sent(make_row(1), timeout=60),
            store.read(select(message.c.id)),
            return_exceptions=True,
        )
        assert [type(each) for each in outcomes] == [StoreUnavailable, StoreUnavailable]
        way.open.set()
        await store.record_sent(make_row(2), timeout=60)
        await store.close()


async def test_a_statement_that_takes_too_long_ends(
    database: OnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WRITE_SECONDS", 0.05)
    monkeypatch.setattr(postgres, "READ_SECONDS", 0.05)
    store = await Store.open(database.url)
    sleep = text("SELECT pg_sleep(60)")
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await store.write(lambda connection: connection.execute(sleep))
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await store.read(sleep)
    await store.check()
    await store.close()


async def test_a_bad_value_is_no_outage(database: OnServer, make_row: Callable[..., Sent]) -> None:
    """Its neighbours in the group are stored; it is refused, in words without the row's values."""
    store = await Store.open(database.url)
    await store.write(add_ana)
    outcomes = await asyncio.gather(
        store.record_sent(make_row(1)),
        store.record_sent(make_row(2, message_id=2**63)),
        store.record_sent(make_row(3, sender_id=99)),
        store.write(lambda connection: connection.execute(insert(agent), {"text": "a\0b"})),
        store.record_sent(make_row(4)),
        return_exceptions=True,
    )
    await store.close()
    assert [each is None for each in outcomes] == [True, False, False, False, True]
    assert isinstance(outcomes[2], StoreUnavailable)
    assert isinstance(outcomes[2].__cause__, StoreConflict)
    assert "ben@example.net" not in "".join(map(str, outcomes))
    assert len(database.execute("SELECT id FROM message")) == 2


async def test_two_processes_count_together(
    database: OnServer, make_row: Callable[..., Sent]
) -> None:
    """Hits of the same messages and agents at one time, in any order: none is lost."""
    stores = [await Store.open(database.url) for _ in range(3)]
    await stores[0].write(add_ana)
    mails = [make_row(number) for number in range(10)]
    for mail in mails:
        await stores[0].record_sent(mail)

    def hits(first: int) -> list[Hit]:
        order = mails[first:] + mails[:first]
        return [
            Hit(
                kind="open",
                message_id=mail.message_id,
                recipient=0,
                link=None,
                at_ms=1,
                method="GET",
                agent=f"Agent/{mail.message_id}",
                purpose="",
                address=None,
            )
            for mail in (order[::-1] if first % 2 else order)
        ]

    judged = Verdict("person", "browser", 1.0)
    await asyncio.gather(
        *(
            store.write(
                partial(
                    store_hits,
                    hits=hits(number),
                    judge=lambda *_: judged,
                    keeping=Keeping(agents="full"),
                )
            )
            for number in range(5)
            for store in stores
        )
    )
    counted = await stores[0].read(select(message.c.open_count, message.c.raw_open_count))
    assert {tuple(row) for row in counted} == {(15, 15)}
    assert database.execute("SELECT count(*), count(DISTINCT agent_id) FROM hit") == [(150, 10)]
    for store in stores:
        await store.close()


async def test_a_refusal_is_seen_by_who_would_overrule_it(database: OnServer) -> None:
    """Two processes decide of one recipient at one time: the second one waits for the first."""
    first, second = await Store.open(database.url), await Store.open(database.url)
    sender_id = await first.write(add_ana)
    operator = Consents(second)
    granting: list[asyncio.Task[bool]] = []

    async def let_the_other_wait() -> None:
        granting.append(asyncio.create_task(allow()))
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not await asyncio.to_thread(database.execute, waits):
            pass

    async def allow() -> bool:
        return await operator.decide(sender_id, "bob@example.org", {"open": True}, how="command")

    def refuse(connection: Any) -> None:
        key = connection.execute(FIND_SECRET).scalar_one()
        refusal = Decision(
            sender_id=sender_id,
            address="bob@example.org",
            kind="open",
            granted=False,
            at_ms=1,
            how="notice",
        )
        add_decisions(connection, [refusal], key, dated=False)
        await_only(let_the_other_wait())

    await first.write(refuse)
    with pytest.raises(RefusalStands):
        await granting[0]
    for store in (first, second):
        await store.close()
