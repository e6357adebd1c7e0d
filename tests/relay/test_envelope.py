"""Replies as they go over the wire."""

import pytest

from relay.envelope import Reply


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (b"2.0.0 Ok", b"250 2.0.0 Ok\r\n"),
        (b"one\ntwo\nthree", b"250-one\r\n250-two\r\n250 three\r\n"),
        (b"5.7.1 <\x1b[2J\0\xe9\r@x>", b"250 5.7.1 <?[2J???@x>\r\n"),
        (b"one\n\x1b\r", b"250-one\r\n250 ??\r\n"),
    ],
)
def test_what_is_not_printable_reaches_no_terminal(text: bytes, wire: bytes) -> None:
    assert Reply(250, text).wire() == wire
