"""DKIM's relaxed form, against RFC 6376's examples and dkimpy's, in pieces of any shape."""

from base64 import b64encode
from hashlib import sha256

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from relay.canonical import body_hash, relaxed_field

LINES = st.lists(st.text(st.sampled_from(" \tab"), max_size=8).map(str.encode), max_size=12).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)


def test_the_example_of_rfc_6376() -> None:
    """§3.4.5."""
    assert relaxed_field(b"A: X\r\n") == b"a:X\r\n"
    assert relaxed_field(b"B : Y\t\r\n\tZ  \r\n") == b"b:Y Z\r\n"
    body = b" C \r\nD \t E\r\n\r\n\r\n"
    assert body_hash([body]) == sha256(b" C\r\nD E\r\n").digest()


def test_an_empty_body() -> None:
    """§3.4.4 names the hash of it."""
    hashed = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    for body in (b"", b"\r\n", b"\r\n\r\n", b" \r\n\t\r\n"):
        assert b64encode(body_hash([body])).decode() == hashed


@pytest.mark.parametrize("body", [b"a", b"a ", b"a\r\n", b"a \r\n", b"a\t\r\n\r\n \r\n"])
def test_the_last_line_always_ends(body: bytes) -> None:
    assert body_hash([body]) == sha256(b"a\r\n").digest()


@given(LINES, st.data())
def test_pieces_make_no_difference(body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert body_hash(pieces) == sha256(Relaxed.canonicalize_body(body)).digest()


def test_every_border() -> None:
    body = b" \t a \t\r\n\r\n  b\tc \r\n \r\n\t\r\n"
    whole = sha256(Relaxed.canonicalize_body(body)).digest()
    for at in range(len(body) + 1):
        for behind in range(at, len(body) + 1):
            assert body_hash([body[:at], body[at:behind], body[behind:]]) == whole


@given(
    st.text(st.sampled_from("Ab-"), min_size=1).map(str.encode),
    st.lists(st.text(st.sampled_from(" \tab:é")).map(str.encode), min_size=1),
)
def test_a_field_as_dkimpy_has_it(name: bytes, lines: list[bytes]) -> None:
    value = b"\r\n\t".join(lines) + b"\r\n"
    [(key, relaxed)] = Relaxed.canonicalize_headers([(name, value)])
    assert relaxed_field(name + b":" + value) == key + b":" + relaxed
