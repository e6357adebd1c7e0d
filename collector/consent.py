"""Who may be tracked: what recipients have decided, and what that means in each mode. Pure.

A recipient decides towards one sender, of opens and of clicks apart. An address counts as one
person in whatever spelling it is written: rather one refusal too wide than one that is dodged.
"""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, get_args

import idna

Mode = Literal["always", "unless-refused", "only-consented"]
Kind = Literal["open", "click"]
How = Literal["notice", "import", "api", "command"]
Objection = Literal["refused", "no consent"]

# The store keeps each as its place in here: only ever append.
MODES: tuple[Mode, ...] = get_args(Mode)
HOWS: tuple[How, ...] = get_args(How)
DEFAULT_MODE: Mode = "unless-refused"
MAX_ADDRESS = 320

_ADDRESS = re.compile(r"[^\x00-\x1f\x7f]+@[^\s\x00-\x1f\x7f@]+")

# mode -> what was decided (True: agreed, False: refused, None: nothing) -> what speaks against it
_OBJECTIONS: Mapping[Mode, Mapping[bool | None, Objection | None]] = {
    "always": {True: None, None: None, False: None},
    "unless-refused": {True: None, None: None, False: "refused"},
    "only-consented": {True: None, None: "no consent", False: "refused"},
}


@dataclass(frozen=True, slots=True)
class Decisions:
    """What recipients have decided of one sender's tracking; `known` by canonical address."""

    mode: Mode
    known: Mapping[tuple[str, Kind], bool]

    @property
    def let_all(self) -> bool:
        """Whether nobody can object, whoever it is."""
        return objection(self.mode, None) is None and all(self.known.values())

    def objection(self, address: str, kind: Kind) -> Objection | None:
        """Why opens or clicks of this recipient are not tracked; None where they may be."""
        return objection(self.mode, self.known.get((canonical(address), kind)))


LET_ALL = Decisions("always", {})


@dataclass(frozen=True, slots=True)
class Objected:
    """What is not tracked of one recipient, by the ordinal, though its message is; and why."""

    recipient: int
    kind: Kind
    objection: Objection


def objection(mode: Mode, decided: bool | None) -> Objection | None:
    """What a decision (None: there is none) says against tracking; None where it may be done."""
    return _OBJECTIONS[mode][decided]


def may_follow(held: How, granted: bool, how: How) -> bool:
    """Whether a refusal that came by `held` may be followed by this decision.

    One that the recipient made on the notice page is taken back there alone.
    """
    return not granted or held != "notice" or how == "notice"


def is_news(held: How, how: How) -> bool:
    """Whether a decision by `how` adds anything to the same one by `held`: a recipient's own word
    is more than what others say of them."""
    return how == "notice" != held


def check_address(text: str) -> str:
    """The text, if it is a recipient's address. Raises ValueError with the mend."""
    address = text.strip()
    if not _ADDRESS.fullmatch(address) or len(address) > MAX_ADDRESS or address[:2] == "*@":
        raise ValueError(f"{text!r} is no mail address; write name@example.com")
    return address


def canonical(address: str) -> str:
    """The one spelling of an address: lower case, no quotes, its domain as the DNS has it.

    Any text has one; it is for comparing, not for sending to.
    """
    local, _, domain = unicodedata.normalize("NFC", address.strip()).casefold().rpartition("@")
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = local[1:-1].replace("\\", "")  # RFC 5321 §4.1.2: the same mailbox
    if not domain.isascii() and len(domain) <= MAX_ADDRESS:
        with suppress(idna.IDNAError):  # then it stays as it came
            domain = idna.encode(domain, uts46=True).decode("ascii")
    return f"{local}@{domain}"
