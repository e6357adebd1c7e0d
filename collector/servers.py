"""What mail programs are told to connect to. It need not be where we listen: a NAT or a proxy may
stand between."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Security: TypeAlias = Literal["none", "starttls", "implicit"]


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server as its clients see it; "implicit" is TLS from the first octet on."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """`smtp` is ours. `imap` is where mail for `domains` (lower case) arrives, which is no part of
    ours; its users are known there by their address or by what stands before its "@"."""

    smtp: Server
    imap: Server | None = None
    imap_user: Literal["address", "local-part"] = "address"
    domains: tuple[str, ...] = ()
    control_domain: str = "letterbell.invalid"

    def serves(self, address: str) -> bool:
        """Whether mail for this address arrives at `imap`."""
        domain = address.rpartition("@")[2].lower()
        return self.imap is not None and domain in self.domains


DEFAULT = Servers(smtp=Server("localhost", 587, "starttls"))
