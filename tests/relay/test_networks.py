"""Clients of listed networks, who need no login."""

import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from relays import PASSWORD, RawClient, Relay, Sink, running_relay

from collector.errors import StoreUnavailable
from collector.store import Store
from relay.networks import Networks
from relay.smtpd import Door

HERE = (ip_network("127.0.0.0/8"), "ana")
AUTH = b"AUTH PLAIN " + base64.b64encode(b"\0ana\0" + PASSWORD.encode())
Start = Callable[..., AbstractAsyncContextManager[tuple[Relay, RawClient, Sink]]]


@pytest.fixture
def start(store_template: Path, tmp_path: Path) -> Start:
    """A relay with a client that has said EHLO, and what stands behind it."""

    @asynccontextmanager
    async def running(**options: Any) -> AsyncIterator[tuple[Relay, RawClient, Sink]]:
        options = {"networks": [HERE]} | options
        async with (
            Sink().running() as sink,
            running_relay(store_template, tmp_path, sink.port, **options) as relay,
            await RawClient.connect(next(iter(relay.ports.values()))) as client,
        ):
            await client.reply()
            assert (await client.ask("EHLO app.example.com")).startswith("250")
            yield relay, client, sink

    return running


async def send(client: RawClient) -> str:
    for line in ("MAIL FROM:<ana@example.com>", "RCPT TO:<bob@example.org>", "DATA"):
        await client.ask(line)
    return await client.ask(b"From: ana@example.com\r\n\r\nbody\r\n.")


def with_word(sink: Sink) -> str:
    """How the last mail's trace says that it came."""
    found = re.search(rb" with (\w+) id ", sink.mails[-1].content)
    assert found
    return found[1].decode()


def test_the_first_network_that_fits() -> None:
    networks = Networks(
        None,  # type: ignore[arg-type]
        [
            (ip_network("10.1.0.0/16"), "one"),
            (ip_network("10.0.0.0/8"), "ten"),
            (ip_network("2001:db8::/32"), "six"),
        ],
    )
    found = {
        peer: networks.login_of(peer)
        for peer in ("10.1.2.3", "10.2.2.3", "2001:db8::1", "11.0.0.1", "::1", "", "a.example")
    }
    assert found == {
        "10.1.2.3": "one",
        "10.2.2.3": "ten",
        "2001:db8::1": "six",
        "11.0.0.1": None,
        "::1": None,
        "": None,
        "a.example": None,
    }


async def test_it_sends_as_its_networks_sender_and_the_trace_says_no_login(start: Start) -> None:
    async with start(doors={"open": Door()}) as (_, client, sink):
        assert (await send(client)).startswith("250 ")
        assert with_word(sink) == "ESMTP"
        assert (await client.ask("MAIL FROM:<eve@example.com>")).startswith("550 5.7.1")


async def test_it_may_log_in_all_the_same(start: Start) -> None:
    async with start(networks=[(HERE[0], "app")]) as (relay, client, sink):
        await relay.senders.add("app", PASSWORD, ["app@example.com"])
        assert (await client.ask("MAIL FROM:<app@example.com>")).startswith("250 ")
        assert (await client.ask(AUTH)).startswith("503 ")
        assert (await client.ask("RSET")).startswith("250 ")
        assert (await client.ask(AUTH[:-4])).startswith(("501 ", "535 "))
        assert (await client.ask(AUTH)).startswith("235 ")
        assert (await client.ask(AUTH)).startswith("503 ")
        assert (await send(client)).startswith("250 ")
        assert with_word(sink) == "ESMTPA"


@pytest.mark.parametrize("state", ["missing", "disabled"])
async def test_without_its_sender_it_is_a_stranger(start: Start, state: str) -> None:
    login = "ana" if state == "disabled" else "nobody"
    async with start(networks=[(HERE[0], login)]) as (relay, client, _):
        if state == "disabled":
            await relay.senders.set_enabled(relay.ana.id, False)
        assert (await client.ask("MAIL FROM:<ana@example.com>")).startswith("530 5.7.0")


async def test_a_foreign_network_needs_a_login(start: Start) -> None:
    async with start(networks=[(ip_network("192.0.2.0/24"), "ana")]) as (_, client, _):
        assert (await client.ask("MAIL FROM:<ana@example.com>")).startswith("530 5.7.0")


async def test_while_senders_cannot_be_read_it_is_put_off(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("it is locked")

    async with start() as (_, client, _):
        with monkeypatch.context() as away:
            away.setattr(Store, "read", fail)
            assert (await client.ask("MAIL FROM:<ana@example.com>")).startswith("451 4.3.0")
        assert (await client.ask("MAIL FROM:<ana@example.com>")).startswith("250 ")


async def test_it_is_no_stranger_whose_time_is_short(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.patience.LOGIN_SECONDS", 0.01)
    async with start(idle_timeout=0.3) as (_, client, _):
        assert (await client.reply()).startswith("421 4.4.2")  # by the idle time alone
    async with start() as (_, client, _):
        assert (await client.ask("NOOP")).startswith("250 ")
        assert (await send(client)).startswith("250 ")
