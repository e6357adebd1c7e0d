"""Which URL may be wrapped, and where it leads: a checklist from the bytes in an href to a target.

A target is what a browser would open: character references decoded, white space trimmed, tabs and
newlines dropped (WHATWG URL Standard, 4.4), inner spaces as %20, an international host in its
ASCII form, other characters percent-encoded as UTF-8. Anything else in it stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from urllib.parse import quote

import idna
from publicsuffixlist import PublicSuffixList

from rewriter.entities import decode_attribute

MAX_TARGET = 8_000

_DROPPED = re.compile("[\t\n\r]+")
_NON_ASCII = re.compile("[^\x00-\x7f]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
# Merge fields that a mailing service fills in later: {{x}}, {%x%}, *|X|*, %%x%%, <%x%>, ${x}, %x%.
# A percent sign before two hex digits is an escape, not a field.
_PLACEHOLDER = re.compile(r"\{\{|\{%|\*\||%%|<%|\$\{|%(?![0-9a-fA-F]{2})[A-Za-z_][\w.]*%", re.ASCII)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_WEB = re.compile(r"(https?://)([^/?#\\]+)", re.IGNORECASE)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:%\s\"<>^`{|}]+)(:[0-9]*)?")

# Attributes by which a sender keeps one link from being tracked, as the mailing services name
# them; the value that means so, or None for any.
OPT_OUTS: dict[bytes, tuple[bytes, ...] | None] = {
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


def means_no_tracking(mark: bytes, value: bytes) -> bool:
    """Whether one of `OPT_OUTS`, set to `value`, keeps its link from being tracked."""
    values = OPT_OUTS[mark]
    return values is None or value.strip().lower() in values


def read_target(value: str, exempt: Exempt) -> bytes | str:
    """The target of an href written as `value`: printable ASCII. A `str` is the rule against it."""
    seen = decode_attribute(value).strip(" \t\n\f\r")
    if control := _CONTROL.search(seen):
        seen = _DROPPED.sub("", seen)
        control = _CONTROL.search(seen)
    web = _WEB.match(seen)
    if web is None or control or "@" in web[2] or _PLACEHOLDER.search(seen):
        return _refusal(seen)
    host = _HOST.fullmatch(web[2])
    name = _to_ascii(host[1]) if host else None
    if host is None or name is None:
        return "unreadable host"
    if name.lower().rstrip(".") in exempt.own_hosts:
        return "own host"
    rest = seen[web.end() :].replace(" ", "%20")
    if not rest.isascii():
        rest = _NON_ASCII.sub(lambda run: quote(run[0], safe=""), rest)
    target = f"{web[1]}{name}{host[2] or ''}{rest}".encode("ascii")
    if len(target) > MAX_TARGET:
        return "too long"
    return "unsubscribe" if target in exempt.unsubscribe else target


def names_own(text: bytes, exempt: Exempt) -> bool:
    """Whether one of our own hosts stands anywhere in a text, in any case."""
    lowered = text.lower()
    return any(host.encode() in lowered for host in exempt.own_hosts)


def is_own(url: str, exempt: Exempt) -> bool:
    """Whether a URL as a browser sees it leads to one of our own hosts."""
    web = _WEB.match(url)
    host = _HOST.fullmatch(web[2]) if web else None
    return host is not None and host[1].lower().rstrip(".") in exempt.own_hosts


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


def _refusal(seen: str) -> str:
    """The first rule that forbids this URL, which is known to break one."""
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
    return "user in URL" if _WEB.match(seen) else "no host"


def _to_ascii(host: str) -> str | None:
    """A host in ASCII, an ASCII one as it is written; None where it is no host name."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
