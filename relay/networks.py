"""Clients that need no login: what writes from a listed network is that network's sender.

For an app beside the relay, on a network that nobody else can write from. A client there may log
in all the same, and is then who its login says.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

import structlog

from collector.errors import StoreUnavailable
from collector.senders import Senders
from relay.envelope import Identity, Refusal

log = structlog.get_logger()

Network = IPv4Network | IPv6Network


class Networks:
    """Which sender's login a network has, the first that fits."""

    def __init__(self, senders: Senders, logins: Sequence[tuple[Network, str]] = ()) -> None:
        self._senders = senders
        self._logins = logins

    def login_of(self, peer: str) -> str | None:
        """The login for which a client at this address may write; None for all others."""
        if not self._logins:
            return None
        try:
            address = ip_address(peer)
        except ValueError:
            return None
        return next((login for network, login in self._logins if address in network), None)

    async def identity(self, login: str) -> Identity | None:
        """The network's sender; None where there is no such sender or it is disabled.

        Raises Refusal (451) while the senders cannot be read.
        """
        try:
            sender = await self._senders.of_login(login)
        except StoreUnavailable:
            raise Refusal(451, b"4.3.0 Senders cannot be read just now; try again") from None
        if sender is None:
            log.warning(
                "network without a sender", mend=f"letterbell sender add {login}, or set --enable"
            )
        return Identity(sender=sender, how="network") if sender else None
