"""What came of one attempt to send something, and whether another one may help."""

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "gone",  # the receiver wants no more (410)
    "key",  # what was sealed cannot be opened any more
    "name",  # its host is not in the DNS
    "plain",  # it leads out into the world, without TLS
    "private",  # it leads into a private network
    "redirect",
    "refused",  # the service said no, and not why
    "slow",
    "status",  # it answered something else than 2xx, which `detail` tells
    "tls",
    "unreachable",
]


@dataclass(frozen=True, slots=True)
class Taken:
    """It is there."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not, and may be tried again; not for `wait` seconds, where the receiver said so.

    With `lasting` no attempt will ever help. `spares_others`: this one alone is at fault.
    """

    reason: Reason
    detail: str = ""
    wait: float = 0.0
    lasting: bool = False
    spares_others: bool = False


Outcome = Taken | Failed
