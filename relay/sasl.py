"""SASL as SMTP carries it (RFC 4954): each mechanism's dialogue, out of which come credentials.

All of them send the secret itself, so they are offered under TLS only, or on the loopback.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from relay.credentials import Bearer, Credentials, Password
from relay.envelope import Refusal

Ask = Callable[[bytes], Awaitable[bytes]]  # a challenge in base64 -> the client's raw response


class Mechanism(NamedTuple):
    """How the credentials are had: from the initial response (b"": none) and by asking."""

    read: Callable[[bytes, Ask], Awaitable[Credentials]]
    excuse: bytes = b""  # the challenge that says why, before a 535 (RFC 7628 §3.2.3)


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


async def xoauth2(initial: bytes, ask: Ask) -> Credentials:
    """Google's and Microsoft's, older than the next. Raises Refusal (501)."""
    match = _XOAUTH2.fullmatch(_decode(initial or await ask(b"")))
    if match is None:
        raise Refusal(501, b"5.5.2 XOAUTH2 wants a user and a bearer token")
    return Bearer(match[1], match[2])


async def oauthbearer(initial: bytes, ask: Ask) -> Credentials:
    """RFC 7628; the login, which is optional there, must be said. Raises Refusal (501)."""
    header, *pairs = _decode(initial or await ask(b"")).split(b"\x01")
    login = _GS2_HEADER.fullmatch(header)
    token = next(filter(None, map(_BEARER.fullmatch, pairs)), None)
    if login is None or token is None or pairs[-2:] != [b"", b""]:
        raise Refusal(501, b"5.5.2 OAUTHBEARER wants a login (n,a=...) and a bearer token")
    return Bearer(login[1].replace(b"=2C", b",").replace(b"=3D", b"="), token[1])


_XOAUTH2 = re.compile(rb"user=([^\x01]+)\x01auth=Bearer ([!-~]+)\x01\x01", re.IGNORECASE)
_GS2_HEADER = re.compile(rb"[ny],a=((?:[^,=\x00\x01]|=2C|=3D)+),")
_BEARER = re.compile(rb"auth=Bearer ([!-~]+)", re.IGNORECASE)

PASSWORDS: Mapping[bytes, Mechanism] = {b"PLAIN": Mechanism(plain), b"LOGIN": Mechanism(login)}
TOKENS: Mapping[bytes, Mechanism] = {
    b"XOAUTH2": Mechanism(xoauth2, b64encode(b'{"status":"401","schemes":"bearer"}')),
    b"OAUTHBEARER": Mechanism(oauthbearer, b64encode(b'{"status":"invalid_token"}')),
}


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
