"""SASL as SMTP carries it (RFC 4954): each mechanism's dialogue, out of which come credentials.

All of them send the secret itself, so they are offered under TLS only, or on the loopback.
"""

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from relay.credentials import Credentials, Password
from relay.envelope import Refusal

Ask = Callable[[bytes], Awaitable[bytes]]  # a challenge in base64 -> the client's raw response


class Mechanism(NamedTuple):
    """How the credentials are had: from the initial response (b"": none) and by asking."""

    read: Callable[[bytes, Ask], Awaitable[Credentials]]


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
    return Password(login, password)


async def login(initial: bytes, ask: Ask) -> Credentials:
    """The old LOGIN: two responses, to "Username:" and "Password:". Raises Refusal (501)."""
    name = _decode(initial or await ask(b"VXNlcm5hbWU6"))
    return Password(name, _decode(await ask(b"UGFzc3dvcmQ6")))


PASSWORDS: Mapping[bytes, Mechanism] = {b"PLAIN": Mechanism(plain), b"LOGIN": Mechanism(login)}


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
