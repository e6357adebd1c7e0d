"""Token keys as they are written: `ID:SECRET`, or `ID:SECRET:DATE` with the day it was made.

The secret is base64url; the date is for people, who may want to know a key's age.
"""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from collector.tokens import Key

SECRET_OCTETS = 32
IDS = 256


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key, and the day it was made, if that is written."""

    key: Key
    made: date | None = None


def read_token_key(written: str) -> TokenKey:
    """A wrong one raises ValueError, which never repeats it."""
    number, _, rest = written.partition(":")
    secret, dated, day = rest.partition(":")
    try:
        decoded = base64.b64decode(secret + "=" * (-len(secret) % 4), b"-_", validate=True)
        made = date.fromisoformat(day) if dated else None
    except (binascii.Error, ValueError):
        decoded, made = b"", None
    if not (
        number.isascii() and number.isdigit() and int(number) < IDS and 16 <= len(decoded) <= 64
    ):
        raise ValueError(
            'should be "ID:SECRET": an ID from 0 to 255 and 16 to 64 random bytes in base64url, '
            "as `letterbell init` makes them"
        )
    return TokenKey(Key(id=int(number), secret=decoded), made)


def write_token_key(id: int, secret: bytes, made: date) -> str:  # noqa: A002 - as in Key
    """What `read_token_key` reads."""
    spelled = base64.urlsafe_b64encode(secret).rstrip(b"=").decode("ascii")
    return f"{id}:{spelled}:{made.isoformat()}"


def next_id(newest: int, taken: Collection[int]) -> int | None:
    """The first free id after the newest key's; None where all are taken."""
    following = ((newest + step) % IDS for step in range(1, IDS))
    return next((each for each in following if each not in taken), None)
