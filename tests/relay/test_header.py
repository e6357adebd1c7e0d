"""The header block: fields as spans, the addresses a reader may see, text for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.header import addresses_of, header_size, read_fields, text_of

MESSAGE = (
    b"Received: by a\r\n\tid 1\r\n"
    b"From : Ana <ana@example.com>\r\n"
    b"SUBJECT:hello\r\n  world\r\n"
    b"no field at all\r\n"
    b" its continuation: x\r\n"
    b"X-Empty:\r\n"
    b"\r\n"
    b"Not-A-Field: body\r\n"
)


def test_fields_are_found_with_their_spans() -> None:
    fields = read_fields(MESSAGE)
    assert [field.name for field in fields] == [b"received", b"from", b"subject", b"x-empty"]
    assert fields[0].value == b" by a\r\n\tid 1"
    assert MESSAGE[fields[2].start : fields[2].end] == b"SUBJECT:hello\r\n  world\r\n"


@pytest.mark.parametrize(
    ("content", "size"),
    [(b"\r\nbody", 0), (b"A: b\r\n\r\nbody", 6), (b"A: b\r\n", 6), (b"A: b", 4), (b"", 0)],
)
def test_the_size_of_the_header_block(content: bytes, size: int) -> None:
    assert header_size(content) == size
    assert all(field.end <= size for field in read_fields(content))


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"ana@example.com", [b"ana@example.com"]),
        (b" Ana <ana@example.com>", [b"ana@example.com"]),
        (b'"Doe, Ana (home)" <ana@example.com>', [b"ana@example.com"]),
        (b'"ceo@bank.example" <ana@example.com>', [b"ana@example.com"]),
        (b"Doe, Inc. <ana@example.com>", [b"ana@example.com"]),
        (b"ana@example.com (Ana, eve@evil.example)", [b"ana@example.com"]),
        (b"Ana (a (nested) eve@evil.example) <ana@example.com>", [b"ana@example.com"]),
        (b"=?utf-8?q?Ana_@_home?= <ana@example.com>", [b"ana@example.com"]),
        (b"ana@example.com <ana@example.com>", [b"ana@example.com"] * 2),
        (b"ceo@bank.example <ana@example.com>", [b"ceo@bank.example", b"ana@example.com"]),
        (b"Team: ana@example.com,\r\n bob@example.com;", [b"ana@example.com", b"bob@example.com"]),
        (b'"ana smith"@example.com', [b'smith"@example.com']),
        (b'"ana"@example.com', [b'"ana"@example.com']),
        (b'"unclosed <ana@example.com>', [b"ana@example.com"]),
        (
            b"(unclosed eve@evil.example <ana@example.com>",
            [b"eve@evil.example", b"ana@example.com"],
        ),
        (b"ana @ example.com", [b"@"]),
        (b"Undisclosed", []),
        (b"", []),
    ],
)
def test_every_address_a_reader_may_see(value: bytes, addresses: list[bytes]) -> None:
    assert list(addresses_of(value)) == addresses


@given(st.binary(max_size=200))
def test_no_value_breaks_the_reading(value: bytes) -> None:
    assert all(b"@" in address for address in addresses_of(value))
    assert text_of(value, 50).isprintable()


@pytest.mark.parametrize("piece", [b'"', b"(", b"\\", b'"\\"', b"()", b"<", b"=?x?q?"])
def test_long_hostile_values_hide_nothing_and_take_no_minutes(piece: bytes) -> None:
    value = piece * 200_000 + b" eve@evil.example"
    assert b"eve@evil.example" in addresses_of(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" plain", "plain"),
        (b" folded\r\n\tvalue", "folded value"),
        (b" =?utf-8?q?h=C3=A9?= =?utf-8?b?w7w=?=", "h\u00e9\u00fc"),
        (b" =?iso-8859-1?q?=E4?=", "\u00e4"),
        (b" =?x-unknown?q?a?=", "=?x-unknown?q?a?="),
        (b" =?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("rohes \u00dc".encode(), "rohes \u00dc"),
        (b"a\x1b[31m\0b", "a [31m b"),
        (b"=?utf-8?q?a=0d=0ab?=", "a b"),
        (b"x" * 100, "x" * 20),
    ],
)
def test_text_for_people(value: bytes, text: str) -> None:
    assert text_of(value, 20) == text
