"""Who is this, and as whom may they write."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from collector.errors import StoreUnavailable
from collector.passwords import PasswordsBusy
from collector.senders import Sender, Senders
from relay import controls
from relay.credentials import Credentials, Password
from relay.envelope import Identity, Refusal
from relay.guard import Guard
from relay.header import Field, values
from relay.mailboxes import addresses_of
from relay.networks import Networks
from relay.sasl import PASSWORDS, Mechanism


def check_address(sender: Sender, address: bytes) -> None:
    """Refuses (550) an address that is not among the sender's, nor in a domain of `*@domain`.

    Case does not part addresses here: no real server has two people whom only case tells apart.
    """
    text = address.decode("utf-8", "replace").lower()
    any_in_domain = "*" + text[text.rfind("@") :]
    if not any(own.lower() in (text, any_in_domain) for own in sender.addresses):
        raise Refusal(
            550,
            b"5.7.1 <%b> is not an address of the login %b: write as one that is, or have it"
            b" added (letterbell sender set)" % (address[:254], sender.login.encode()),
        )


def check_author(sender: Sender, fields: Sequence[Field]) -> None:
    """Refuses (550) a message whose From header is not exactly one, with the sender's addresses.

    One that programs read in different ways is refused too: no reader may see another author.

    RFC 5322 §3.6 asks for exactly one, and RFC 6409 §8 names From among nothing that a submission
    server may add: so a missing one is refused like a second one, which readers would choose from.
    """
    authors = list(values(fields, b"from"))
    if len(authors) != 1:
        raise Refusal(550, b"5.7.1 The message has %d From headers instead of one" % len(authors))
    addresses = addresses_of(authors[0])
    if addresses is None:
        raise Refusal(
            550,
            b"5.7.1 The From header can be read in several ways: write From: Name <address>, a name"
            b" with special characters in double quotes",
        )
    if not addresses:
        raise Refusal(550, b"5.7.1 The From header names no address")
    for address in addresses:
        check_address(sender, address)


class Authority(Protocol):
    """Who can say whether credentials are right."""

    mechanisms: Mapping[bytes, Mechanism]
    advice: bytes  # what one whose credentials are wrong is told besides

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """The identity, or None where they are wrong. Raises Refusal (454) if that is unknown."""


class Accounts:
    """Logins kept by us: with an app password, or the sender's own unless those alone count."""

    mechanisms = PASSWORDS

    def __init__(self, senders: Senders, *, app_passwords_only: bool = False) -> None:
        self.advice = b": an app password is wanted here" if app_passwords_only else b""
        self._senders = senders
        self._own_password = not app_passwords_only

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """The identity, or None for an unknown login, a wrong password or a disabled sender.

        Raises Refusal (454) while the accounts cannot be read, or too many want in at once.
        """
        assert isinstance(credentials, Password)
        try:
            login = credentials.login.decode("utf-8")
            password = credentials.secret.decode("utf-8")
        except UnicodeDecodeError:
            return None
        try:
            signed_in = await self._senders.authenticate_device(
                login, password, own_password=self._own_password
            )
        except StoreUnavailable:
            raise Refusal(454, b"4.7.0 Logins cannot be checked just now; try again") from None
        except PasswordsBusy:
            raise Refusal(454, b"4.7.0 Too many logins at once; try again in a moment") from None
        return Identity(sender=signed_in.sender, device=signed_in.device) if signed_in else None


class Auth:
    """What all sessions ask who somebody is."""

    def __init__(self, authority: Authority, guard: Guard, networks: Networks) -> None:
        self.networks = networks
        self._authority = authority
        self._guard = guard

    @property
    def mechanisms(self) -> Mapping[bytes, Mechanism]:
        """By name, in the order in which EHLO offers them."""
        return self._authority.mechanisms

    @property
    def advice(self) -> bytes:
        """What one whose credentials are wrong is told besides."""
        return self._authority.advice

    async def authenticate(self, credentials: Credentials, *, peer: str) -> Identity | None:
        """The identity, or None where the credentials are wrong.

        Raises Refusal (454) where that is unknown, Hangup (421) for one who is to wait.
        """
        login, wishes = controls.of_login(credentials.login.decode("utf-8", "surrogateescape"))
        credentials = replace(credentials, login=login.encode("utf-8", "surrogateescape"))
        async with self._guard.turn(peer):
            self._guard.check(peer, login)
            try:
                identity = await self._authority.authenticate(credentials)
            except asyncio.CancelledError:  # the client has gone; it is not to be free of charge
                self._guard.fail(peer, login)
                raise
            if identity is None:
                self._guard.fail(peer, login)
                return None
            self._guard.succeed(peer, login)
            return replace(identity, wishes=wishes)
