"""Lists of mailboxes (RFC 5322 §3.4), read as byte spans: From, To and their like.

Pure. The invariant: what is read here says the same to every reader, also to those who are sloppy.
So the grammar is the narrow one: of what is obsolete only dots in names and places left empty, no
control characters, nothing within an address. A list that is not of it is None, never a guess.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from relay.header import MAX_TEXT, text_of

MAX_LIST = 65_536  # octets; a longer list is not read, as that happens on the event loop

_LETTER = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-"
_ATOMS = rb"[%b]+(?:\.[%b]+)*" % (_LETTER, _LETTER)
_ESCAPE = rb"\\[ -~]"
_LOCAL = rb'(?!=\?)%b|"(?:[ !#-\[\]-~\x80-\xff]|%b)*"' % (_ATOMS, _ESCAPE)  # no encoded word
_ADDRESS = rb"(?:%b)@(?:%b|\[[!-Z^-~]+\])" % (_LOCAL, _ATOMS)
_BLANK = rb"[ \t]|\r\n[ \t]"
_QUOTED = rb'"(?:[!#-\[\]-~\x80-\xff]|%b|%b)*"' % (_BLANK, _ESCAPE)
_TEXT = rb"[!-'*-\[\]-~\x80-\xff]|%b|%b" % (_BLANK, _ESCAPE)
_COMMENT = rb"\((?:%b|\((?:%b)*\))*\)" % (_TEXT, _TEXT)
_GAP = rb"(?:%b|%b)*" % (_BLANK, _COMMENT)
_NAME = rb"(?:[%b.]|%b|%b|%b)*" % (_LETTER, _BLANK, _QUOTED, _COMMENT)
# One place and what ends it. A name without an address is a group's, and stands before its colon.
_PLACE = re.compile(
    rb"(?:%b(?P<bare>%b)%b|%b<(?P<angle>%b)>%b|%b(?=:)|%b)(?P<end>[:,;]|\Z)"
    % (_GAP, _ADDRESS, _GAP, _NAME, _ADDRESS, _GAP, _NAME, _GAP)
)
_BEHIND_GROUP = re.compile(rb"%b(?P<end>,|\Z)" % _GAP)
# A whole encoded word that has nothing in it which would part, end or quote a word of a list.
_ENCODED_WORD = re.compile(rb"=\?[\w*-]+\?[bBqQ]\?[!#-'*-;=A-\[\]-~\x80-\xff ]*\?=")
_ASIDE = re.compile(rb"%b|%b" % (_QUOTED, _COMMENT))
# What many a program writes though it should not: a name without the quotes that it wants, or the
# address as the name. However that is read, there are no addresses but these.
_CARELESS = re.compile(
    rb"""(?:(?:%b)*(?P<name>%b)(?:%b)*|(?:[!#-'*-;=?A-\[\]-~\x80-\xff]|%b)*)<(?P<angle>%b)>(?:%b)*"""
    % (_BLANK, _ADDRESS, _BLANK, _BLANK, _ADDRESS, _BLANK)
)


@dataclass(frozen=True, slots=True)
class Place:
    """The octets between two commas, trimmed. `address` is None for a group, and for nothing."""

    address: bytes | None
    start: int
    end: int


class _Unclear(Exception):  # noqa: N818 - named for what the list is
    """The list can be read in several ways."""


def read_list(value: bytes) -> list[list[Place]] | None:
    """The places of an address list, and of each of its groups; None if it is not clearly one."""
    runs: list[list[Place]] = []
    if len(value) > MAX_LIST or not _has_whole_words(value):
        return None
    try:
        _read_run(value, 0, b"", runs)
    except _Unclear:
        return None
    asides = _ASIDE.findall(value) if b"\r" in value else []
    if any(b"\r" in aside for aside in asides) and any(b"@" in aside for aside in asides):
        return None  # some end a quote at a fold; they would see what stands in the next one
    return runs


def addresses_of(value: bytes) -> tuple[bytes, ...] | None:
    """Every address that a reader may see in this address header; None if that is not clear.

    Beyond what `read_list` reads, that is one address behind a name that should be in quotes.
    """
    if b"@" not in value:
        return ()
    runs = read_list(value)
    if runs is not None:
        return tuple(place.address for run in runs for place in run if place.address)
    careless = _CARELESS.fullmatch(value) if len(value) <= MAX_LIST else None
    if careless is None or not _has_whole_words(value):
        return None
    name = value[: careless.start("angle")]
    if b"=?" in name and (
        len(name) > MAX_TEXT or any(sign in text_of(name, MAX_TEXT) for sign in ("@", "=?"))
    ):
        return None  # where the rest is careless, some decode such a word before they look
    return tuple(filter(None, careless.groups()))


def cuts(
    runs: Sequence[Sequence[Place]], unwanted: Callable[[bytes], bool]
) -> list[tuple[int, int]]:
    """What to cut out of a list, in order, so that these addresses are gone, each with a comma."""
    return sorted(cut for run in runs for cut in _cuts(run, unwanted))


def _has_whole_words(value: bytes) -> bool:
    """Whether all that looks like an encoded word is one, and stays one however it is read."""
    if b"=?" not in value:
        return True
    rest = _ENCODED_WORD.sub(b" ", value)
    return b"=?" not in rest and b"?=" not in rest


def _cuts(run: Sequence[Place], unwanted: Callable[[bytes], bool]) -> Iterator[tuple[int, int]]:
    gone = [place.address is not None and unwanted(place.address) for place in run]
    if not any(gone):
        return
    kept = False
    for number, place in enumerate(run):
        # An empty place goes as well: some readers take a list that ends with one for malformed.
        if not gone[number] and place.start < place.end:
            kept = True
        elif kept:
            yield run[number - 1].end, place.end
        else:
            yield place.start, run[number + 1].start if number + 1 < len(run) else place.end


def _read_run(value: bytes, at: int, closing: bytes, runs: list[list[Place]]) -> int:
    """Adds the places from `at` on to `runs`; where what stands behind their `closing` begins."""
    run: list[Place] = []
    runs.append(run)
    while match := _PLACE.match(value, at):
        address, end = match["bare"] or match["angle"], match["end"]
        start, stop = _trimmed(value, at, match.start("end"))
        at = match.end()
        if end == b":":
            if closing or address or start == stop or b"=?" in value[start:stop]:
                break
            at = _read_run(value, at, b";", runs)
            match = _BEHIND_GROUP.match(value, at)
            if not match:
                break
            address, end = None, match["end"]
            _, stop = _trimmed(value, start, match.start("end"))
            at = match.end()
        run.append(Place(address, start, stop))
        if end == closing:
            return at
        if end != b",":
            break
    raise _Unclear


def _trimmed(value: bytes, start: int, end: int) -> tuple[int, int]:
    """The span without blanks and folds; nothing stands where it begins."""
    text = value[start:end].lstrip(b" \t\r\n")
    if not text:
        return start, start
    return end - len(text), end - len(text) + len(text.rstrip(b" \t\r\n"))
