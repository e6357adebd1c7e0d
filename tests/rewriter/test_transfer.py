"""Position maps: an edit of decoded bytes touches only the encoded bytes under it."""

from __future__ import annotations

import base64
import binascii
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mails import encode

from rewriter.contract import Doubt
from rewriter.transfer import LINE_LIMIT, Edit, open_body, splice

LINES = st.lists(st.binary(max_size=120).map(lambda line: re.sub(rb"[\r\n]", b".", line)))
ENCODINGS = ["8bit", "quoted-printable", "base64"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(lines=LINES, data=st.data())
def test_edits_change_what_they_say_and_nothing_else(
    encoding: str, lines: list[bytes], data: st.DataObject
) -> None:
    decoded = b"\r\n".join(lines)
    if encoding == "quoted-printable":
        decoded = re.sub(rb"[ \t]+(?=\r\n|\Z)", b"", decoded)
    body = open_body(encoding, encode(decoded, encoding), b"\r\n")
    assert body.decoded == decoded
    places = sorted(data.draw(st.lists(st.integers(0, len(decoded)), max_size=6)))
    pairs = zip(places[::2], places[1::2], strict=False)
    edits = [Edit(start, end, b"<=new%d>" % start) for start, end in pairs]
    # Two edits never touch each other, and none cuts a line end in two.
    edits = [e for e in edits if decoded[e.start - 1 : e.start + 1] != b"\r\n"]
    edits = [e for e in edits if decoded[e.end - 1 : e.end + 1] != b"\r\n"]
    edits = [e for i, e in enumerate(edits) if i == 0 or e.start > edits[i - 1].end]
    encoded = splice(encode(decoded, encoding), list(body.encode(edits)))
    again = open_body(encoding, encoded, b"\r\n").decoded
    assert again.replace(b"\r\n", b"") == splice(decoded, edits).replace(b"\r\n", b"")


@given(text=st.text(alphabet="abc =\t\r\n<>\u00e9", max_size=400), new=st.binary(min_size=1))
def test_quoted_printable_lines_stay_short(text: str, new: bytes) -> None:
    decoded = re.sub(r"[ \t]+(?=\r?\n|\Z)|\r(?!\n)|(?<!\r)\n", "", text).encode()
    encoded = encode(decoded, "quoted-printable")
    body = open_body("quoted-printable", encoded, b"\r\n")
    url = b"https://t.example.com/" + base64.urlsafe_b64encode(new * 9) + b"=="
    place = len(body.decoded) // 2
    result = splice(encoded, list(body.encode([Edit(place, place, url)])))
    assert max(map(len, result.split(b"\r\n"))) <= 76
    assert binascii.a2b_qp(result).count(url) >= 1


def test_base64_keeps_its_width_and_what_surrounds_it() -> None:
    text = base64.b64encode(b"<p>hello</p>" * 40)
    encoded = (
        b"\r\n" + b"\r\n".join(text[at : at + 60] for at in range(0, len(text), 60)) + b"\r\n\r\n"
    )
    body = open_body("base64", encoded, b"\r\n")
    result = splice(encoded, list(body.encode([Edit(3, 8, b"goodbye")])))
    lines = result.split(b"\r\n")
    assert lines[0] == lines[-1] == lines[-2] == b""
    assert {len(line) for line in lines[1:-3]} == {60}


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        pytest.param("quoted-printable", b"a=ZZ", id="69 no hex"),
        pytest.param("quoted-printable", b"a=", id="69 cut"),
        pytest.param("quoted-printable", b"a=3\r\nD", id="69 escape over lines"),
        pytest.param("quoted-printable", b"a\rb", id="69 bare CR"),
        pytest.param("base64", b"QUJD\r\nfooter in clear!", id="70 clear text"),
        pytest.param("base64", b"QUJDR", id="70 cut"),
        pytest.param("base64", b"QQ==QQ==", id="70 two in one"),
        pytest.param("quoted-printable;", b"x", id="69 semicolon"),
        pytest.param("8bits", b"x", id="69 misspelt"),
        pytest.param("x-uuencode", b"x", id="69 uuencode"),
    ],
)
def test_malformed_or_unknown_is_doubtful(encoding: str, encoded: bytes) -> None:
    with pytest.raises(Doubt):
        open_body(encoding, encoded, b"\r\n")


def test_a_line_that_would_grow_past_the_limit_is_broken_within_its_tags() -> None:
    url = b"https://t.example.com/c/" + b"x" * 200
    link = b'<a class="b" href="http://e.com/" title="t">x</a> '
    line = b"<p>" + link * 12 + b"</p>"
    body = open_body("8bit", line, b"\r\n")
    places = [match.start() for match in re.finditer(rb"http://e", line)]
    edits = [Edit(at, at + 13, url, name=at - 6) for at in places]
    result = splice(line, list(body.encode(edits)))
    assert result.count(url) == 12
    assert max(map(len, result.split(b"\r\n"))) <= LINE_LIMIT
    assert result.replace(b"\r\n", b" ").replace(url, b"http://e.com/") == line


@pytest.mark.parametrize("tail", [b"x", b"=C3"])
@pytest.mark.parametrize("rest", [b"", b"\r\n<p>y</p>"])
def test_a_full_line_of_quoted_printable_has_no_room_for_a_soft_break_row_71(
    tail: bytes, rest: bytes
) -> None:
    encoded = b"x" * (76 - len(tail)) + tail + rest
    body = open_body("quoted-printable", encoded, b"\r\n")
    at = len(body.decoded) - len(rest)
    result = splice(encoded, list(body.encode([Edit(at, at, b"<new>")])))
    assert body.decode(result) == body.decoded[:at] + b"<new>" + rest
    assert max(map(len, result.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_white_space_at_the_ends_of_lines_means_nothing_and_stays(newline: bytes) -> None:
    encoded = newline.join([b"one \t", b"t=C3=A9o =  ", b"three", b"  ", b"four "])
    body = open_body("quoted-printable", encoded, newline)
    text = newline.join([b"one", b"t\xc3\xa9o three", b"", b"four"])
    assert body.decoded == text
    for at in range(len(text) + 1):
        if text[at - 1 : at + 1] != b"\r\n":
            edits = [Edit(at, at, b"<new>")]
            result = splice(encoded, list(body.encode(edits)))
            assert body.decode(result) == splice(text, edits)
            assert result.replace(b"<new>", b"").count(b" ") == encoded.count(b" ")


def test_short_lines_are_not_broken() -> None:
    line = b'<a href="http://e.com/">x</a>'
    body = open_body("7bit", line, b"\n")
    (edit,) = body.encode([Edit(9, 22, b"https://t.example.com/c/1", name=3)])
    assert edit.new == b"https://t.example.com/c/1"
