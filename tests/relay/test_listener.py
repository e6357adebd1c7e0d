"""How clients come in, counted before they are heard; on both event loops that `serve` may have."""

import asyncio
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
import uvloop
from relays import HOSTNAME, PATIENCE, RawClient, Relay, client_tls, door_tls, running_relay, until

from collector.client import read_networks
from relay.arrival import Arrival, plain_address
from relay.connections import Connections
from relay.listener import Listener, bind, listen
from relay.proxy import SIGNATURE
from relay.service import Door
from relay.smtpd import SubmissionServer

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
NOBODY = 9  # where no upstream listens: nothing is sent here
LOOPBACK, ELSEWHERE = read_networks(["127.0.0.0/8"]), read_networks(["192.0.2.0/24"])
Run = Callable[[Coroutine[Any, Any, None]], None]
Start = Callable[..., AbstractAsyncContextManager[Relay]]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs the test's own coroutine to its end."""

    def run(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(test, 3 * PATIENCE))

    return run


@pytest.fixture
def start(store_template: Path, tmp_path: Path, authority: trustme.CA) -> Start:
    """`async with start(limit=3) as relay`: with the doors plain, starttls and implicit."""
    tls = door_tls(authority, HOSTNAME)
    doors = {
        "plain": Door(allow_plain_auth=True),
        "starttls": Door(tls=tls),
        "implicit": Door(tls=tls, implicit=True),
        "proxied": Door(allow_plain_auth=True, proxies=LOOPBACK),
        "proxied implicit": Door(tls=tls, implicit=True, proxies=LOOPBACK),
        "proxied from elsewhere": Door(allow_plain_auth=True, proxies=ELSEWHERE),
    }

    @asynccontextmanager
    async def start(limit: int = 100, limit_per_address: int = 100) -> AsyncIterator[Relay]:
        connections = Connections(limit=limit, limit_per_address=limit_per_address)
        options: dict[str, Any] = {"doors": doors, "connections": connections}
        async with running_relay(store_template, tmp_path, NOBODY, **options) as relay:
            yield relay

    return start


def counted(relay: Relay) -> int:
    return len(relay.service.connections._sessions)


# --- limits ---------------------------------------------------------------------------------------


def test_handshakes_are_counted_as_sessions_are(run: Run, start: Start) -> None:
    async def test() -> None:
        async with start(limit=3) as relay:
            silent = [await RawClient.connect(relay.ports["implicit"]) for _ in range(3)]
            await until(lambda: counted(relay) == 3)
            async with await RawClient.connect(relay.ports["implicit"]) as fourth:
                assert await fourth.line() == ""  # a word would cost the handshake
            async with await RawClient.connect(relay.ports["plain"]) as fifth:
                assert (await fifth.reply()).startswith("421 4.7.0 Too many connections")
                assert await fifth.line() == ""
            silent[0].writer.close()
            await until(lambda: counted(relay) == 2)
            async with await RawClient.connect(relay.ports["plain"]) as sixth:
                assert (await sixth.reply()).startswith("220 ")

    run(test())


def test_a_session_has_the_place_that_its_handshake_had(
    run: Run, start: Start, authority: trustme.CA
) -> None:
    async def test() -> None:
        async with start(limit=1) as relay:
            for _ in range(3):  # each leaves the place to the next
                tls = client_tls(authority)
                async with await RawClient.connect(relay.ports["implicit"], tls) as client:
                    assert (await client.reply()).startswith("220 ")
                    assert counted(relay) == 1
                    assert (await client.ask("QUIT")).startswith("221 ")
                    assert await client.line() == ""
                await until(lambda: counted(relay) == 0)

    run(test())


# --- handshakes that come to nothing --------------------------------------------------------------


async def say_nonsense(client: RawClient) -> None:
    await client.send(b"EHLO client.example.com\r\n" * 10)


async def stop_sending(client: RawClient) -> None:
    client.writer.write_eof()


async def go_away(client: RawClient) -> None:
    sock = client.writer.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def say_half(client: RawClient) -> None:
    """A handshake's first record, cut short; then nothing more."""
    await client.send(b"\x16\x03\x01\x02\x00\x01\x00")


@pytest.mark.parametrize("deed", [say_nonsense, stop_sending, go_away, say_half])
@pytest.mark.parametrize("door", ["implicit", "starttls"])
def test_a_broken_handshake_leaves_nothing_but_a_word_in_the_log(
    run: Run,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    door: str,
    deed: Callable[[RawClient], Coroutine[Any, Any, None]],
) -> None:
    if deed is say_half:
        monkeypatch.setattr("relay.arrival.HANDSHAKE_TIMEOUT", 0.2)
        monkeypatch.setattr("relay.smtpd.HANDSHAKE_TIMEOUT", 0.2)

    async def test() -> None:
        async with start() as relay:
            client = await RawClient.connect(relay.ports[door])
            if door == "starttls":
                await client.reply()
                assert (await client.ask("EHLO client.example.com")).startswith("250-")
                assert (await client.ask("STARTTLS")).startswith("220 ")
            await until(lambda: counted(relay) == 1)
            await deed(client)
            await until(lambda: counted(relay) == 0)
            client.writer.close()

    with structlog.testing.capture_logs() as logs:
        run(test())
    assert [event["peer"] for event in logs if event["event"] == "handshake failed"] == [
        "127.0.0.1"
    ]
    assert "Traceback" not in caplog.text
    assert "never retrieved" not in caplog.text


# --- proxies --------------------------------------------------------------------------------------


def line(address: str) -> bytes:
    return b"PROXY TCP4 %b 198.51.100.1 4096 587\r\n" % address.encode()


@pytest.mark.parametrize(
    ("header", "peer", "auth"),
    [
        (line("192.0.2.7"), "192.0.2.7", False),
        (line("127.0.0.3"), "127.0.0.3", True),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7", False),
        (b"PROXY UNKNOWN\r\n", "0.0.0.0", False),
        (SIGNATURE + b"\x20\0\0\0", "127.0.0.1", True),
    ],
)
def test_a_session_is_its_clients(
    run: Run, start: Start, header: bytes, peer: str, auth: bool
) -> None:
    """In the limits, and where a password may be said without TLS."""

    async def test() -> None:
        async with start() as relay, await RawClient.connect(relay.ports["proxied"]) as client:
            await client.send(header)
            assert (await client.reply()).startswith("220 ")
            assert list(relay.service.connections._addresses) == [peer]
            assert ("AUTH" in await client.ask("EHLO client.example.com")) == auth

    run(test())


def test_what_follows_the_header_is_the_clients(
    run: Run, start: Start, authority: trustme.CA
) -> None:
    def greeting(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            sock.send(line("192.0.2.7"), socket.MSG_MORE)  # leaves together with what comes next
            tls = client_tls(authority)
            with tls.wrap_socket(sock, server_hostname=HOSTNAME) as client:
                return client.recv(100)

    async def test() -> None:
        async with start() as relay:
            port = relay.ports["proxied implicit"]
            assert (await asyncio.to_thread(greeting, port)).startswith(b"220 ")

    run(test())


def test_a_proxys_clients_are_limited_each_by_its_own_address(run: Run, start: Start) -> None:
    async def test() -> None:
        async with start(limit_per_address=1) as relay:
            clients = [await RawClient.connect(relay.ports["proxied"]) for _ in range(3)]
            for number, client, code in zip((1, 2, 1), clients, (220, 220, 421), strict=True):
                await client.send(line(f"192.0.2.{number}"))
                assert (await client.reply()).startswith(f"{code} ")
            assert counted(relay) == 2

    run(test())


@pytest.mark.parametrize(
    ("door", "octets", "event"),
    [
        ("proxied", b"EHLO client.example.com\r\n", "proxy refused"),
        ("proxied implicit", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\0", "proxy refused"),
        ("proxied", b"PROXY TCP4 ", "proxy refused"),
        ("proxied from elsewhere", line("192.0.2.7"), "client refused"),
    ],
)
def test_who_is_no_proxy_is_told_nothing(
    run: Run,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    door: str,
    octets: bytes,
    event: str,
) -> None:
    monkeypatch.setattr("relay.arrival.PROXY_TIMEOUT", 0.2)

    async def test() -> None:
        async with start() as relay:
            client = await RawClient.connect(relay.ports[door])
            await client.send(octets)
            assert await client.line() == ""
            assert counted(relay) == 0

    with structlog.testing.capture_logs() as logs:
        run(test())
    assert [each["event"] for each in logs] == [event]


def test_a_proxy_that_says_nothing_is_counted_and_then_closed(
    run: Run, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with start(limit=1) as relay:
            silent = await RawClient.connect(relay.ports["proxied"])
            await until(lambda: counted(relay) == 1)
            assert relay.service.connections._addresses.total() == 0
            async with await RawClient.connect(relay.ports["proxied"]) as second:
                assert (await second.reply()).startswith("421 ")
            silent.writer.close()  # as a proxy does that only looks whether we are there
            await until(lambda: counted(relay) == 0)
            monkeypatch.setattr("relay.arrival.PROXY_TIMEOUT", 0.05)
            third = await RawClient.connect(relay.ports["proxied"])
            assert await third.line() == ""

    with structlog.testing.capture_logs() as logs:
        run(test())
    assert [each["problem"] for each in logs] == ["no whole header came in time"]


def test_a_stopping_server_waits_for_no_proxy(run: Run, start: Start) -> None:
    async def test() -> None:
        async with start() as relay:
            silent = await RawClient.connect(relay.ports["proxied"])
            await until(lambda: counted(relay) == 1)
            await relay.service.connections.drain(PATIENCE)
            assert await silent.line() == ""

    run(test())


# --- ends -----------------------------------------------------------------------------------------


def test_a_stopping_server_waits_for_no_handshake(run: Run, start: Start) -> None:
    async def test() -> None:
        async with start() as relay:
            silent = await RawClient.connect(relay.ports["implicit"])
            await until(lambda: counted(relay) == 1)
            await relay.service.connections.drain(PATIENCE)
            assert await silent.line() == ""
            assert counted(relay) == 0

    run(test())


def test_an_arrival_that_ends_before_it_begins(run: Run, start: Start) -> None:
    async def test() -> None:
        async with start() as relay:
            ours, theirs = socket.socketpair(socket.AF_UNIX)
            with theirs:
                arrival = Arrival(ours, "192.0.2.1", relay.service, Door())
                arrival.begin()
                assert counted(relay) == 1
                arrival.finish()  # its task has not had a turn
                await until(lambda: counted(relay) == 0)
                assert ours.fileno() == -1
                assert theirs.recv(1) == b""

    run(test())


def test_a_session_whose_arrival_has_left_ends(run: Run, start: Start) -> None:
    async def test() -> None:
        async with start() as relay:
            ours, theirs = socket.socketpair(socket.AF_UNIX)
            arrival = Arrival(ours, "192.0.2.1", relay.service, Door())  # has no place
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: SubmissionServer(relay.service, Door(), peer="192.0.2.1", arrival=arrival),
                ours,
            )
            reader, writer = await asyncio.open_unix_connection(sock=theirs)
            await reader.read()
            writer.close()
            assert counted(relay) == 0

    run(test())


def test_a_closed_listener_takes_nobody_and_ends_nobody(run: Run, start: Start) -> None:
    async def test() -> None:
        async with start() as relay:
            listener = listen(bind("127.0.0.1", 0), relay.service, Door())
            port = listener.sockets[0].getsockname()[1]
            async with await RawClient.connect(port) as client:
                assert (await client.reply()).startswith("220 ")
                listener.close()
                listener.close()
                with pytest.raises(ConnectionRefusedError):
                    await RawClient.connect(port)
                assert (await client.ask("NOOP")).startswith("250 ")

    run(test())


# --- the system -----------------------------------------------------------------------------------


def test_small_replies_leave_at_once(
    run: Run, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[asyncio.Transport] = []
    connection_made = SubmissionServer.connection_made

    def seen(server: SubmissionServer, transport: asyncio.Transport) -> None:
        made.append(transport)
        connection_made(server, transport)

    monkeypatch.setattr(SubmissionServer, "connection_made", seen)

    async def test() -> None:
        async with start() as relay, await RawClient.connect(relay.ports["plain"]) as client:
            await client.reply()
            sock = made[0].get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(test())


@contextmanager
def no_more_files(limit: int) -> Iterator[None]:
    """Nothing can be opened: the limit is low, and all below it is taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        with suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(0))
        yield


def test_without_file_descriptors_clients_wait(
    run: Run, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.listener.PAUSE", 0.01)
    told: list[Any] = []
    looked: list[OSError] = []
    pause = Listener._pause

    def seen(listener: Listener, error: OSError) -> None:
        looked.append(error)
        pause(listener, error)

    monkeypatch.setattr(Listener, "_pause", seen)

    async def test() -> None:
        async with start() as relay:
            sock = socket.socket()
            sock.setblocking(False)
            with structlog.testing.capture_logs() as logs, no_more_files(sock.fileno() + 1):
                place = ("127.0.0.1", relay.ports["plain"])
                await asyncio.get_running_loop().sock_connect(sock, place)
                await until(lambda: len(looked) == 3)
                told.extend(logs)
            client = RawClient(*await asyncio.open_connection(sock=sock))
            assert (await client.reply()).startswith("220 ")
            client.writer.close()

    run(test())
    [event] = told
    assert (event["event"], event["problem"]) == (
        "no more connections can be taken",
        "Too many open files",
    )
    assert "LimitNOFILE=" in event["mend"]


def test_a_name_is_bound_on_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` where the machine lacks one of them."""
    lookup = socket.getaddrinfo

    def found(_: str, port: int, **options: Any) -> list[Any]:
        return [*lookup("192.0.2.1", port, **options), *lookup("127.0.0.1", port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    [bound] = bind("localhost", 0)
    with bound:
        assert bound.getsockname()[0] == "127.0.0.1"


def test_an_address_that_cannot_be_had() -> None:
    with pytest.raises(OSError, match="Cannot assign"):
        bind("192.0.2.1", 0)


def test_ipv6_alone_where_ipv6_is_asked_for() -> None:
    [bound] = bind("::1", 0)
    with bound:
        assert bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


async def test_a_taken_port(start: Start) -> None:
    async with start() as relay:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match="already in use"):
                bind("127.0.0.1", port)
        first, second = bind("127.0.0.1", 0), None
        second = bind("127.0.0.1", first[0].getsockname()[1])  # bound twice, before either listens
        listener = listen(first, relay.service, Door())
        with pytest.raises(OSError, match="already in use"):
            listen(second, relay.service, Door())
        assert second[0].fileno() == -1
        listener.close()


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_written_in_one_way(address: str, plain: str) -> None:
    assert plain_address(address) == plain
