"""Signatures by the Standard Webhooks specification: symmetric, version 1. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

PREFIX = "whsec_"
SECRET_SIZE = 32  # octets; the specification wants 24 to 64


def write_secret(octets: bytes) -> str:
    """As it is shown to whoever runs the receiver."""
    return PREFIX + b64encode(octets).decode("ascii")


def sign(secret: str, event_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers that go with `body`. `event_id` has no full stop in it; `at_s` is in seconds."""
    key = b64decode(secret.removeprefix(PREFIX))
    signed = b"%b.%d.%b" % (event_id.encode("ascii"), at_s, body)
    signature = b64encode(hmac.digest(key, signed, sha256)).decode("ascii")
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
    }
