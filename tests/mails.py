"""What tests share: a mint whose URLs tell themselves apart, and mails round a piece of HTML."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from rewriter import Rewritten, Tracking, Untouched, rewrite

OWN_HOST = "t.example.com"
BOTH = Tracking(opens=True, clicks=True, own_hosts=frozenset({OWN_HOST}))


@dataclass
class Mint:
    """Mints URLs of the collector's form and remembers what for."""

    tail: str = "Zm9yIHRlc3Rz" * 6
    host: str = OWN_HOST
    targets: list[bytes] = field(default_factory=list)

    def click(self, target: bytes, ordinal: int) -> str:
        self.targets.append(target)
        return f"https://{self.host}/c/{ordinal}-{self.tail}"

    def pixel(self) -> str:
        return f"https://{self.host}/o/{self.tail}"

    def notice(self) -> str:
        return f"https://{self.host}/p/{self.tail}"


def encode(html: bytes, encoding: str) -> bytes:
    """A body in a transfer encoding, its lines ended by CRLF."""
    if encoding == "base64":
        return base64.encodebytes(html).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        # The library leaves lone CRs and LFs of HTML with mixed line ends to us.
        quoted = binascii.b2a_qp(html, istext=True)
        return re.sub(rb"(?<!\r)\n", b"\r\n", quoted)
    return html


def mail(html: bytes | str, encoding: str = "8bit", *, charset: str | None = "utf-8") -> bytes:
    """A message that is one HTML part."""
    data = html.encode() if isinstance(html, str) else html
    parameter = f"; charset={charset}" if charset else ""
    head = (
        "From: ana@example.org\r\nTo: bo@example.net\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/html{parameter}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + encode(data, encoding)


def multipart(*parts: bytes, subtype: str = "mixed", extra: str = "") -> bytes:
    """A multipart entity round parts that carry their own headers."""
    head = f'Content-Type: multipart/{subtype}; boundary="=_b{len(parts)}"{extra}\r\n\r\n'
    body = b"".join(b"--=_b%d\r\n%b\r\n" % (len(parts), part) for part in parts)
    return head.encode() + body + b"--=_b%d--\r\n" % len(parts)


CLICKS = Tracking(opens=False, clicks=True, own_hosts=frozenset({OWN_HOST}))


def targets(html: bytes | str, **options: str | None) -> list[str]:
    """The targets that get wrapped in a piece of HTML, in order."""
    result = rewrite(mail(html, **options), tracking=CLICKS, links=Mint())  # type: ignore[arg-type]
    links = result.links if isinstance(result, Rewritten) else ()
    return [link.target.decode() for link in links]


def rules(html: bytes | str) -> list[str]:
    """The rules by which a piece of HTML or links of it are left alone, in order."""
    return rules_of(rewrite(mail(html), tracking=BOTH, links=Mint()))


def rules_of(result: Rewritten | Untouched) -> list[str]:
    """The rules by which parts were left alone, then those of links."""
    return [rule for part in result.parts if (rule := part.rule)] + [
        skipped.rule for skipped in result.skipped
    ]


def reason_of(result: Rewritten | Untouched) -> str:
    """Why a message went out as it came."""
    assert isinstance(result, Untouched), result
    return result.reason
