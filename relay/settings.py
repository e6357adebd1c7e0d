"""The settings' tables: every setting with its type, its default and the rules between them.

Only `relay.config` fills them. They are frozen, secrets do not print, and a broken rule says its
mend. Prose for people stands in config.example.toml, which a test holds against these defaults.
"""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from collector.consent import DEFAULT_MODE, Mode
from collector.keeping import Keeping
from collector.outward.ways import Ways
from collector.retention import Ages
from collector.servers import Security, Server, Servers
from collector.tokens import Key
from relay.address import is_mailbox
from relay.controls import CONTROL_DOMAIN
from relay.loopback import is_loopback
from relay.signing_key import SigningKey, read_key, to_ascii
from relay.tables import Count, Seconds, Table
from relay.token_keys import TokenKey, read_token_key
from relay.upstream_settings import UPSTREAM_SECRETS, UpstreamSettings
from rewriter import Tracking
from rewriter.footer import compose

SQLITE = "sqlite:///"
POSTGRESQL = "postgresql://"
DEFAULT_STORE = f"{SQLITE}letterbell.db"
PREFIX = "LETTERBELL_"
# Those that are never shown, and may stand in a file of their own, named by `…_file`: the tables'
# names, through lists as well, and the key.
SECRETS = (
    *(("upstream", key) for key in UPSTREAM_SECRETS),
    *(("upstream", "route", key) for key in UPSTREAM_SECRETS),
    ("tokens", "keys"),
    ("store", "url"),  # a server's has a password
)

Port = Annotated[int, Field(ge=0, le=65535)]
Days = Annotated[int, Field(ge=0, le=36_500)]
Network = IPv4Network | IPv6Network
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
        raise ValueError('should be http(s):// and a host in ASCII, like "https://t.example.com"')
    if "?" in url or "#" in url or parts.username is not None:
        raise ValueError("should have no query, fragment or login: tokens are put behind its path")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("should have a port from 0 to 65535, or none") from None
    if _PLAIN_PATH.fullmatch(parts.path) is None:
        raise ValueError("should have a path of letters, digits and -._~/ alone, or none")
    return url.rstrip("/")


# What stands in HTML, in a header and in plain text as it is.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~/]*")


def _store_url(secret: SecretStr) -> SecretStr:
    """What it names is looked at when the store is opened (collector/databases.py)."""
    url = secret.get_secret_value()
    if url == SQLITE or not url.startswith((SQLITE, POSTGRESQL)):
        raise ValueError(
            f'should be "{SQLITE}" and a path, like "{DEFAULT_STORE}", or '
            f'"{POSTGRESQL}USER:PASSWORD@HOST/NAME"'
        )
    return secret


class ListenSettings(Table):
    address: str = "127.0.0.1"
    port: Port = 1587
    socket: Annotated[str, Field(pattern=r"^[!-9;-~]{1,255}$")] | None = None
    tls: Literal["none", "starttls", "implicit"] = "none"
    allow_plain_auth: bool = False
    proxies: tuple[Network, ...] = ()

    @model_validator(mode="after")
    def _is_opened_once(self) -> Self:
        if self.socket is not None and self.model_fields_set & {"address", "port"}:
            raise ValueError(
                "socket is opened by systemd, at the address and port of its unit: "
                "leave out address and port, or socket"
            )
        return self

    @model_validator(mode="after")
    def _passwords_stay_private(self) -> Self:
        if self.allow_plain_auth and not is_loopback(self.address):
            raise ValueError(
                f"with allow_plain_auth passwords would go to {self.address} in clear:"
                ' use tls = "starttls" or "implicit", or a loopback address'
            )
        return self


class SmtpSettings(Table):
    hostname: str | None = None
    max_size: Annotated[int, Field(ge=1024)] = 26_214_400
    max_recipients: Count = 100
    max_messages_per_hour: Annotated[int, Field(ge=0)] = 0
    max_recipients_per_hour: Annotated[int, Field(ge=0)] = 0
    bare_newline: Literal["normalize", "reject"] = "normalize"
    idle_timeout: Seconds = 300
    greeting_delay: Annotated[float, Field(ge=0, le=60)] = 0.1
    max_connections: Count = 1000
    max_connections_per_address: Count = 100
    certificate: Path | None = None
    key: Path | None = None
    show_client: bool = False
    listen: tuple[ListenSettings, ...] = (ListenSettings(allow_plain_auth=True),)

    @model_validator(mode="after")
    def _listens_with_what_it_has(self) -> Self:
        if not self.listen:
            raise ValueError("listen is empty: add a [[smtp.listen]] table, or leave it out")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: set both, or neither")
        if self.certificate is None and any(listen.tls != "none" for listen in self.listen):
            raise ValueError(
                "TLS needs a certificate: set certificate and key to PEM files, "
                'or listen with tls = "none" on a loopback address'
            )
        return self


class NetworkSettings(Table):
    network: Network
    sender: Annotated[str, Field(min_length=1)]


class AuthSettings(Table):
    mode: Literal["accounts", "upstream"] = "accounts"
    app_passwords_only: bool = False
    addresses: tuple[str, ...] = ("{login}",)
    network: tuple[NetworkSettings, ...] = ()

    @model_validator(mode="after")
    def _passwords_are_somebodys(self) -> Self:
        if self.mode == "upstream" and self.app_passwords_only:
            raise ValueError(
                'app_passwords_only is for mode = "accounts": in mode "upstream" no password is'
                " ours; leave it out"
            )
        return self


class DeliverySettings(Table):
    spool: Path | None = None
    min_free: Annotated[int, Field(ge=0)] = 67_108_864
    inline_timeout: Seconds = 20
    when_upstream_is_away: Literal["queue", "defer"] = "queue"
    retry_first: Seconds = 300
    retry_longest: Seconds = 3600
    lifetime: Seconds = 432_000
    delay_notice: Seconds = 14_400

    @model_validator(mode="after")
    def _waits_grow(self) -> Self:
        if not self.retry_first <= self.retry_longest <= self.lifetime:
            raise ValueError(
                "retry_first, retry_longest and lifetime should grow, in this order: "
                "a mail is tried again after the first, then ever later, until its lifetime ends"
            )
        return self


def _signing_domain(domain: str) -> str:
    plain = to_ascii(domain)
    if plain is None or not is_mailbox(b"x@" + plain.encode()) or "[" in plain:
        raise ValueError('should be the domain that stands behind the "@" of From addresses')
    return plain


def _selector(selector: str) -> str:
    label = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
    if len(selector) > 120 or not re.fullmatch(rf"{label}(\.{label})*", selector):
        raise ValueError("should be a word of letters, digits and hyphens (RFC 6376 §3.1)")
    return selector


class DkimKeySettings(Table):
    domain: Annotated[str, AfterValidator(_signing_domain)]
    selector: Annotated[str, AfterValidator(_selector)]
    file: Path
    subdomains: bool = False

    def read(self) -> SigningKey:
        """With what is in the file. Raises UnusableKey; it blocks."""
        return SigningKey(self.domain, self.selector, read_key(self.file), self.subdomains)


class DkimSettings(Table):
    key: tuple[DkimKeySettings, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [(each.selector.lower(), each.domain) for each in self.key]
        if len(names) != len(set(names)):
            raise ValueError("two keys have the same selector and domain: give each its own")
        return self


class HttpSettings(Table):
    address: str = "127.0.0.1"
    port: Port = 8080
    public_url: Annotated[str, AfterValidator(_public_url)]
    trusted_proxies: tuple[Network, ...] = LOOPBACK
    metrics_from: tuple[Network, ...] = LOOPBACK


def _mail_host(host: str) -> str:
    if _HOST.fullmatch(host) is None:
        raise ValueError('should be a host or address in ASCII, like "mail.example.com"')
    return host.lower()


_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
# What a port is where nobody says (RFC 6409, RFC 8314).
USUAL_PORTS: dict[Security, int] = {"none": 587, "starttls": 587, "implicit": 465}

MailHost = Annotated[str, AfterValidator(_mail_host)]
OuterPort = Annotated[int, Field(ge=1, le=65535)]


class ConnectSettings(Table):
    smtp_host: MailHost | None = None
    smtp_port: OuterPort | None = None
    smtp_security: Security | None = None
    imap_host: MailHost | None = None
    imap_port: OuterPort = 993
    imap_security: Literal["starttls", "implicit"] = "implicit"
    imap_user: Literal["address", "local-part"] = "address"
    domains: tuple[MailHost, ...] = ()

    @model_validator(mode="after")
    def _mail_arrives_somewhere(self) -> Self:
        if (self.imap_host is None) != (not self.domains):
            raise ValueError(
                "imap_host and domains belong together: set imap_host to the server where mail "
                "for the domains arrives, or leave both out"
            )
        return self

    @property
    def imap(self) -> Server | None:
        """Where mail arrives, if that is said."""
        if self.imap_host is None:
            return None
        return Server(self.imap_host, self.imap_port, self.imap_security)


class StoreSettings(Table):
    url: Annotated[SecretStr, AfterValidator(_store_url)] = SecretStr(DEFAULT_STORE)

    @property
    def open_url(self) -> str:
        """The URL as it is, which may hold a password."""
        return self.url.get_secret_value()

    @property
    def file(self) -> Path | None:
        """SQLite's; None where the store is on a server."""
        url = self.open_url
        return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def _token_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not keys:
        raise ValueError("is empty: `letterbell init` makes a key")
    ids = [read_token_key(key.get_secret_value()).key.id for key in keys]
    if len(ids) != len(set(ids)):
        raise ValueError("has two keys with the same ID: give each its own, 0 to 255")
    return keys


class TokenSettings(Table):
    keys: Annotated[tuple[SecretStr, ...], AfterValidator(_token_keys)]

    @property
    def parsed(self) -> tuple[Key, ...]:
        """The keys as `collector.tokens.Tokens` takes them: the first signs, all are read."""
        return tuple(each.key for each in self.dated)

    @property
    def dated(self) -> tuple[TokenKey, ...]:
        """The keys with the days they were made."""
        return tuple(read_token_key(key.get_secret_value()) for key in self.keys)


def _control_domain(domain: str) -> str:
    domain = domain.lower()
    # An xn-- label has a second spelling, in UTF-8, and mail to that one would leave.
    plain = domain.isascii() and "xn--" not in domain and "[" not in domain
    if not plain or not is_mailbox(b"x@" + domain.encode()):
        raise ValueError(f'should be a domain in ASCII, like "{CONTROL_DOMAIN.decode()}"')
    return domain


def _footer(text: str) -> str:
    if text:
        compose(text)
    return text


class TrackingSettings(Table):
    opens: bool = True
    clicks: bool = True
    attribution: Literal["shared", "per-recipient"] = "shared"
    consent: Mode = DEFAULT_MODE
    max_html: Annotated[int, Field(ge=0)] = 2_000_000
    text_links: bool = False
    wrap_url_text: bool = False
    detrack_quotes: bool = True
    keep_snippet: bool = True
    footer: Annotated[str, AfterValidator(_footer)] = ""
    control_domain: Annotated[str, AfterValidator(_control_domain)] = CONTROL_DOMAIN.decode()

    @property
    def per_recipient(self) -> bool:
        """Whether each recipient of a new sender's mail gets a copy of their own."""
        return self.attribution == "per-recipient"

    @property
    def parsed(self) -> Tracking:
        """As the rewriter takes it. In the relay each copy's toggles are the plan's."""
        return Tracking(
            opens=self.opens,
            clicks=self.clicks,
            max_html=self.max_html,
            text_links=self.text_links,
            wrap_url_text=self.wrap_url_text,
            footer=self.footer,
        )


class VerdictSettings(Table):
    data: Path | None = None


class HitSettings(Table):
    addresses: Literal["none", "truncated", "full"] = "truncated"
    agents: Literal["family", "full"] = "family"
    window: Days = 0

    @property
    def parsed(self) -> Keeping:
        """As the collector takes it."""
        return Keeping(addresses=self.addresses, agents=self.agents, window=self.window)


class RetentionSettings(Table):
    messages: Days = 0
    hits: Days = 0

    @property
    def parsed(self) -> Ages:
        """As the collector takes it."""
        return Ages(messages=self.messages, hits=self.hits)


def _mailbox(address: str) -> str:
    if not is_mailbox(address.encode()) or not address.isascii():
        raise ValueError('should be a mail address in ASCII, like "no-reply@example.com"')
    return address


class NotifySettings(Table):
    webhooks: bool = True
    apprise: bool = True
    digest: bool = True
    digest_hour: Annotated[int, Field(ge=0, le=23)] = 7
    digest_from: Annotated[str, AfterValidator(_mailbox)] | None = None
    private_networks: tuple[Network, ...] = ()

    @property
    def parsed(self) -> Ways:
        """As the collector takes it."""
        return Ways(
            webhooks=self.webhooks,
            services=self.apprise,
            digest=self.digest,
            digest_hour=self.digest_hour,
            allowed=self.private_networks,
        )


class LogSettings(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"
    addresses: Literal["masked", "full"] = "masked"


class Settings(BaseSettings):
    """All tables of letterbell.toml, in the file's order."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    smtp: SmtpSettings
    auth: AuthSettings
    upstream: UpstreamSettings
    delivery: DeliverySettings
    dkim: DkimSettings
    http: HttpSettings
    connect: ConnectSettings
    store: StoreSettings
    tokens: TokenSettings
    tracking: TrackingSettings
    verdict: VerdictSettings
    hits: HitSettings
    retention: RetentionSettings
    notify: NotifySettings
    log: LogSettings

    @model_validator(mode="after")
    def _somebody_can_send(self) -> Self:
        for number, listen in enumerate(self.smtp.listen):
            if listen.tls == "none" and not listen.allow_plain_auth and not self.auth.network:
                raise ValueError(
                    f'smtp.listen[{number}]: nobody could sign in with tls = "none": use "starttls"'
                    ' or "implicit", or a loopback address and allow_plain_auth = true'
                )
        return self

    @model_validator(mode="after")
    def _passed_logins_stay_private(self) -> Self:
        clear = [each.clear_host for each in self.upstream.all if each.clear_host is not None]
        if self.auth.mode == "upstream" and clear:
            raise ValueError(
                'auth.mode = "upstream": passwords would cross the network in clear to '
                f'{clear[0]}: use upstream.tls = "starttls" or "tls"'
            )
        return self

    @model_validator(mode="after")
    def _what_is_slow_has_been_reached(self) -> Self:
        slowest = max(each.connect_timeout for each in self.upstream.all)
        if slowest >= self.delivery.inline_timeout:
            raise ValueError(
                "upstream.connect_timeout should be shorter than delivery.inline_timeout: "
                "else nobody hears whether upstream is slow or away"
            )
        return self

    @property
    def spool(self) -> Path:
        """The folder of mail in our custody: delivery.spool, else "spool" beside the store.

        Beside the config, as `relay.config` says it, where the store is on a server.
        """
        return self.delivery.spool or (self.store.file or Path()).parent / "spool"

    @property
    def folder(self) -> Path:
        """On this machine's disk, with room for what is on its way: the store's, or the spool."""
        return self.store.file.parent if self.store.file else self.spool

    @property
    def hostname(self) -> str:
        """The name that the relay goes by: smtp.hostname, else the host of http.public_url."""
        return self.smtp.hostname or urlsplit(self.http.public_url).hostname or "localhost"

    @property
    def servers(self) -> Servers:
        """What mail programs are told: [connect], and what it leaves out by our listeners."""
        connect = self.connect
        return Servers(
            smtp=_advertised(connect, self.smtp.listen, self.hostname),
            imap=connect.imap,
            imap_user=connect.imap_user,
            domains=connect.domains,
            control_domain=self.tracking.control_domain,
        )

    @property
    def digest_from(self) -> str:
        """Whom a day's mail is from: notify.digest_from, else no-reply at the relay's name."""
        return self.notify.digest_from or f"no-reply@{self.hostname}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Takes what it is given and no more: `relay.config` lays the environment over the file."""
        return (init_settings,)


def _advertised(
    connect: ConnectSettings, listen: tuple[ListenSettings, ...], hostname: str
) -> Server:
    """The server that [connect] names; by default the first listener with TLS, else the first."""
    asked = connect.smtp_security
    fitting = [each for each in listen if each.tls == asked or (not asked and each.tls != "none")]
    chosen = (fitting or listen)[0]
    security = asked or chosen.tls
    # systemd or the system alone knows these, and a proxy's port is its own.
    known = chosen.tls == security and chosen.socket is None and chosen.port
    near = chosen.tls == security == "none" and is_loopback(chosen.address)
    return Server(
        connect.smtp_host or (chosen.address if near else hostname),
        connect.smtp_port or (chosen.port if known else USUAL_PORTS[security]),
        security,
    )
