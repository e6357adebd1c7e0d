"""Logins that upstream knows: the client's own, tried there, and nothing of it stored here.

What upstream takes is a sender: made at the first login, without a password, with the addresses
that the site gives to such. What it refuses is refused here, and counts here (guard.py), so that
our clients' guesses are not upstream's.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import structlog

from collector.addresses import AddressRefused, normalise
from collector.errors import StoreUnavailable
from collector.senders import Senders
from relay.credentials import Credentials
from relay.envelope import Identity, Refusal
from relay.sasl import PASSWORDS, TOKENS, Mechanism
from relay.upstream import LoginRefused, UpstreamError
from relay.upstreams import Upstreams

log = structlog.get_logger()


class PassThrough:
    """`addresses` are those of a new sender, with {login} and {domain} for its own; the toggles
    are a new sender's as well.
    """

    advice = b": the mail server upstream refused it"

    def __init__(
        self,
        senders: Senders,
        upstreams: Upstreams,
        *,
        addresses: Sequence[str] = ("{login}",),
        opens: bool = True,
        clicks: bool = True,
        per_recipient: bool = False,
    ) -> None:
        self.mechanisms: Mapping[bytes, Mechanism] = {**PASSWORDS, **TOKENS}
        self._senders = senders
        self._upstreams = upstreams
        self._addresses = addresses
        self._opens = opens
        self._clicks = clicks
        self._per_recipient = per_recipient

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """The identity, or None where upstream refuses or the sender is disabled here.

        Raises Refusal (454) where upstream or the store cannot be asked.
        """
        login = _plain_login(credentials)
        if login is None:
            return None
        try:
            await self._upstreams.log_in(credentials)
            sender = await self._senders.ensure(
                login,
                _expand(self._addresses, login),
                opens=self._opens,
                clicks=self._clicks,
                per_recipient=self._per_recipient,
            )
        except LoginRefused:
            return None
        except UpstreamError as error:
            log.warning("login not passed through", problem=error.problem, mend=error.mend)
            raise Refusal(454, b"4.7.0 Logins cannot be checked upstream just now") from None
        except StoreUnavailable:
            raise Refusal(454, b"4.7.0 Logins cannot be checked just now; try again") from None
        if sender is None:
            return None
        return Identity(sender=sender, how="upstream", credentials=credentials)


def _plain_login(credentials: Credentials) -> str | None:
    """The login, if it means to upstream what it means to us.

    A NUL parts what PLAIN says there; and two logins of theirs must not be one of ours.
    """
    if b"\0" in credentials.login + credentials.secret or not credentials.secret:
        return None
    try:
        login = credentials.login.decode("utf-8")
    except UnicodeDecodeError:
        return None
    known = unicodedata.normalize("NFKC", login).strip()
    return login if login == known and login.isprintable() else None


def _expand(templates: Sequence[str], login: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_addresses(templates, login)))


def _addresses(templates: Sequence[str], login: str) -> Iterator[str]:
    """Those that are addresses: a login need be none."""
    domain = login.rpartition("@")[2] if "@" in login else ""
    for template in templates:
        try:
            yield normalise(template.replace("{domain}", domain).replace("{login}", login))
        except AddressRefused:
            continue
