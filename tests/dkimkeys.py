"""DKIM keys for tests, and what a verifier of another make says of a mail."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import dkim

from relay.signing_key import SigningKey, make_key, to_pem


@cache
def key(
    domain: str = "example.com",
    selector: str = "sel",
    *,
    rsa: bool = False,
    subdomains: bool = False,
) -> SigningKey:
    return SigningKey(domain, selector, make_key(rsa=rsa), subdomains)


def verdicts(message: bytes, *keys: SigningKey) -> list[bool]:
    """Of each signature in turn, from the top; `keys` are what is published."""
    records = {f"{each.name}.".encode(): each.record.encode() for each in keys}

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        return records.get(name)

    found = dkim.DKIM(message)
    count = sum(name.lower() == b"dkim-signature" for name, _ in found.headers)
    return [_verdict(partial(found.verify, index, dnsfunc=look_up)) for index in range(count)]


def _verdict(verify: Callable[[], bool]) -> bool:
    try:
        return verify()
    except dkim.DKIMException:
        return False


def write_key(path: Path, made: SigningKey, mode: int = 0o600) -> Path:
    path.write_bytes(to_pem(made.private))
    path.chmod(mode)
    return path
