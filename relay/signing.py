"""DKIM signatures (RFC 6376): put on last, when nothing of a message changes any more.

Relaxed in header and body, and never over a part of the body (`l=`). A From more than there is goes
into `h=`, so that nobody can add one. Signatures that a message brought along and that are wrong
after our changes go, where ours takes their place; where we do not sign, nothing is changed.
A fault of signing costs a message its signature and nothing else.
"""

import asyncio
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import sha256

import structlog

from relay import metrics
from relay.canonical import body_hash, relaxed_field
from relay.content import Content
from relay.header import read_fields, values
from relay.mailboxes import addresses_of
from relay.signing_key import SigningKey, to_ascii

log = structlog.get_logger()

INLINE_OCTETS = 65_536  # a larger body is hashed in a thread, off the event loop
SIGNED = (
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
_H = re.compile(rb"(?:\A|;)[ \t\r\n]*h[ \t\r\n]*=([^;]*)")
_LINE = 72


class Signing:
    """The site's keys. `now` is in seconds since the epoch."""

    def __init__(
        self, keys: Iterable[SigningKey] = (), *, now: Callable[[], float] = time.time
    ) -> None:
        self._keys = tuple(keys)
        self._now = now

    def change(self, keys: Iterable[SigningKey]) -> None:
        """Signs with these from now on."""
        self._keys = tuple(keys)

    def keys_for(self, head: bytes) -> tuple[SigningKey, ...]:
        """The keys of the author's domain, those of the nearest parent that has some."""
        if not self._keys:
            return ()
        author = next(values(read_fields(head), b"from"), b"")
        for address in addresses_of(author) or ():
            domain = to_ascii(address.rpartition(b"@")[2].decode("utf-8", "replace"))
            fitting = [key for key in self._keys if domain is not None and key.covers(domain)]
            if fitting:
                nearest = max(len(key.domain) for key in fitting)
                return tuple(key for key in fitting if len(key.domain) == nearest)
        return ()

    async def sign(
        self, content: Content, keys: Sequence[SigningKey], *, came: Content, message_id: int
    ) -> Content:
        """`content` with a signature by each key, and without those that it `came` with and that
        our changes have broken. Raises nothing: a fault is told and counted."""
        if not keys:
            return content
        kept = content.with_head(_without_broken(content, came))
        make = partial(_signatures, kept, keys, int(self._now()))
        try:
            if kept.size > INLINE_OCTETS or any(key.is_rsa for key in keys):
                signatures = await asyncio.to_thread(make)
            else:
                signatures = make()
        except Exception:
            metrics.SIGNATURES.labels("failed").inc()
            log.exception("signing failed", id=f"{message_id:x}", domain=keys[0].domain)
            return kept
        metrics.SIGNATURES.labels("signed").inc()
        return kept.with_head(signatures + kept.head)


def _signatures(content: Content, keys: Sequence[SigningKey], seconds: int) -> bytes:
    """The DKIM-Signature fields, folded, each with its final CRLF."""
    names, signed = _signed_fields(content.head)
    body = b64encode(body_hash(content.with_head(b"").chunks())).decode("ascii")
    return b"".join(_signature(key, names, signed, body, seconds) for key in keys)


def _signature(
    key: SigningKey, names: Sequence[bytes], signed: bytes, body: str, seconds: int
) -> bytes:
    tags = (
        f"v=1; a={key.algorithm}; c=relaxed/relaxed;",
        f"d={key.domain}; s={key.selector}; t={seconds};",
        *_folded_names([name.decode("ascii") for name in names]),
        f"bh={body};",
        "b=",
    )
    field = ("DKIM-Signature: " + "\r\n\t".join(tags)).encode("ascii")
    octets = signed + relaxed_field(field).removesuffix(b"\r\n")
    written = b64encode(key.sign(octets, sha256(octets).digest()))
    lines = [written[at : at + _LINE] for at in range(0, len(written), _LINE)]
    return field + b"\r\n\t".join(lines) + b"\r\n"


def _folded_names(names: Sequence[str]) -> list[str]:
    """`h=` over several lines, as a line of a header should have at most 78 characters."""
    lines, line = [], "h="
    for number, name in enumerate(names, 1):
        end = ":" if number < len(names) else ";"
        if len(line) + len(name) >= _LINE:
            lines.append(line)
            line = ""
        line += name + end
    return [*lines, line]


def _signed_fields(head: bytes) -> tuple[list[bytes], bytes]:
    """The names for `h=`, and the fields that they stand for, relaxed.

    A name stands there once for each of its fields, which a verifier takes from the last one up
    (RFC 6376 §5.4.2). That of From stands there once more.
    """
    fields: dict[bytes, list[bytes]] = {name: [] for name in SIGNED}
    for field in reversed(read_fields(head)):
        whole = head[field.start : field.end]
        name = whole.partition(b":")[0].rstrip(b" \t").lower()  # as it is: verifiers look for that
        if name in fields:
            fields[name].append(relaxed_field(whole))
    names = [name for name, found in fields.items() for _ in found]
    return [b"from", *names], b"".join(each for found in fields.values() for each in found)


def _without_broken(content: Content, came: Content) -> bytes:
    """The header without the signatures over what is not any more what `came`."""
    fields = read_fields(content.head)
    if not any(field.name == b"dkim-signature" for field in fields):
        return content.head
    same_body = content.body is came.body
    before = read_fields(came.head)
    head, start = [], 0
    for field in fields:
        if field.name != b"dkim-signature":
            continue
        named = _H.search(field.value)
        names = [name.strip().lower() for name in named[1].split(b":")] if named else []
        if not same_body or any(
            list(values(fields, name)) != list(values(before, name)) for name in names
        ):
            head.append(content.head[start : field.start])
            start = field.end
    return b"".join((*head, content.head[start:]))
