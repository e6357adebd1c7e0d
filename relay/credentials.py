"""What a client says it is. It travels with an identity, and is never logged, shown or stored."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Password:
    """A login and its password, as the client sent them."""

    login: bytes = field(repr=False)
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A login and an OAuth 2.0 access token for it."""

    login: bytes = field(repr=False)
    secret: bytes = field(repr=False)


Credentials = Password | Bearer
