"""The addresses a sender may send as, in the one spelling that is stored and compared."""

import re
from collections.abc import Iterable

_LOCAL = re.compile(r'[^\s"\\()<>,:;@\[\]\x00-\x1f\x7f]{1,64}|"[^"\\\x00-\x1f\x7f]{1,62}"')
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,255}}\Z){_LABEL}(\.{_LABEL})*|\[[0-9a-f.:]+\]|\[ipv6:[0-9a-f.:]+\]")


class AddressRefused(ValueError):  # noqa: N818 - named for what happened
    """A text that is no address to send as; the message names it and the mend."""


def normalise(text: str) -> str:
    """ "Ana@Example.COM" as "Ana@example.com"; "*@example.com" stands for all of a domain.

    Raises AddressRefused.
    """
    local, at, domain = text.strip().rpartition("@")
    domain = domain.lower()
    if not at:
        raise AddressRefused(f"{text!r} is no mail address; write name@example.com")
    if not domain.isascii():
        raise AddressRefused(f"{text!r}: write the domain in its xn-- form")
    if not _DOMAIN.fullmatch(domain) or not _LOCAL.fullmatch(local):
        raise AddressRefused(
            f"{text!r} is no mail address; write name@example.com or *@example.com"
        )
    return f"{local}@{domain}"


def normalise_all(texts: Iterable[str]) -> tuple[str, ...]:
    """The addresses in their stored spelling and given order. Raises AddressRefused."""
    found: dict[str, str] = {}
    for text in texts:
        address = normalise(text)
        if address in found:
            raise AddressRefused(f"{text!r} stands there twice; leave one out")
        found[address] = text
    return tuple(found)
