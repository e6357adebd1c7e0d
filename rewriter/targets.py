"""Which URL may be wrapped, and where it leads: a checklist from the bytes in an href to a target.

A target is what a browser would open: character references decoded, white space trimmed, tabs and
newlines dropped (WHATWG URL Standard, 4.4), inner spaces as %20, an international host in its
ASCII form, other characters percent-encoded as UTF-8. Anything else in it stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from urllib.parse import quote

import idna
from publicsuffixlist import PublicSuffixList

from rewriter.contract import Skipped
from rewriter.entities import decode_attribute

MAX_TARGET = 8_000
_SHOWN = 200

_DROPPED = str.maketrans("", "", "\t\n\r")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
# Merge fields that a mailing service fills in later: {{x}}, {%x%}, *|X|*, %%x%%, <%x%>, ${x}, %x%.
# A percent sign before two hex digits is an escape, not a field.
_PLACEHOLDER = re.compile(r"\{\{|\{%|\*\||%%|<%|\$\{|%(?![0-9a-fA-F]{2})[A-Za-z_][\w.]*%", re.ASCII)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_WEB = re.compile(r"(https?)://([^/?#\\]+)", re.IGNORECASE)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:%\s\"<>^`{|}]+)(:[0-9]*)?")

# Attributes by which a sender keeps one link from being tracked, as the mailing services name
# them; the value that means so, or None for any.
_OPT_OUTS: dict[bytes, tuple[bytes, ...] | None] = {
    b"clicktracking": (b"off",),  # SendGrid
    b"disable-tracking": (b"true", b""),  # Mailgun
    b"data-pm-no-track": None,  # Postmark
    b"ses:no-track": None,  # Amazon SES
    b"data-msys-clicktrack": (b"0",),  # SparkPost
    b"mc:disable-tracking": None,  # Mailchimp
    b"data-disable-tracking": (b"true", b"1", b""),
    b"data-mautic-disable-tracking": (b"true", b"1", b""),  # Mautic
    b"data-skip-click": None,
    b"data-no-track": None,
}


@dataclass(frozen=True, slots=True)
class Exempt:
    """What is never wrapped: our own hosts (lower case), and the URLs that unsubscribe.

    `url_text`: links whose text is another site's address are wrapped all the same.
    """

    own_hosts: frozenset[str]
    unsubscribe: frozenset[bytes]
    url_text: bool = False


def opts_out(attributes: Mapping[bytes, bytes]) -> bool:
    """Whether a link's attributes (names in lower case) say that it is not to be tracked."""
    for name in attributes.keys() & _OPT_OUTS.keys():
        values = _OPT_OUTS[name]
        if values is None or attributes[name].strip().lower() in values:
            return True
    return False


def read_target(value: str, exempt: Exempt) -> bytes | Skipped:
    """The target of an href written as `value`: printable ASCII, or why the link stays as it is."""
    seen = decode_attribute(value).strip(" \t\n\f\r").translate(_DROPPED)
    rule = _refuse(seen)
    if rule is None:
        target = _spell(seen)
        rule = "unreadable host" if target is None else _exempted(target, exempt)
        if rule is None and target is not None:
            return target
    return Skipped(value[:_SHOWN], rule or "")


def host_of(target: bytes) -> str:
    """The host name of a target in lower case, without its port."""
    web = _WEB.match(target.decode("ascii"))
    host = _HOST.fullmatch(web[2]) if web else None
    return host[1].lower().rstrip(".") if host else ""


def is_own(url: str, exempt: Exempt) -> bool:
    """Whether a URL as a browser sees it leads to one of our own hosts."""
    return url.isascii() and host_of(url.encode("ascii")) in exempt.own_hosts


def shows_another_site(html: str, own_hosts: Collection[str]) -> bool:
    """Whether a link's inner HTML reads as the address of a site that none of `own_hosts` is of.

    Sites are told apart by their registrable domains (publicsuffix.org).
    """
    if "." not in html:
        return False
    shown = _ADDRESS.fullmatch(unescape(_TAGS.sub("", html)).strip())
    if shown is None or not own_hosts:
        return False
    return _site(shown[1]) not in {_site(host) for host in own_hosts}


_TAGS = re.compile(r"<[^>]*>?")
_ADDRESS = re.compile(
    r"(?:https?://)?(?:[^\s/@]*@)?((?:[\w\-]+\.)+[a-z][\w\-]+)\.?(?::\d+)?(?:[/?#]\S*)?",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def _site(host: str) -> str:
    return _SUFFIXES.privatesuffix(host.lower()) or host.lower()


_SUFFIXES = PublicSuffixList()


def _refuse(seen: str) -> str | None:
    """The first rule that forbids this URL, read as text."""
    if not seen:
        return "empty"
    if seen.startswith("#"):
        return "fragment"
    if _PLACEHOLDER.search(seen):
        return "placeholder"
    if _CONTROL.search(seen):
        return "control character"
    scheme = _SCHEME.match(seen)
    if scheme is None:
        return "relative"
    if scheme[1].lower() not in ("http", "https"):
        return "scheme"
    web = _WEB.match(seen)
    if web is None:
        return "no host"
    if "@" in web[2]:
        return "user in URL"
    return None


def _exempted(target: bytes, exempt: Exempt) -> str | None:
    if len(target) > MAX_TARGET:
        return "too long"
    if host_of(target) in exempt.own_hosts:
        return "own host"
    if target in exempt.unsubscribe:
        return "unsubscribe"
    return None


def _spell(seen: str) -> bytes | None:
    """The URL in ASCII; None where its host is none. An ASCII host stays as it is written."""
    web = _WEB.match(seen)
    host = _HOST.fullmatch(web[2]) if web else None
    if web is None or host is None:
        return None
    name = host[1] if host[1].isascii() else _to_ascii(host[1])
    if name is None:
        return None
    authority = f"{seen[: web.start(2)]}{name}{host[2] or ''}"
    rest = seen[web.end(2) :].replace(" ", "%20")
    if not rest.isascii():
        rest = _NON_ASCII.sub(lambda run: quote(run[0], safe=""), rest)
    return (authority + rest).encode("ascii")


_NON_ASCII = re.compile("[^\x00-\x7f]+")


def _to_ascii(host: str) -> str | None:
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
