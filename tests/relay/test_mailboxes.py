"""Address lists: what is read, what is not, what is cut; and that no reader sees other authors.

The other reader is the standard library, in each way that programs use it.
"""

import contextlib
import email
import email.policy
import email.utils
import random
import re
from collections.abc import Iterator, Sequence
from email.message import Message

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.senders import Sender
from relay.auth import check_address, check_author
from relay.envelope import Refusal
from relay.header import read_fields
from relay.mailboxes import MAX_LIST, addresses_of, cuts, read_list

ANA = Sender(
    1,
    "ana",
    ("ana@example.com", "*@ana.example"),
    opens=True,
    clicks=True,
    sticky=True,
    enabled=True,
)


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"ana@example.com", [b"ana@example.com"]),
        (b" Ana <ana@example.com>", [b"ana@example.com"]),
        (b" J. R. Doe\r\n\t<ana@example.com> ", [b"ana@example.com"]),
        (b'"Doe, Ana (home)" <ana@example.com>', [b"ana@example.com"]),
        (b'"ceo@bank.example" <ana@example.com>', [b"ana@example.com"]),
        (b'"a long\r\n name" <ana@example.com>', [b"ana@example.com"]),
        (b'"an \\"A\\"" <ana@example.com>', [b"ana@example.com"]),
        (b"ana@example.com (Ana, eve@evil.example)", [b"ana@example.com"]),
        (b"Ana (a (nested) eve@evil.example) <ana@example.com>", [b"ana@example.com"]),
        (b"=?utf-8?q?Ana?= =?utf-8?b?w7w=?= <ana@example.com>", [b"ana@example.com"]),
        (b"ana@example.com, , Bob <bob@example.com>,", [b"ana@example.com", b"bob@example.com"]),
        (b"Team: ana@example.com,\r\n bob@example.com;", [b"ana@example.com", b"bob@example.com"]),
        (b"a@b.c, Us: d@e.f; (us), g@h.i", [b"a@b.c", b"g@h.i", b"d@e.f"]),
        (b'"ana smith"@example.com', [b'"ana smith"@example.com']),
        (b"ana@[192.0.2.1]", [b"ana@[192.0.2.1]"]),
        (
            "J\u00fcrgen <j\u00fcrgen@b\u00fccher.example>".encode(),
            ["j\u00fcrgen@b\u00fccher.example".encode()],
        ),
        # careless, and clear all the same
        (b"Doe, Inc. <ana@example.com>", [b"ana@example.com"]),
        (b"Doe: a [name] <ana@example.com>", [b"ana@example.com"]),
        (b"=?utf-8?q?Doe,_Inc.?= <ana@example.com>", [b"ana@example.com"]),
        (b"ana@example.com <ana@example.com>", [b"ana@example.com"] * 2),
        (b"ceo@bank.example <ana@example.com>", [b"ceo@bank.example", b"ana@example.com"]),
        # no address at all
        (b"Undisclosed", []),
        (b"Undisclosed:;", []),
        (b"", []),
    ],
)
def test_every_address_a_reader_may_see(value: bytes, addresses: Sequence[bytes]) -> None:
    assert addresses_of(value) == tuple(addresses)


UNCLEAR = [
    b'"unclosed <ana@example.com>',
    b"(unclosed eve@evil.example <ana@example.com>",
    b"ana @ example.com",
    b"ana@example . com",
    b"ana@exam(x)ple.com",
    b"Ana @ home <ana@example.com>",
    b"=?utf-8?q?Ana_@_home?= <ana@example.com>",
    b"=?utf-8?q?eve=40evil.example?=, Inc. <ana@example.com>",
    b"=?utf-7?q?eve+AEA-evil.example?=, Inc. <ana@example.com>",
    b"=?x-unknown?q?eve?=, Inc. <ana@example.com>",
    b"=?utf-8?q?eve=40evil.example=0D=0A?=: ana@example.com;",
    b'=?utf-8?q?"?==?utf-8?q?=3B_eve=40evil.example?=" <ana@example.com>',
    b"=?utf-8?q?eve=40evil.example?=@ana.example",
    b'"x\r\n eve@evil.example" <ana@example.com>',
    b'"x\r\n y" "eve@evil.example" <ana@example.com>',
    b"<@evil.example:ana@example.com>",
    b"<ana@example.com> <eve@evil.example>",
    b"ana@example.com eve@evil.example",
    b"ana@example.com; eve@evil.example",
    b"Team: Us: ana@example.com;;",
    b"Team: ana@example.com",
    b"Team: ana@example.com; eve@evil.example",
    b"ana@example.com: eve@evil.example;",
    b": ana@example.com;",
    b"ana@example.com;",
    b"Ana\x00 <ana@example.com>",
    b'"Ana\x1b" <ana@example.com>',
    b"ana@example.com\x0b",
    b"<>, ana@example.com",
    b" " * MAX_LIST + b"ana@example.com",
    b"=?utf-8?q?x?= , " + b"x" * 2_000 + b" <ana@example.com>",
]


@pytest.mark.parametrize("value", UNCLEAR, ids=[repr(value[:60]) for value in UNCLEAR])
def test_what_is_not_clear_is_not_guessed(value: bytes) -> None:
    assert addresses_of(value) is None
    assert read_list(value) is None


@given(st.binary(max_size=200))
@example(b"@")
def test_no_value_breaks_the_reading(value: bytes) -> None:
    assert all(b"@" in address for address in addresses_of(value) or ())


HOSTILE = [
    b'"',
    b"(",
    b"\\",
    b'"\\"',
    b"()",
    b"((a)",
    b"<",
    b"=?x?q?",
    b" ",
    b"\r\n ",
    b"a.",
    b"a@b,",
]


@pytest.mark.parametrize("piece", [*HOSTILE, b"x:;,", b"a ", b"a@", b'"a" ', b"=?u?q?a?= "])
@pytest.mark.parametrize("tail", [b"", b"@", b" eve@evil.example"])
def test_long_hostile_values_hide_nothing_and_take_no_minutes(piece: bytes, tail: bytes) -> None:
    value = piece * ((MAX_LIST - 100) // len(piece)) + tail
    seen = addresses_of(value)
    assert seen is None or tail.lstrip() in (b"", b"@", *seen)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b" x@z", None),
        (b" X <x@z> (gone)\r\n ", None),
        (b" a@b, x@z", b" a@b"),
        (b" x@z, a@b", b" a@b"),
        (b" x@z,\r\n\ta@b\r\n ", b" a@b\r\n "),
        (b" a@b, x@z, c@d", b" a@b, c@d"),
        (b' a@b , "X, Y" <x@z> , c@d', b" a@b , c@d"),
        (b" x@z, x@z, a@b, x@z, x@z", b" a@b"),
        (b" x@z, x@z", None),
        (b" , x@z,, a@b", b"a@b"),
        (b" a@b,\r\n\t,\r\n\tx@z", b" a@b"),
        (b" x@z,,", None),
        (b" a@b,, c@d,", b" a@b,, c@d,"),
        (b" Us: x@z;", b" Us: ;"),
        (b" Us: x@z, a@b;, x@z", b" Us: a@b;"),
        (b" x@z, Us:a@b,x@z; , c@d", b" Us:a@b; , c@d"),
    ],
)
def test_what_is_cut_out_of_a_list(value: bytes, left: bytes | None) -> None:
    runs = read_list(value)
    assert runs
    kept = value
    for start, end in reversed(cuts(runs, lambda address: address == b"x@z")):
        kept = kept[:start] + kept[end:]
    assert kept == left if left is not None else not kept.strip()
    assert b"x@z" not in kept


PIECES = [
    *[b"ana@example.com", b"<ana@example.com>", b"<ana@example.com>", b'"', b"("] * 2,
    *[b"eve@evil.example", b"<eve@evil.example>", b"x@ana.example", b'"x y"@ana.example'],
    *[b")", b"\\", b",", b";", b":", b"<", b">", b"@", b".", b" ", b"\t", b"\r\n ", b"\r\n\t"],
    *[b"Ana", b'"Ana Doe"', b'"eve@evil.example"', b'"a\\"b"', b"(eve@evil.example)", b"(x (y))"],
    *[b"=?utf-8?q?Ana?=", b"=?utf-8?q?eve=40evil.example?=", b"=?utf-8?q?=22?=", b'=?utf-8?q?"?='],
    *[b"=?utf-8?b?ZXZlQGV2aWwuZXhhbXBsZQ==?=", b"=?utf-8?q?=3Ceve=40evil.example=3E=2C?="],
    *[b"=?utf-8?q?=29=2C_eve=40evil.example_=28?=", b"=?utf-8?q?eve=40evil.example=0D=0A?="],
    *[b"=?utf-7?q?eve+AEA-evil.example?=", b"=?us-ascii?Q?=00?=", b"=?utf-8?q?=2C?=", b"=?", b"?="],
    *[b"Team:", b"[", b"]", b"[192.0.2.1]", b"@a.example,@b.example:", b"evil.example", b"%", b"!"],
    *[
        b"\0",
        b"\x0b",
        b"\x0c",
        b"\x1b",
        b"\x1c",
        b"\xff",
        b"\xc3\xa4",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
    ],
]
FRAMES = [
    *[b"%b", b"%b <ana@example.com>", b"Ana %b <ana@example.com>", b'"%b" <ana@example.com>'],
    *[b"ana@example.com (%b)", b"ana@example.com, %b", b"G: %bana@example.com;"],
    *[b'"a" <ana@example.com>, %b<x@ana.example>'],
]
LINES = [
    *[b"Subject: x\r\n", b"junk\r\n", b" folded\r\n", b"From eve@evil.example Mon\r\n", b":\r\n"],
    *[b"From: eve@evil.example\r\n", b"From : eve@evil.example\r\n", b"FROM:eve@evil.example\r\n"],
    *[
        b"Fr\0om: eve@evil.example\r\n",
        b"From\r\n : eve@evil.example\r\n",
        b"Sender: \x0cFrom: e@e\r\n",
    ],
]


def shown(message: bytes) -> Iterator[str]:
    """Every address that the standard library's readers show as an author's."""
    readings: list[Message] = []
    for policy in (email.policy.default, email.policy.compat32):
        readings.append(email.message_from_bytes(message, policy=policy))  # type: ignore[arg-type]
        text = message.decode("utf-8", "replace")
        readings.append(email.message_from_string(text, policy=policy))  # type: ignore[arg-type]
    for reading in readings:
        # that parser has faults of its own, and shows nothing then
        with contextlib.suppress(IndexError, AttributeError, TypeError, ValueError):
            for author in reading.get_all("From", []):
                yield from (each.addr_spec for each in getattr(author, "addresses", ()))
                yield from (address for _, address in email.utils.getaddresses([str(author)]))
                yield email.utils.parseaddr(str(author))[1]


def is_own(text: str) -> bool:
    """Whether each address in it is one of ana's."""
    words = [text, *re.split(r'[\s<>,;:"()]+', text)]
    for word in words:
        try:
            if "@" in word:
                check_address(ANA, word.encode("utf-8", "surrogateescape"))
        except Refusal:
            if word is not text:
                return False
        else:
            if word is text:
                return True
    return True


def passes(message: bytes) -> bool:
    try:
        check_author(ANA, read_fields(message))
    except Refusal:
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_no_reader_sees_other_authors(seed: int) -> None:
    rng = random.Random(seed)
    accepted = 0
    for _ in range(4_000):
        pieces = b"".join(rng.choices(PIECES, k=rng.randint(0, 5)))
        lines = rng.choices(LINES, k=rng.randint(0, 2)) if rng.random() < 0.2 else []
        lines.append(b"From: " + rng.choice(FRAMES).replace(b"%b", pieces) + b"\r\n")
        rng.shuffle(lines)
        message = b"".join(lines) + b"\r\nbody\r\n"
        if passes(message):
            accepted += 1
            assert all(map(is_own, shown(message))), message
    assert accepted > 200


@pytest.mark.parametrize("value", UNCLEAR, ids=[repr(value[:60]) for value in UNCLEAR])
def test_mail_whose_author_is_not_clear_is_refused(value: bytes) -> None:
    assert not passes(b"From: " + value + b"\r\n\r\n")
