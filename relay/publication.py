"""Whether verifiers find the public half of a DKIM key: its record in the DNS (RFC 6376 §3.6)."""

from collections.abc import Sequence

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer

from relay.signing_key import SigningKey

TIMEOUT = 5.0  # seconds for the whole question


class LookupFailed(Exception):  # noqa: N818 - named for what happened
    """The DNS did not answer, which tells nothing of the record."""


async def published(name: str) -> list[str]:
    """The TXT records of the name, each as one text. Raises LookupFailed."""
    try:
        answer = await Resolver().resolve(name, "TXT", lifetime=TIMEOUT)
    except (NXDOMAIN, NoAnswer):
        return []
    except DNSException as error:
        raise LookupFailed(f"{name} cannot be looked up ({type(error).__name__})") from None
    return [b"".join(record.strings).decode("ascii", "replace") for record in answer]


def objection(key: SigningKey, records: Sequence[str]) -> str | None:
    """Why signatures by this key do not verify where these are published; None if they do."""
    found = [tags for record in records if "p" in (tags := _tags(record))]
    if not found:
        return "is not in the DNS"
    if len(found) > 1:
        return "has several records in the DNS, of which verifiers may take any"
    [tags] = found
    if not tags["p"]:
        return "is revoked in the DNS"
    wanted = _tags(key.record)
    if (tags.get("k", "rsa"), tags["p"]) != (wanted["k"], wanted["p"]):
        return "has another key in the DNS"
    if tags.get("v", "DKIM1") != "DKIM1" or "sha256" not in tags.get("h", "sha256").split(":"):
        return "has a record in the DNS that verifiers do not take for this key"
    return None


def _tags(record: str) -> dict[str, str]:
    """The record's tags, without blanks (RFC 6376 §3.2)."""
    pairs = (tag.partition("=") for tag in record.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in pairs}
