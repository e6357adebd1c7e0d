"""What goes into the rewriter and what comes out: frozen values, no behaviour of their own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from rewriter.labels import read_label
from rewriter.span import Span


@dataclass(frozen=True, slots=True)
class Tracking:
    """What the sender wishes for one message.

    `own_hosts` are the host names of the collector, in any case and without a port: links to
    them are never wrapped. HTML over `max_html` bytes (decoded) is left alone. `text_links` wraps
    URLs in plain text as well. `wrap_url_text` wraps links whose text is itself the address of
    another site, of which mail programs warn when text and target differ. A message that carries a
    DKIM signature is left alone unless it is to be `resigned` afterwards. What is tracked gets the
    `footer`, if there is one (`rewriter.footer.compose` says how it is written).
    """

    opens: bool
    clicks: bool
    own_hosts: Collection[str] = frozenset()
    max_html: int = 2_000_000
    text_links: bool = False
    wrap_url_text: bool = False
    resigned: bool = False
    footer: str = ""


class Links(Protocol):
    """Mints the URLs that go into one copy of a message.

    They are http(s) URLs in printable ASCII, free of quotes and of ``& = < > ` ``, so that they
    mean themselves in any attribute, quoted or not.
    """

    def click(self, target: bytes, ordinal: int) -> str:
        """The URL that leads to `target`, the message's link number `ordinal`, from 0."""

    def pixel(self) -> str:
        """The URL of this copy's pixel."""

    def notice(self) -> str:
        """The URL where this copy's recipient reads what is kept, and says no."""


class Own(Protocol):
    """Knows the URLs that were minted before, for the quotes in replies and forwards."""

    def target(self, url: str) -> bytes | None:
        """Where a link of ours leads; None for a URL that is none."""

    def is_pixel(self, url: str) -> bool:
        """Whether the URL is a pixel of ours."""

    def is_notice(self, url: str) -> bool:
        """Whether the URL is the notice of a copy of ours."""


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of a message's tree; what is sealed (a signed multipart, a message) counts as one.

    `number` is its place as in IMAP ("1.2", RFC 9051 §6.4.5.1), `body` where its encoded body lies
    in the message. In `joined` text a line's end may mean nothing (`delsp=yes`, RFC 3676 §4.1).
    `rule` says why it was left as it is; None where it was read.
    """

    number: str
    media_type: str
    charset: str | None
    encoding: str
    body: Span
    newline: bytes
    joined: bool = False
    rule: str | None = None


class Link(NamedTuple):
    """A wrapped link: where it leads, and the HTML between its tags (at most 500 characters)."""

    ordinal: int
    target: bytes
    html: str
    part: str

    @property
    def label(self) -> str:
        """What a person sees of the link. Reads HTML: not for the DATA path."""
        return read_label(self.html)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A link or pixel that was left alone, and the rule that says so (docs/rewriting.md)."""

    part: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A link put back to its target: an old one of ours, or one marked as not to be tracked.

    Without a `target` it is a pixel or footer of ours that was taken out.
    """

    part: str
    target: bytes | None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The message with its edits, and what they were. Every other byte is the byte given.

    `pixel` is the number of the part that holds it, if one does.
    """

    message: bytes
    links: tuple[Link, ...]
    pixel: str | None
    skipped: tuple[Skipped, ...] = ()
    restored: tuple[Restored, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Untouched:
    """The message goes out as it came, for this reason."""

    reason: str
    skipped: tuple[Skipped, ...] = ()
    parts: tuple[Part, ...] = ()


class Doubt(Exception):  # noqa: N818 - a doubt is no error: the mail is well, we are not sure
    """The input is odd: what holds it (a part, or the message) stays as it is.

    Raised and caught within the rewriter; `reason` is a phrase for people. `of_message`: it costs
    the whole message its tracking, though it was met in a part.
    """

    def __init__(self, reason: str, *, of_message: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.of_message = of_message
