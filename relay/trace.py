"""The Received header, the only one that we add, and the loop check that counts them. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from relay.envelope import Envelope, Refusal
from relay.header import Field

MAX_RECEIVED = 50  # RFC 5321 §6.3 says 100 for any mail; one that is just submitted has few


def check_loop(fields: Sequence[Field]) -> None:
    """Refuses (554 5.4.6) a message that has passed too many servers already."""
    if sum(field.name == b"received" for field in fields) >= MAX_RECEIVED:
        raise Refusal(554, b"5.4.6 Too many Received headers: this mail is going in circles")


def received(envelope: Envelope, *, hostname: str, id: str, show_client: bool) -> bytes:  # noqa: A002
    """Our trace header (RFC 5321 §4.4), folded, with its final CRLF.

    Without `show_client` the `from` clause is left out: on a submission server it would tell every
    recipient the address, often the home, of the person who writes. It never says `for`, which
    would give a Bcc away.
    """
    client = envelope.client
    literal = f"IPv6:{client.peer}" if ":" in client.peer else client.peer
    origin = f"from {_printable(client.helo)} ([{literal}])\r\n\t" if show_client else ""
    when = _date(envelope.received_at_ms // 1000)
    return (
        f"Received: {origin}by {hostname} (Letterbell) with {protocol(envelope)}"
        f" id {id};\r\n\t{when}\r\n"
    ).encode("ascii")


def protocol(envelope: Envelope) -> str:
    """The `with` keyword of RFC 3848 and RFC 6531 §4.3: by TLS or not, by AUTH or by network."""
    base = "UTF8SMTP" if b"SMTPUTF8" in envelope.parameters else "ESMTP"
    by_auth = envelope.identity.how != "network"
    return base + ("S" if envelope.client.tls else "") + ("A" if by_auth else "")


@lru_cache(maxsize=8)  # a second sees many mails
def _date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def _printable(helo: bytes) -> str:
    """The EHLO name; whatever could break out of the clause becomes "?"."""
    text = helo.decode("ascii", "replace")
    return "".join(c if c.isascii() and (c.isalnum() or c in ".-:[]_") else "?" for c in text)
