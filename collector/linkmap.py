"""Every link that was ever minted, as a map that a plain web server answers by.

So that links outlive the installation. A link's address follows from its message, its recipient,
its number, its target and the key that was first when the mail was sent; as that key is not noted,
each link is told under every key. Pure but for `minted_links`, which reads the store page by page.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import bindparam, select

from collector.schema import message
from collector.store import Store
from collector.tokens import Key, Tokens

PAGE_MESSAGES = 200
# nginx takes no word of 4,096 octets or more in its configuration, quotes included.
MAX_NGINX_WORD = 4_000


@dataclass(frozen=True, slots=True)
class MintedLink:
    """The path of a link, and where it leads; both printable ASCII."""

    path: str
    target: str


async def minted_links(
    store: Store, keys: Sequence[Key], public_url: str
) -> AsyncIterator[MintedLink]:
    """All links of all messages, oldest first, for each recipient with a copy of their own and each
    key. Raises StoreUnavailable."""
    minters = [Tokens([key]) for key in keys]
    base = f"{urlsplit(public_url).path.rstrip('/')}/c/"
    last = -1
    while rows := await store.read(_NEXT_MESSAGES, {"after": last, "most": PAGE_MESSAGES}):
        for row in rows:
            for ordinal in _ordinals(row):
                for number, target, _ in row.links:
                    octets = target.encode("latin-1")
                    for tokens in minters:
                        token = tokens.mint_click(row.id, ordinal, number, octets)
                        yield MintedLink(base + token, target)
        last = rows[-1].id


def _ordinals(row: Any) -> range:
    """Of those who have a copy of their own; 0 where all share one."""
    return range(1, len(row.recipients) + 1) if row.per_recipient else range(1)


class Nginx:
    """A file to include inside `http { }`."""

    def __init__(self, public_url: str) -> None:
        self._base = urlsplit(public_url).path.rstrip("/")

    def head(self) -> str:
        """What stands before the links."""
        return f"""\
# The links of Letterbell. Include this file inside http {{ }}, and put into the server of the host
# that they lead through:
#     location {self._base}/c/ {{
#         if ($letterbell_target = "") {{ return 404; }}
#         add_header Cache-Control no-store;
#         add_header Referrer-Policy no-referrer;
#         return 302 $letterbell_target;
#     }}
#     location {self._base}/o/ {{ empty_gif; }}
map_hash_bucket_size 4352;
map_hash_max_size 262144;
geo $letterbell_dollar {{ default "$"; }}
map $uri $letterbell_target {{
default "";
"""

    def link(self, link: MintedLink) -> str | None:
        """The line of a link; None for one that nginx does not take, as it is too long."""
        # Inside quotes a backslash hides quotes and itself; nothing hides "$" but a variable.
        target = link.target.replace("\\", "\\\\").replace('"', '\\"')
        target = target.replace("$", "${letterbell_dollar}")
        if max(len(link.path), len(target)) > MAX_NGINX_WORD:
            return None
        return f'"{link.path}" "{target}";\n'

    def tail(self) -> str:
        """What stands behind the links."""
        return "}\n"


class Caddy:
    """A whole configuration, in JSON: in a Caddyfile not every link can be written."""

    def __init__(self, public_url: str) -> None:
        parts = urlsplit(public_url)
        self._base = parts.path.rstrip("/")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._listen, self._host = f":{port}", parts.hostname or ""
        self._is_plain = parts.scheme == "http"
        self._is_first = True

    def head(self) -> str:
        """What stands before the links."""
        return self._parts()[0]

    def link(self, link: MintedLink) -> str | None:
        """The line of a link."""
        target = link.target
        if "{" in target:  # else nothing in it is taken for a placeholder, nor for its escape
            target = target.replace("{", "\\{").replace("}", "\\}")
        line = json.dumps({"input": link.path, "outputs": [target]}, separators=(",", ":"))
        comma, self._is_first = "" if self._is_first else ",", False
        return f"{comma}{line}\n"

    def tail(self) -> str:
        """What stands behind the links."""
        return self._parts()[1]

    def _parts(self) -> tuple[str, str]:
        answer = {
            "handler": "static_response",
            "status_code": "302",
            "headers": {
                "Location": ["{letterbell.target}"],
                "Cache-Control": ["no-store"],
                "Referrer-Policy": ["no-referrer"],
            },
        }
        known = {
            "match": [{"not": [{"vars": {"{letterbell.target}": [""]}}]}],
            "handle": [answer],
            "terminal": True,
        }
        mapping = {
            "handler": "map",
            "source": "{http.request.uri.path}",
            "destinations": ["{letterbell.target}"],
            "defaults": [""],
            "mappings": [_LINKS],
        }
        server = {
            "listen": [self._listen],
            "automatic_https": {"disable": self._is_plain},
            "routes": [
                {
                    "match": [{"host": [self._host], "path": [f"{self._base}/o/*"]}],
                    "handle": [{"handler": "static_response", "status_code": "204"}],
                    "terminal": True,
                },
                {
                    "match": [{"host": [self._host], "path": [f"{self._base}/c/*"]}],
                    "handle": [mapping, {"handler": "subroute", "routes": [known]}],
                },
                {"handle": [{"handler": "static_response", "status_code": "404"}]},
            ],
        }
        whole = {"apps": {"http": {"servers": {"letterbell": server}}}}
        head, _, tail = json.dumps(whole, indent=1).partition(json.dumps(_LINKS))
        return head.rstrip(" "), tail + "\n"


# Where they stand in Caddy's JSON.
_LINKS = "the links"
FORMS: Mapping[str, Callable[[str], Nginx | Caddy]] = {"nginx": Nginx, "caddy": Caddy}


_NEXT_MESSAGES = (
    select(message.c.id, message.c.per_recipient, message.c.recipients, message.c.links)
    .where(message.c.id > bindparam("after"), message.c.clicks)
    .order_by(message.c.id)
    .limit(bindparam("most"))
)
