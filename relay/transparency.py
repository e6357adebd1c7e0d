"""SMTP's transparency: the dots and line ends of DATA, on the way in and on the way out.

RFC 5321 §4.5.2: only CRLF.CRLF ends a message, and a line's leading dot is doubled in between.
The invariant: what leaves has no CR or LF outside a CRLF pair, so no server behind us can see an
end of data that we did not write (SMTP smuggling). Messages come and go in pieces, cut anywhere;
both ways begin as if a line had just ended.
"""

END_OF_DATA = b"\r\n.\r\n"
_DOT = b"\r\n."


class Unstuffing:
    """What comes after 354, made plain: leading dots taken off, the end found.

    What is given out never parts a CR from its LF.
    """

    def __init__(self) -> None:
        self.received = 0  # octets, the end's included
        self.ended = False
        self.rest = b""  # what came behind the end
        self._held = b"\r\n"  # of these octets it is not known yet what they are
        self._skip = 2  # octets of the first line end, which is not the message's

    def feed(self, raw: bytes) -> bytes:
        """The plain octets that are certain now. Feed no more once `ended`."""
        self.received += len(raw)
        raw = self._held + raw
        first = raw.find(_DOT)  # a stuffed one, or the end's; most messages have no other
        end = raw.find(END_OF_DATA, first) if first >= 0 else -1
        if end >= 0:
            self.ended, self.rest = True, raw[end + len(END_OF_DATA) :]
            plain = raw[: end + 2]
        else:
            end = len(raw) - _beginning(raw)
            self._held, plain = raw[end:], raw[:end]
        if 0 <= first < end:
            plain = plain.replace(_DOT, b"\r\n")
        if plain:
            plain, self._skip = plain[self._skip :], 0
        return plain


def _beginning(raw: bytes) -> int:
    """How many octets at the end of `raw` may be the begin of the end of data."""
    for size in range(len(END_OF_DATA) - 1, 0, -1):
        if raw.endswith(END_OF_DATA[:size]):
            return size
    return 0


class Stuffing:
    """A message as DATA carries it."""

    def __init__(self) -> None:
        self._last = b"\r\n"  # the last two octets

    def feed(self, plain: bytes) -> bytes:
        """The next piece, each leading dot doubled."""
        plain = self._last + plain
        self._last = plain[-2:]
        return plain.replace(_DOT, b"\r\n..")[2:]

    def end(self) -> bytes:
        """The final dot; an unfinished last line gets its CRLF first."""
        return b".\r\n" if self._last == b"\r\n" else END_OF_DATA


def has_bare_newline(content: bytes) -> bool:
    """Whether any CR or LF stands outside a CRLF pair."""
    pairs = content.count(b"\r\n")
    return content.count(b"\n") != pairs or content.count(b"\r") != pairs


def normalize_newlines(content: bytes) -> bytes:
    """Each bare CR and each bare LF made a CRLF."""
    # Three plain passes: a pattern is forty times slower where all line ends are bare.
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
