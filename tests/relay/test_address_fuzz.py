"""A million addresses, made of good and bad ones and their mutations: each is refused, or is sent
on as it was given, octet for octet. Twenty thousand of those that are taken go through a session.
"""

import base64
import random
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from relays import PASSWORD, RawClient, Script, running_relay

from relay.address import parse_rcpt
from relay.envelope import Recipient, Refusal
from relay.extensions import _rcpt

MILLION = 1_000_000
THROUGH = 20_000
A_MAIL = 1000  # recipients
LOGIN = b"AUTH PLAIN " + base64.b64encode(b"\0ana\0" + PASSWORD.encode())

LOCALS = [
    b"bob",
    b"b",
    b"bob+tag.x",
    b"!#$%&'*+/=?^_`{|}~-",
    b'"john doe"',
    b'"a\\"b\\\\c"',
    b'"a>b"',
    b'"<@>"',
    b'""',
    b"=?utf-8?q?x=0d=0aRCPT_TO:<z@evil.example>?=",
    b"=?utf-8?b?DQo=?=",
    b"@hop.example:bob",
    b"@a.example,@b.example:bob",
    b"bob(comment)",
    b"a" * 64,
    b"a" * 65,
    b".bob",
    b"b..b",
    b"%00",
    b"bob%eve@example.net",
    b"eve@example.net!bob",
    "jörg".encode(),
    "用户".encode(),
    b"\xed\xa0\x80",
    b"\xc0\x80",
]
DOMAINS = [
    b"example.org",
    b"x",
    b"Sub.EXAMPLE.org",
    b"1.example",
    b"xn--bcher-kva.example",
    b"[192.0.2.1]",
    b"[IPv6:2001:db8::1]",
    b"[IPv6:::ffff:192.0.2.1]",
    b"[tag:x]",
    b"-a.example",
    b"a-.example",
    b"a..example",
    b"example.org.",
    b".".join([b"d" * 63] * 4),
    "bücher.example".encode(),
    "例子.广告".encode(),
    "a。example".encode(),
    b"ex_ample.org",
]
# What a mutation puts in: where grammars, shells, headers and terminals disagree.
ODD = [bytes([octet]) for octet in b"\0\t\n\v\r\x1b !\"#%&'(),.:;<=>?@[\\]^`{|}~\x7f\x80\xa0\xff-+"]
ODD += [
    b"\r\n",
    b"\\\r",
    b'\\"',
    b'"',
    b">",
    b"><",
    b"> <",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"a" * 60,
]
PARAMETERS = [
    b" NOTIFY=NEVER",
    b" ORCPT=rfc822;Bob+40example.org",
    b" NOTIFY=SUCCESS,delay ORCPT=x;y",
]


def paths(seed: int) -> Iterator[bytes]:
    """What stands behind `RCPT TO:`, without end; the same for the same seed."""
    choice = random.Random(seed)
    pick, below = choice.choice, choice.randrange
    while True:
        path = b"<" + pick(LOCALS) + b"@" + pick(DOMAINS) + b">"
        for _ in range(below(4)):
            at = below(len(path) + 1)
            path = path[:at] + pick(ODD) + path[at + below(3) :]
        yield path


def sent(path: bytes, parameters: bytes = b"") -> bytes | None:
    """What goes to upstream for it, None if it is refused."""
    try:
        address, given = parse_rcpt(b"TO:" + path + parameters, utf8=True)
    except Refusal:
        return None
    return _rcpt(Recipient(address, given), {"dsn", "smtputf8"})


def test_a_million_addresses_are_refused_or_sent_as_given() -> None:
    control = re.compile(rb"[\0-\x1f\x7f]")
    taken = 0
    for path in islice(paths(1), MILLION):
        line = sent(path)
        if line is not None:
            taken += 1
            assert line == b"RCPT TO:" + path.strip(b" ") + b"\r\n"
            assert not control.search(path)
            assert line.endswith(b">\r\n")
    assert MILLION // 20 < taken < MILLION // 2


def test_parameters_do_not_change_what_is_an_address() -> None:
    for path in islice(paths(2), MILLION // 100):
        line = sent(path)
        for parameters in PARAMETERS:
            expected = line and line.removesuffix(b"\r\n") + parameters + b"\r\n"
            assert sent(path.strip(b" "), parameters) == expected


async def test_twenty_thousand_go_through_a_session(store_template: Path, tmp_path: Path) -> None:
    taken = (path for path in paths(3) if sent(path) == b"RCPT TO:" + path + b"\r\n")
    given = [b"RCPT TO:" + path + b"\r\n" for path in islice(taken, THROUGH)]
    async with (
        Script("250-script\r\n250-PIPELINING\r\n250 SMTPUTF8").running() as script,
        running_relay(store_template, tmp_path, script.port, max_recipients=A_MAIL) as relay,
        await RawClient.connect(relay.ports["plain"]) as client,
    ):
        await client.reply()
        await client.ask("EHLO client.example.com")
        assert (await client.ask(LOGIN)).startswith("235 ")
        for start in range(0, THROUGH, A_MAIL):
            assert (await client.ask("MAIL FROM:<ana@example.com> SMTPUTF8")).startswith("250 ")
            await client.send(b"".join(given[start : start + A_MAIL]))
            replies = {await client.reply() for _ in range(A_MAIL)}
            assert replies == {"250 2.1.5 Recipient ok"}
            assert (await client.ask("DATA")).startswith("354 ")
            await client.send(b"From: ana@example.com\r\n\r\n.\r\n")
            assert (await client.reply()).startswith("250 ")
    assert [line for line in script.lines if line.startswith(b"RCPT")] == given
