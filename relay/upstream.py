"""The mail server that takes our mail: where it is, and every way in which it cannot be reached.

Whatever goes wrong on the way there is our trouble, not the mail's: told with its cause in the log
and by `check`, not in the reply to the client.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from aiosmtplib import SMTPAuthenticationError, SMTPConnectTimeoutError, SMTPResponseException

# To AUTH, those say that it cannot be said so here, and nothing of the login (RFC 4954 §4, §6).
MISMATCH = (500, 501, 502, 503, 504, 530, 538)


@dataclass(frozen=True, slots=True)
class TokenCommand:
    """A program that prints an access token, with its arguments."""

    words: tuple[str, ...] = field(repr=False)  # an argument may be a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefresh:
    """Where a refresh token is exchanged for access tokens (RFC 6749 §6)."""

    url: str
    client: str
    client_secret: str | None = field(default=None, repr=False)
    refresh: str = field(repr=False)


TokenOrigin = TokenCommand | TokenRefresh


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamHost:
    """Where the mail goes and how. `hostname` is our name in EHLO; time-outs in seconds.

    `user` logs in with the password, or with an access token.
    """

    host: str
    port: int
    hostname: str
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: TokenOrigin | None = None
    ca_file: Path | None = None
    connections: int = 10
    connect_timeout: float = 15.0
    reply_timeout: float = 60.0
    data_timeout: float = 600.0

    @property
    def where(self) -> str:
        """As people are told of it."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRoute:
    """Hosts in the order in which they are tried, and the senders whose mail goes there.

    `senders` are addresses as `collector.addresses` writes them, or none: it is for everyone.
    """

    hosts: tuple[UpstreamHost, ...]
    senders: tuple[str, ...] = ()

    @classmethod
    def to(cls, host: UpstreamHost) -> Self:
        """Everyone's, to one host."""
        return cls(hosts=(host,))

    def fits(self, address: str) -> bool:
        """Whether mail of this address goes there, by itself or by its domain; in any case."""
        address = address.lower()
        _, at, domain = address.rpartition("@")
        any_there = f"*{at}{domain}"
        return not self.senders or any(
            sender.lower() in (address, any_there) for sender in self.senders
        )


class UpstreamError(Exception):
    """No session with upstream. `problem` and `mend` are for the one who runs the relay."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem}: {mend}")
        self.problem = problem
        self.mend = mend


class LoginRefused(UpstreamError):  # noqa: N818 - named for what happened
    """Upstream says that the login is wrong."""


def translate(error: Exception, where: str, *, own_login: bool) -> UpstreamError:
    """What a failed connection to `where` means. `own_login`: it was ours, not a client's."""
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    match cause:
        case ssl.SSLCertVerificationError():
            return UpstreamError(
                f"the certificate of {where} is not valid ({cause.verify_message})",
                "set upstream.host to the name in it, upstream.ca_file to its own authority",
            )
        case ssl.SSLError():
            return UpstreamError(
                f"TLS with {where} failed ({cause.reason})",
                "compare upstream.tls and upstream.port: 587 goes with starttls, 465 with tls",
            )
        case SMTPAuthenticationError() if cause.code >= 500 and cause.code not in MISMATCH:
            return LoginRefused(
                f"{where} refused the login ({cause.code})",
                "set upstream.user and upstream.password"
                if own_login
                else "the mail program has to log in anew",
            )
        case SMTPResponseException():
            return UpstreamError(
                f"{where} refused the session ({cause.code} {cause.message})", "ask who runs it"
            )
        case SMTPConnectTimeoutError() | TimeoutError():
            return UpstreamError(
                f"{where} does not answer",
                "set upstream.host and upstream.port, see that no firewall is between",
            )
        case _:
            return UpstreamError(
                f"{where} cannot be reached ({cause})",
                "set upstream.host and upstream.port, see that it is up",
            )
