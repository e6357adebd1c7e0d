"""The tracked addresses of mails sent before, recognised: they stand in replies and forwards.

The counterpart of `collector.tokens.MessageLinks`: whatever that mints under one of our keys is
known here, and nothing else. An address is ours only as a whole, since a query, a fragment or one
more word behind a token is somebody else's doing. Pure.
"""

import re
from urllib.parse import urlsplit

from collector.tokens import Tokens

_PORTS = {"http": 80, "https": 443}


class OwnLinks:
    """Knows the links, pixels and notices under `public_url`, of any message and any sender."""

    __slots__ = ("_address", "_tokens")

    def __init__(self, tokens: Tokens, public_url: str) -> None:
        """Raises ValueError for a `public_url` that is no http(s) address of a host."""
        self._tokens = tokens
        self._address = _pattern(public_url)

    def target(self, url: str) -> bytes | None:
        """Where a link of ours leads, byte for byte as it was minted; None for any other text."""
        token = self._token(url, "c")
        clicked = self._tokens.read_click(token) if token else None
        return clicked.target if clicked else None

    def is_pixel(self, url: str) -> bool:
        """Whether it is the address of a pixel of ours."""
        token = self._token(url, "o")
        return token is not None and self._tokens.read_open(token) is not None

    def is_notice(self, url: str) -> bool:
        """Whether it is the address of a notice page of ours."""
        token = self._token(url, "p")
        return token is not None and self._tokens.read_notice(token) is not None

    def _token(self, url: str, kind: str) -> str | None:
        found = self._address.fullmatch(url)
        return found["token"] if found and found["kind"] == kind else None


def _pattern(public_url: str) -> re.Pattern[str]:
    """What stands under `public_url`. Scheme and host in any case, http and https alike (mail
    programs and proxies change one into the other), a scheme's own port written or not."""
    parts = urlsplit(public_url)
    scheme, host, port = parts.scheme, parts.hostname, parts.port
    if scheme not in _PORTS or not host:
        raise ValueError("the public URL is no http(s) address of a host")
    name = re.escape(f"[{host}]" if ":" in host else host)
    if port in (None, _PORTS[scheme]):
        origin = "|".join(f"{each}://{name}(?::{usual})?" for each, usual in _PORTS.items())
    else:
        origin = f"https?://{name}:{port}"
    path = re.escape(parts.path.rstrip("/"))
    address = rf"(?i:{origin}){path}/(?P<kind>[cop])/(?P<token>[A-Za-z0-9_-]+)"
    return re.compile(address, re.ASCII)
