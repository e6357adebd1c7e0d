"""What the submission server is made with: its limits, its listeners' doors, what all share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from collector.client import Networks
from relay.auth import Auth
from relay.connections import Connections
from relay.controls import CONTROL_DOMAIN
from relay.drafts import BareNewline, Drafts
from relay.envelope import Envelope, Reply
from relay.rates import Rates
from relay.tls import Tls

Accept = Callable[[Envelope], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What holds for every session. Sizes in octets, times in seconds."""

    hostname: str
    max_size: int = 26_214_400
    max_recipients: int = 100
    bare_newline: BareNewline = "normalize"
    idle_timeout: float = 300.0
    control_domain: bytes = CONTROL_DOMAIN
    greeting_delay: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What holds for the sessions of one listener.

    `tls` has the server's certificate, if there is one; `implicit` speaks TLS from the first
    octet. `allow_plain_auth` offers AUTH without TLS: for loopback only. Where there are `proxies`,
    only they may connect, and each tells its client's address (relay/proxy.py).
    """

    tls: Tls | None = None
    implicit: bool = False
    allow_plain_auth: bool = False
    proxies: Networks = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the sessions of all listeners share. `accept` answers each complete envelope."""

    submission: Submission
    auth: Auth
    accept: Accept
    connections: Connections
    drafts: Drafts
    rates: Rates = field(default_factory=Rates)
