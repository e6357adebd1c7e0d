"""The header block: fields as spans, text for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.header import header_size, read_fields, text_of

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
    "line", [b"Fr\0om: x", b"\xef\xbb\xbfFrom: x", b"F\x1brom\x7f\t: x", b"From\xc2\xa0: x"]
)
def test_a_name_is_what_is_left_of_it_without_octets_that_no_name_has(line: bytes) -> None:
    [field] = read_fields(line + b"\r\n\r\n")
    assert (field.name, field.value, field.end) == (b"from", b" x", len(line) + 2)


@pytest.mark.parametrize(
    ("content", "size"),
    [(b"\r\nbody", 0), (b"A: b\r\n\r\nbody", 6), (b"A: b\r\n", 6), (b"A: b", 4), (b"", 0)],
)
def test_the_size_of_the_header_block(content: bytes, size: int) -> None:
    assert header_size(content) == size
    assert all(field.end <= size for field in read_fields(content))


@given(st.binary(max_size=200))
def test_no_value_breaks_the_reading(value: bytes) -> None:
    assert text_of(value, 50).isprintable()


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
