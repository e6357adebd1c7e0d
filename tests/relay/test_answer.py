"""Upstream's replies: read strictly, however the octets are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.answer import MAX_ANSWER, Answer, AnswerError, AnswerReader
from relay.envelope import Deferred, Delivered, Outcome, Recipient, Refused, Unreached

BOB = Recipient(b"bob@example.com", {}, 3)


def read(*chunks: bytes) -> list[Answer]:
    reader = AnswerReader()
    return [answer for chunk in chunks for answer in reader.feed(chunk)]


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (b"250 2.1.0 ok\r\n", Answer(250, "2.1.0", b"ok")),
        (b"250\r\n", Answer(250, "", b"")),
        (b"250 \r\n", Answer(250, "", b"")),
        (b"250 2.0.0\r\n", Answer(250, "2.0.0", b"")),
        (b"550-5.1.1 no\r\n550 5.1.1 such user\r\n", Answer(550, "5.1.1", b"no such user")),
        (b"550 4.2.0 class of another code\r\n", Answer(550, "", b"class of another code")),
        (b"451 tab\there, \xe4 there\r\n", Answer(451, "", b"tab?here, ? there")),
    ],
)
def test_a_reply_is_read(octets: bytes, answer: Answer) -> None:
    assert read(octets) == [answer]


@given(st.lists(st.integers(1, 40)))
def test_the_cuts_between_octets_do_not_matter(sizes: list[int]) -> None:
    stream = b"250-a\r\n250 b\r\n354 go\r\n550 5.7.1 no\r\n"
    chunks, start = [], 0
    for size in sizes:
        chunks.append(stream[start : start + size])
        start += size
    assert read(*chunks, stream[start:]) == read(stream)
    assert [answer.code for answer in read(stream)] == [250, 354, 550]


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"250_ok\r\n",
        b"250 ok\n",
        b"250 o\rk\r\n",
        b"\r\n",
        b"250-a\r\n251 b\r\n",
        b"250 " + b"x" * MAX_ANSWER,
        b"250-x\r\n" * MAX_ANSWER,
    ],
    ids=lambda octets: repr(octets[:12]),
)
def test_what_is_no_reply_is_refused(octets: bytes) -> None:
    with pytest.raises(AnswerError):
        read(octets)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (250, Delivered),
        (252, Delivered),
        (421, Deferred),
        (451, Deferred),
        (550, Refused),
        (503, Unreached),
        (530, Unreached),
        (535, Unreached),
    ],
)
def test_what_a_code_means(code: int, kind: type[Outcome]) -> None:
    outcome = Answer(code, "", b"words").outcome(BOB, "mx.example.com")
    assert type(outcome) is kind
    assert (outcome.recipient, outcome.ordinal) == (b"bob@example.com", 3)
    assert outcome.host == "mx.example.com"
