"""Who is this, and as whom may they write: SASL (RFC 4954) against the senders' accounts."""

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from collector.errors import StoreUnavailable
from collector.senders import Sender, Senders
from relay.envelope import Refusal
from relay.header import Field, addresses_of, values

Ask = Callable[[bytes], Awaitable[bytes]]  # a challenge in base64 -> the client's raw response


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client says it is; neither part is ever logged."""

    login: bytes = field(repr=False)
    password: bytes = field(repr=False)


async def plain(initial: bytes, ask: Ask) -> Credentials:
    """RFC 4616: authorisation identity, login and password in one response, parted by NUL.

    Raises Refusal: 501 for its form, 535 for one who wants to act as another login.
    """
    parts = _decode(initial or await ask(b"")).split(b"\0")
    if len(parts) != 3:
        raise Refusal(501, b"5.5.2 PLAIN wants an identity, a login and a password")
    identity, login, password = parts
    if identity not in (b"", login):
        raise Refusal(535, b"5.7.8 One login cannot act as another")
    return Credentials(login, password)


async def login(initial: bytes, ask: Ask) -> Credentials:
    """The old LOGIN: two responses, to "Username:" and "Password:". Raises Refusal (501)."""
    name = _decode(initial or await ask(b"VXNlcm5hbWU6"))
    return Credentials(name, _decode(await ask(b"UGFzc3dvcmQ6")))


# Both send the password itself, so they are offered under TLS only, or on the loopback.
MECHANISMS: Mapping[bytes, Callable[[bytes, Ask], Awaitable[Credentials]]] = {
    b"PLAIN": plain,
    b"LOGIN": login,
}


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

    RFC 5322 §3.6 asks for exactly one, and RFC 6409 §8 names From among nothing that a submission
    server may add: so a missing one is refused like a second one, which readers would choose from.
    """
    authors = list(values(fields, b"from"))
    if len(authors) != 1:
        raise Refusal(550, b"5.7.1 The message has %d From headers instead of one" % len(authors))
    addresses = addresses_of(authors[0])
    if not addresses:
        raise Refusal(550, b"5.7.1 The From header names no address")
    for address in addresses:
        check_address(sender, address)


class Accounts:
    """Logins kept by us."""

    def __init__(self, senders: Senders) -> None:
        self._senders = senders

    async def authenticate(self, credentials: Credentials) -> Sender | None:
        """The sender, or None for an unknown login, a wrong password or a disabled sender.

        Raises Refusal (454) while the accounts cannot be read.
        """
        try:
            login = credentials.login.decode("utf-8")
            password = credentials.password.decode("utf-8")
        except UnicodeDecodeError:
            return None
        try:
            return await self._senders.authenticate(login, password)
        except StoreUnavailable:
            raise Refusal(454, b"4.7.0 Logins cannot be checked just now; try again") from None


def _decode(response: bytes) -> bytes:
    """The octets of a SASL response (RFC 4954 §4)."""
    if response == b"*":
        raise Refusal(501, b"5.7.0 Authentication cancelled")
    if response == b"=":  # an empty initial response
        return b""
    try:
        return b64decode(response, validate=True)
    except binascii.Error:
        raise Refusal(501, b"5.5.2 Not base64") from None
