"""The session's AUTH half: who the client is, and what it may try to become."""

from collections.abc import Callable

import structlog

from relay.auth import Auth
from relay.envelope import Identity, Reply
from relay.sasl import Ask
from relay.wire import Hangup

log = structlog.get_logger()

MAX_BAD_LOGINS = 5


class Login:
    """One session's. `identity` is None until AUTH has succeeded, or `who` was asked."""

    def __init__(self, auth: Auth, *, peer: str, may_log_in: Callable[[], bool]) -> None:
        self.identity: Identity | None = None
        self._auth = auth
        self._peer = peer
        self._may_log_in = may_log_in
        self._failures = 0
        self._network_login = auth.networks.login_of(peer)

    @property
    def is_stranger(self) -> bool:
        """Whether nothing is known of the client: neither a login nor its network."""
        return self.identity is None and self._network_login is None

    async def who(self) -> Identity | None:
        """Who the client is: as it logged in, else as its network says. Raises Refusal (451)."""
        if self.identity is None and self._network_login is not None:
            self.identity = await self._auth.networks.identity(self._network_login)
        return self.identity

    def offers(self) -> bytes | None:
        """EHLO's line; None where no password may be said now."""
        return b"AUTH " + b" ".join(self._auth.mechanisms) if self._may_log_in() else None

    async def obey(self, argument: bytes, ask: Ask) -> Reply:
        """Does what AUTH says. Raises Refusal, and Hangup for the last wrong login it hears."""
        name, _, initial = argument.partition(b" ")
        mechanism = self._auth.mechanisms.get(name.upper())
        if self.identity and self.identity.how != "network":
            return Reply(503, b"5.5.1 AUTH comes once")
        if not self._may_log_in():
            return Reply(538, b"5.7.11 Encryption is required: STARTTLS first")
        if mechanism is None:
            return Reply(504, b"5.5.4 Mechanisms are " + b", ".join(self._auth.mechanisms))
        credentials = await mechanism.read(initial.strip(b" "), ask)
        identity = await self._auth.authenticate(credentials, peer=self._peer)
        if identity:
            self.identity = identity
            log.debug("logged in", peer=self._peer, sender=identity.sender.id, how=identity.how)
            return Reply(235, b"2.7.0 Authenticated")
        self._failures += 1
        if mechanism.excuse:
            await ask(mechanism.excuse)  # whatever it says to that
        log.warning("login refused", peer=self._peer)  # not the login: people type passwords there
        if self._failures >= MAX_BAD_LOGINS:
            raise Hangup(421, b"4.7.0 Too many wrong logins")
        return Reply(535, b"5.7.8 Login or password is wrong" + self._auth.advice)

    def forget(self) -> None:
        """The session begins anew, as it does after STARTTLS (RFC 3207 §4.2)."""
        self.identity = None
