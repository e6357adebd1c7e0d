"""What upstream answers, read strictly (RFC 5321 §4.2), and what it means for a recipient. Pure.

Upstream's words go into replies, logs and the store, so they are made printable ASCII here, once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.envelope import Deferred, Delivered, Outcome, Recipient, Refused, Unreached

MAX_ANSWER = 65_536
MAX_TEXT = 400  # octets of upstream's words that are kept

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\r\n")
_ENHANCED = re.compile(rb"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|$)")
_PRINTABLE = bytes(octet if 32 <= octet < 127 else ord("?") for octet in range(256))

# They say that upstream does not take this relay, or that we two are out of step. No mail is at
# fault, its sender cannot mend it, and the next one would hear the same.
NOT_THE_MAILS_FAULT = {503, 530, 534, 535, 538}


class AnswerError(ValueError):
    """Upstream said something that is no SMTP reply."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply: its code, its enhanced status code or "", the words of all lines."""

    code: int
    enhanced: str
    text: bytes

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    def outcome(self, recipient: Recipient, host: str) -> Outcome:
        """What this answer of `host` means for a recipient whom it settles."""
        if self.code in NOT_THE_MAILS_FAULT:
            text = b"The mail server upstream does not take this relay's mail just now"
            return Unreached(
                recipient=recipient.address,
                code=451,
                enhanced="4.7.0",
                text=text,
                ordinal=recipient.ordinal,
                host=host,
            )
        kind = Delivered if self.accepted else Refused if self.code >= 500 else Deferred
        return kind(
            recipient=recipient.address,
            code=self.code,
            enhanced=self.enhanced,
            text=self.text,
            ordinal=recipient.ordinal,
            host=host,
        )


class AnswerReader:
    """Takes octets as they come and gives the answers that are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._code = b""
        self._size = 0  # octets of the reply that is being read

    def feed(self, data: bytes) -> Iterator[Answer]:
        """The answers that `data` completes. Raises AnswerError; the reader is of no use then."""
        self._buffer += data
        while (end := self._buffer.find(b"\n") + 1) > 0:
            line = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._size += len(line)
            if answer := self._take(line):
                self._size = 0
                yield answer
        if len(self._buffer) + self._size > MAX_ANSWER:
            raise AnswerError("an endless reply")

    def _take(self, line: bytes) -> Answer | None:
        match = _LINE.fullmatch(line)
        if match is None or (self._lines and match[1] != self._code):
            raise AnswerError("not an SMTP reply")
        self._code = match[1]
        self._lines.append(match[3] or b"")
        if match[2] == b"-":
            return None
        lines, self._lines = self._lines, []
        return _answer(int(self._code), lines)


def _answer(code: int, lines: list[bytes]) -> Answer:
    enhanced = _ENHANCED.match(lines[0])
    words = (line[found.end() :] if (found := _ENHANCED.match(line)) else line for line in lines)
    text = b" ".join(words).translate(_PRINTABLE).strip()[:MAX_TEXT]
    # RFC 2034 §4: a class that contradicts the code means nothing
    agrees = enhanced is not None and enhanced[1][:1] == b"%d" % (code // 100)
    return Answer(code, enhanced[1].decode("ascii") if enhanced and agrees else "", text)
