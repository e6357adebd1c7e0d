"""[upstream] and its routes: where mail goes, by whose address it is, and what logs in there."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from collector.addresses import normalise_all
from relay.loopback import is_loopback
from relay.tables import Count, Seconds, Table
from relay.upstream import (
    TokenCommand,
    TokenOrigin,
    TokenRefresh,
    UpstreamHost,
    UpstreamRoute,
)

# Those that are never shown, and may stand in files of their own.
UPSTREAM_SECRETS = ("password", "token_client_secret", "token_refresh")


def _token_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    ):
        raise ValueError("should be https://…: the refresh token would cross the network in clear")
    return url


def _fallback(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        _parted(host, 0)
    return hosts


def _parted(written: str, port: int) -> tuple[str, int]:
    """`HOST` or `HOST:PORT`, an IPv6 address in brackets."""
    parts = urlsplit(f"//{written}")
    try:
        if parts.hostname and parts.netloc == written and parts.username is None:
            return parts.hostname, port if parts.port is None else parts.port
    except ValueError:
        pass
    raise ValueError(f'has {written!r}: should be "host" or "host:port"')


def _senders(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("should name somebody: an address, or *@example.com")
    return normalise_all(addresses)


class RouteSettings(Table):
    """What [upstream] and each [[upstream.route]] have."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    fallback: Annotated[tuple[str, ...], AfterValidator(_fallback)] = ()
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    token_command: tuple[str, ...] = ()
    token_url: Annotated[str, AfterValidator(_token_url)] | None = None
    token_client: str | None = None
    token_client_secret: SecretStr | None = None
    token_refresh: SecretStr | None = None
    ca_file: Path | None = None
    connections: Count = 10
    connect_timeout: Seconds = 15
    reply_timeout: Seconds = 60
    data_timeout: Seconds = 600

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        ways = (self.password is not None, bool(self.token_command), self.token_url is not None)
        if (self.user is not None) != any(ways):
            raise ValueError(
                "user and password belong together: set both, or neither"
                " (or a token_command, or a token_url, in place of the password)"
            )
        if sum(ways) > 1:
            raise ValueError("has several logins: keep one of password, token_command, token_url")
        refreshing = (self.token_client, self.token_refresh)
        if (self.token_url is None) == any(part is not None for part in refreshing) or (
            self.token_url is not None and None in refreshing
        ):
            raise ValueError("token_url, token_client and token_refresh belong together")
        return self

    @model_validator(mode="after")
    def _login_is_private(self) -> Self:
        if self.user is not None and (host := self.clear_host) is not None:
            raise ValueError(
                f"the password would cross the network in clear to {host}: "
                'use tls = "starttls" or "tls"'
            )
        return self

    @property
    def clear_host(self) -> str | None:
        """A host of another machine that is spoken to without TLS."""
        if self.tls != "none":
            return None
        return next((host for host, _ in self._places if not is_loopback(host)), None)

    @property
    def _places(self) -> list[tuple[str, int]]:
        return [(self.host, self.port), *(_parted(each, self.port) for each in self.fallback)]

    @property
    def _token(self) -> TokenOrigin | None:
        if self.token_command:
            return TokenCommand(self.token_command)
        if self.token_url is None or self.token_client is None or self.token_refresh is None:
            return None
        return TokenRefresh(
            url=self.token_url,
            client=self.token_client,
            client_secret=_open(self.token_client_secret),
            refresh=self.token_refresh.get_secret_value(),
        )

    def parsed(self, hostname: str, senders: tuple[str, ...] = ()) -> UpstreamRoute:
        """As the relay takes it; `hostname` is our own name."""
        return UpstreamRoute(
            senders=senders,
            hosts=tuple(
                UpstreamHost(
                    host=host,
                    port=port,
                    hostname=hostname,
                    tls=self.tls,
                    user=self.user,
                    password=_open(self.password),
                    token=self._token,
                    ca_file=self.ca_file,
                    connections=self.connections,
                    connect_timeout=self.connect_timeout,
                    reply_timeout=self.reply_timeout,
                    data_timeout=self.data_timeout,
                )
                for host, port in self._places
            ),
        )


class SenderRouteSettings(RouteSettings):
    """One [[upstream.route]]."""

    senders: Annotated[tuple[str, ...], AfterValidator(_senders)]


class UpstreamSettings(RouteSettings):
    """[upstream]: where mail goes that no route is for."""

    route: tuple[SenderRouteSettings, ...] = ()

    @property
    def all(self) -> tuple[RouteSettings, ...]:
        """Each route and, behind them, the table itself."""
        return (*self.route, self)

    @property
    def all_connections(self) -> int:
        """How many there may be to all hosts together."""
        return sum(each.connections * (1 + len(each.fallback)) for each in self.all)

    def routes(self, hostname: str) -> tuple[UpstreamRoute, ...]:
        """As `relay.upstreams.Upstreams` takes them: the first that fits is taken."""
        named = (each.parsed(hostname, each.senders) for each in self.route)
        return (*named, self.parsed(hostname))


def _open(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
