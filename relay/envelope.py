"""The values that travel: who sends what to whom, what upstream said, what the client hears.

Everything is frozen: an envelope is made once, at the end of DATA, and each later stop makes new
values. Addresses and parameters are bytes as they came over the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from collector.devices import Device
from collector.schema import Origin
from collector.senders import Sender
from relay.content import Content
from relay.credentials import Credentials

# ESMTP parameters: keyword in upper case -> value as given, None where there was no "=value".
Parameters = Mapping[bytes, bytes | None]

_PRINTABLE = bytes(octet if 32 <= octet < 127 or octet == 10 else ord("?") for octet in range(256))


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: `text` opens with the enhanced status code; b"\\n" parts its lines."""

    code: int
    text: bytes

    def wire(self) -> bytes:
        """The reply as it goes over the wire; what is not printable ASCII becomes "?"."""
        code = b"%d" % self.code
        *first, last = self.text.translate(_PRINTABLE).split(b"\n")
        return (
            b"".join(code + b"-" + line + b"\r\n" for line in first) + code + b" " + last + b"\r\n"
        )


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """Raised by a check; `reply` is what the client hears."""

    def __init__(self, code: int, text: bytes) -> None:
        self.reply = Reply(code, text)
        super().__init__(code, text)


@dataclass(frozen=True, slots=True)
class Wishes:
    """True: track; False: do not; None: as the sender has set it.

    Where a wish comes from, and the header or control address that said so, make it no other wish:
    wishes are equal without them.
    """

    opens: bool | None = None
    clicks: bool | None = None
    opens_from: Origin = field(default="setting", compare=False)
    clicks_from: Origin = field(default="setting", compare=False)
    opens_by: str = field(default="", compare=False)
    clicks_by: str = field(default="", compare=False)

    def __and__(self, other: "Wishes") -> "Wishes":
        """Both wishes together: the more restrictive of each, and the first of two alike."""
        opens = other if _is_stricter(other.opens, self.opens) else self
        clicks = other if _is_stricter(other.clicks, self.clicks) else self
        return Wishes(
            opens.opens,
            clicks.clicks,
            opens.opens_from,
            clicks.clicks_from,
            opens.opens_by,
            clicks.clicks_by,
        )

    def by(self, origin: Origin, name: str = "") -> "Wishes":
        """The same, as it was said there, by the header or control address of this name."""
        opens: tuple[Origin, str] = ("setting", "") if self.opens is None else (origin, name)
        clicks: tuple[Origin, str] = ("setting", "") if self.clicks is None else (origin, name)
        return Wishes(self.opens, self.clicks, opens[0], clicks[0], opens[1], clicks[1])


def _is_stricter(one: bool | None, other: bool | None) -> bool:
    return one is not None and (other is None or (other and not one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who submits, and how that is known: a login of ours, the network, or upstream's word.

    `device` is the one whose app password it was, `wishes` are those of the login's suffix,
    `credentials` are there for upstream's logins alone.
    """

    sender: Sender
    device: Device | None = None
    how: Literal["account", "network", "upstream"] = "account"
    wishes: Wishes = Wishes()
    credentials: Credentials | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Client:
    """The submitting client: its address, its EHLO name, the TLS version ("" in clear)."""

    peer: str
    helo: bytes
    tls: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: the address as given and its DSN parameters.

    `ordinal` counts an envelope's recipients from 1, in RCPT's order; an address may come twice.
    """

    address: bytes
    parameters: Parameters
    ordinal: int = 1

    @property
    def text(self) -> str:
        """The address as it stands on record."""
        return self.address.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One submission: who sent what to whom. `mail_from` is b"" for the null sender.

    `wishes` are those of the control addresses, which are not among the recipients.
    """

    identity: Identity
    mail_from: bytes
    parameters: Parameters
    recipients: tuple[Recipient, ...]
    content: Content
    client: Client
    received_at_ms: int
    wishes: Wishes = Wishes()

    @property
    def sender(self) -> Sender:
        """As it was when the client logged in."""
        return self.identity.sender

    @property
    def addresses(self) -> tuple[str, ...]:
        """The recipients' addresses as they stand on record; an ordinal is a place here, from 1."""
        return tuple(each.text for each in self.recipients)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The bytes that one group of recipients gets."""

    mail_from: bytes
    parameters: Parameters
    recipients: tuple[Recipient, ...]
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message that is ready to leave, with all of its copies.

    `id` is the message id, 64 bits; `route` the address by which its upstream is chosen: that of
    MAIL FROM, or for a report that of the message it is about. `tracked` says whether it is on
    record. `credentials` are there where upstream knows the sender by a login of his own.
    """

    id: int
    sender_id: int
    login: str
    received_at_ms: int
    mail_from: bytes
    parameters: Parameters
    route: bytes
    copies: tuple[Copy, ...]
    tracked: bool
    credentials: Credentials | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What upstream answered for one recipient, in its own words.

    `enhanced` is its enhanced status code or "", `text` what follows that code. `ordinal` is the
    recipient's; `host` is the server that said it, "" where none did.
    """

    recipient: bytes
    code: int
    enhanced: str = ""
    text: bytes = b""
    ordinal: int = 1
    host: str = ""


class Delivered(_Answer):
    """Upstream has taken the mail for this recipient."""


class Relayed(Delivered):
    """It has, and tells nobody of success, which the sender wants to hear of (RFC 3461 §5.2.2)."""


class Deferred(_Answer):
    """Not now: upstream said 4xx, or could not be reached."""


class Unreached(Deferred):
    """Not now, and no mail at all: upstream as a whole takes none, so this one is not at fault."""


class Refused(_Answer):
    """Never: upstream said 5xx."""


class Withheld(_Answer):
    """Upstream would have taken it, but another recipient was not accepted: nothing was sent."""


Outcome = Delivered | Deferred | Refused | Withheld
