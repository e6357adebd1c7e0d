"""A login, said to upstream: by one mechanism, once, as a wrong one counts there."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException

from relay.credentials import Bearer, Credentials, Password

Say = Callable[[SMTP, bytes, bytes], Awaitable[object]]


async def log_in(smtp: SMTP, credentials: Credentials) -> None:
    """By the first of our mechanisms that it offers.

    Raises SMTPAuthenticationError where they are wrong, SMTPException where it offers none.
    """
    for name, say in MECHANISMS[type(credentials)].items():
        if name in smtp.server_auth_methods:
            await say(smtp, credentials.login, credentials.secret)
            return
    raise SMTPException("it offers no AUTH that such a login could be said by")


async def _oauthbearer(smtp: SMTP, login: bytes, token: bytes) -> None:
    """RFC 7628: what is wrong comes as a challenge, which wants an answer."""
    name = login.replace(b"=", b"=3D").replace(b",", b"=2C")
    response = b"n,a=%b,\x01auth=Bearer %b\x01\x01" % (name, token)
    answer = await smtp.execute_command(b"AUTH", b"OAUTHBEARER", b64encode(response))
    if answer.code == 334:
        answer = await smtp.execute_command(b64encode(b"\x01"))
    if answer.code != 235:
        raise SMTPAuthenticationError(answer.code, answer.message)


MECHANISMS: Mapping[type[Credentials], Mapping[str, Say]] = {
    Password: {"plain": SMTP.auth_plain, "login": SMTP.auth_login, "cram-md5": SMTP.auth_crammd5},
    Bearer: {"xoauth2": SMTP.auth_xoauth2, "oauthbearer": _oauthbearer},
}
