"""The file of one message in custody: its contents once, then a log of what became of it. Pure.

    letterbell-spool 1 000000062011     the format's version, the octets of all contents
    <62011 octets>                      each copy as upstream gets it
    <line feed>
    5f1c02aa {"mail": …}                a CRC-32 and JSON: the envelope
    91be7710 {"try": …}                 and, one by one, what happened

Contents are written once and never touched; a line is appended and synced at a time. A last line
that is torn never happened. Octets stand in JSON as Latin-1, which takes them all.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from zlib import crc32

from relay.envelope import (
    Deferred,
    Delivered,
    Outcome,
    Parameters,
    Recipient,
    Refused,
    Relayed,
    Unreached,
)

VERSION = 1
PREAMBLE = 32  # octets
MAX_SIZE = 10**12 - 1

_MAGIC = re.compile(rb"letterbell-spool ([1-9][0-9]{0,2}) ")
_SIZE = re.compile(rb"([0-9]{12})\n")
_LINE = re.compile(rb"([0-9a-f]{8}) ([^\n]*)\n")

Action = Literal["failed", "expired", "delayed", "relayed"]


class DamagedFile(ValueError):  # noqa: N818 - named for what happened
    """The file does not read as one of ours."""


class NewerFile(ValueError):  # noqa: N818 - named for what happened
    """A later version of ours wrote the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A copy without its content: `head` of its `size` octets are its header."""

    size: int
    head: int
    crc: int
    is_ascii: bool
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt begins; if it is never heard of again, the next is due at `next_ms`."""

    at_ms: int
    next_ms: int


@dataclass(frozen=True, slots=True)
class Got:
    """Upstream's answers; who is still to get it is due at `next_ms`."""

    outcomes: tuple[Outcome, ...]
    at_ms: int
    next_ms: int


@dataclass(frozen=True, slots=True)
class Told:
    """The sender was told of these recipients; `expired` ends the attempts for them."""

    ordinals: tuple[int, ...]
    action: Action
    at_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing more is tried until it is released."""

    why: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Released:
    """Somebody wants it tried, at `next_ms`, as if it had never broken anything."""

    at_ms: int
    next_ms: int


Event = Tried | Got | Told | Held | Released


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What has become of a message.

    `pending` are the ordinals of those who are still to get it, `latest` is the last word on each;
    `told` are those of whom the sender was told that they do not get it, `relayed` those of whom he
    was told that they may. `attempts` counts those that upstream answered with "not now",
    `breaks` those that ended without any answer since the last one.
    """

    pending: frozenset[int]
    latest: Mapping[int, Outcome] = field(default_factory=dict)
    told: frozenset[int] = frozenset()
    relayed: frozenset[int] = frozenset()
    attempts: int = 0
    breaks: int = 0
    trying: bool = False
    next_ms: int = 0
    held: str | None = None
    delay_told: bool = False

    @property
    def owed(self) -> frozenset[int]:
        """Those who were refused, and of whom the sender was not told."""
        refused = (n for n, outcome in self.latest.items() if isinstance(outcome, Refused))
        return frozenset(refused) - self.told

    @property
    def unconfirmed(self) -> frozenset[int]:
        """Those who may have got it, of whom the sender wants to hear and was not told."""
        relayed = (n for n, outcome in self.latest.items() if isinstance(outcome, Relayed))
        return frozenset(relayed) - self.relayed

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do but to remove the file."""
        return not self.pending and not self.owed and not self.unconfirmed

    def after(self, event: Event) -> "State":
        """The state once this has happened as well. What was settled stays as it is."""
        match event:
            case Tried():
                return replace(self, trying=True, breaks=self.breaks + 1, next_ms=event.next_ms)
            case Got():
                return self._after_answers(event)
            case Told(action="delayed"):
                return replace(self, delay_told=True)
            case Told(action="relayed"):
                return replace(self, relayed=self.relayed.union(event.ordinals))
            case Told():
                return replace(
                    self,
                    pending=self.pending.difference(event.ordinals),
                    told=self.told.union(event.ordinals),
                )
            case Held():
                return replace(self, held=event.why)
            case Released():
                return replace(self, held=None, breaks=0, trying=False, next_ms=event.next_ms)

    def _after_answers(self, event: Got) -> "State":
        news = {each.ordinal: each for each in event.outcomes if each.ordinal in self.pending}
        final = {n for n, outcome in news.items() if isinstance(outcome, Delivered | Refused)}
        not_now = any(
            isinstance(outcome, Deferred) and not isinstance(outcome, Unreached)
            for outcome in news.values()
        )
        return replace(
            self,
            pending=self.pending - final,
            latest={**self.latest, **news},
            attempts=self.attempts + not_now,
            breaks=0,
            trying=False,
            next_ms=event.next_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message in custody without its contents. `sealed` are encrypted credentials."""

    id: int
    sender_id: int
    login: str
    received_at_ms: int
    mail_from: bytes
    parameters: Parameters
    route: bytes
    tracked: bool
    copies: tuple[Outline, ...]
    sealed: bytes | None = field(default=None, repr=False)
    state: State

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Those of all copies, in the order of their ordinals."""
        everyone = (recipient for copy in self.copies for recipient in copy.recipients)
        return tuple(sorted(everyone, key=lambda recipient: recipient.ordinal))

    @property
    def size(self) -> int:
        """Octets of all contents."""
        return sum(copy.size for copy in self.copies)

    def after(self, event: Event) -> "Entry":
        return replace(self, state=self.state.after(event))


def write_preamble(size: int) -> bytes:
    """The first 32 octets, for contents of `size` octets."""
    return b"letterbell-spool %d %012d\n" % (VERSION, size)


def read_preamble(octets: bytes) -> int:
    """The size of the contents behind it. Raises DamagedFile, NewerFile."""
    magic = _MAGIC.match(octets)
    if magic and int(magic[1]) > VERSION:
        raise NewerFile("a later version of Letterbell wrote it")
    size = _SIZE.fullmatch(octets, magic.end()) if magic else None
    if size is None:
        raise DamagedFile("it does not begin as a message's file")
    return int(size[1])


def write_mail(entry: Entry) -> bytes:
    """The log's first line."""
    return _line(
        {
            "mail": {
                "id": entry.id,
                "sender": entry.sender_id,
                "login": entry.login,
                "received": entry.received_at_ms,
                "from": _text(entry.mail_from),
                "parameters": _parameters(entry.parameters),
                "route": _text(entry.route),
                "tracked": entry.tracked,
                "next": entry.state.next_ms,
                "copies": [
                    {
                        "size": copy.size,
                        "head": copy.head,
                        "crc": copy.crc,
                        "ascii": copy.is_ascii,
                        "to": [
                            [each.ordinal, _text(each.address), _parameters(each.parameters)]
                            for each in copy.recipients
                        ],
                    }
                    for copy in entry.copies
                ],
                "sealed": None if entry.sealed is None else _text(entry.sealed),
            }
        }
    )


def write_event(event: Event) -> bytes:
    """A line of the log."""
    match event:
        case Tried():
            return _line({"try": event.at_ms, "next": event.next_ms})
        case Got():
            got = [_said(outcome) for outcome in event.outcomes if type(outcome) in _KINDS]
            return _line({"got": got, "at": event.at_ms, "next": event.next_ms})
        case Told():
            return _line({"told": event.ordinals, "as": event.action, "at": event.at_ms})
        case Held():
            return _line({"hold": event.why, "at": event.at_ms})
        case Released():
            return _line({"release": event.at_ms, "next": event.next_ms})


def read_log(octets: bytes, size: int) -> tuple[Entry, int]:
    """The message as the log of a file with `size` octets of contents leaves it, and how many
    octets of the log hold. What follows them is torn, and never happened.

    Raises DamagedFile.
    """
    records, end = _records(octets)
    try:
        entry = _entry(records[0]["mail"])
        for record in records[1:]:
            entry = entry.after(_event(record, entry))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFile(f"its log does not read ({type(error).__name__})") from error
    if entry.size != size:
        raise DamagedFile("its contents are not of the size that its envelope says")
    return entry, end


def _records(octets: bytes) -> tuple[list[dict[str, Any]], int]:
    if octets[:1] != b"\n":
        raise DamagedFile("its log does not follow its contents")
    records: list[dict[str, Any]] = []
    end = 1
    while match := _LINE.match(octets, end):
        if crc32(match[2]) != int(match[1], 16):
            break
        records.append(json.loads(match[2]))
        end = match.end()
    if b"\n" in octets[end:-1]:
        raise DamagedFile("its log is broken in the middle")
    if not records:
        raise DamagedFile("its envelope is missing")
    return records, end


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%08x %b\n" % (crc32(text), text)


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")


def _octets(text: str) -> bytes:
    return text.encode("latin-1")


def _parameters(parameters: Parameters) -> list[list[str | None]]:
    return [
        [_text(name), None if value is None else _text(value)] for name, value in parameters.items()
    ]


def _read_parameters(pairs: Iterable[Sequence[str | None]]) -> Parameters:
    return {_octets(name or ""): None if value is None else _octets(value) for name, value in pairs}


_KINDS: Mapping[type[Outcome], str] = {
    Delivered: "delivered",
    Relayed: "relayed",
    Deferred: "deferred",
    Unreached: "unreached",
    Refused: "refused",
}
_OF_WORD = {word: kind for kind, word in _KINDS.items()}


def _said(outcome: Outcome) -> list[Any]:
    word = _KINDS[type(outcome)]
    return [
        outcome.ordinal,
        word,
        outcome.code,
        outcome.enhanced,
        _text(outcome.text),
        outcome.host,
    ]


def _entry(mail: Mapping[str, Any]) -> Entry:
    copies = tuple(
        Outline(
            size=copy["size"],
            head=copy["head"],
            crc=copy["crc"],
            is_ascii=copy["ascii"],
            recipients=tuple(
                Recipient(_octets(address), _read_parameters(parameters), ordinal)
                for ordinal, address, parameters in copy["to"]
            ),
        )
        for copy in mail["copies"]
    )
    everyone = frozenset(each.ordinal for copy in copies for each in copy.recipients)
    return Entry(
        id=mail["id"],
        sender_id=mail["sender"],
        login=mail["login"],
        received_at_ms=mail["received"],
        mail_from=_octets(mail["from"]),
        parameters=_read_parameters(mail["parameters"]),
        route=_octets(mail["route"]),
        tracked=mail["tracked"],
        copies=copies,
        sealed=None if mail["sealed"] is None else _octets(mail["sealed"]),
        state=State(pending=everyone, next_ms=mail["next"]),
    )


def _event(record: Mapping[str, Any], entry: Entry) -> Event:
    match record:
        case {"try": at_ms, "next": next_ms}:
            return Tried(at_ms, next_ms)
        case {"got": answers, "at": at_ms, "next": next_ms}:
            addresses = {each.ordinal: each.address for each in entry.recipients}
            outcomes = tuple(_outcome(answer, addresses) for answer in answers)
            return Got(outcomes, at_ms, next_ms)
        case {"told": ordinals, "as": action, "at": at_ms}:
            return Told(tuple(ordinals), action, at_ms)
        case {"hold": why, "at": at_ms}:
            return Held(why, at_ms)
        case {"release": at_ms, "next": next_ms}:
            return Released(at_ms, next_ms)
    raise DamagedFile("its log tells of something unknown")


def _outcome(answer: Sequence[Any], addresses: Mapping[int, bytes]) -> Outcome:
    ordinal, word, code, enhanced, text, host = answer
    return _OF_WORD[word](
        recipient=addresses[ordinal],
        code=code,
        enhanced=enhanced,
        text=_octets(text),
        ordinal=ordinal,
        host=host,
    )
