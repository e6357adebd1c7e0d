"""Senders: who may submit mail and sign in, the addresses they may send as, their toggles.

Invariants. An unknown login costs as much as a wrong password. Rows are remembered for five
seconds, so what the command line changes shows soon; what is changed here shows at once. While
the store is away, a sender who is known stays known, so mail goes on.
"""

import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from collector import metrics, roster
from collector.addresses import AddressRefused, normalise_all
from collector.api.keys import ApiKeys
from collector.checks import Checks
from collector.consent import Mode
from collector.devices import Device, Devices, split_password
from collector.errors import StoreConflict, StoreError
from collector.folding import DEFAULT_NOTIFY, Notify
from collector.memory import Rows
from collector.origins import Choice, Toggle, drop_origins, note_choices, take_back
from collector.passwords import PasswordsBusy
from collector.roster import Account, Sender, SenderError
from collector.sessions import Sessions, delete_sessions
from collector.store import Store, storable

__all__ = ["MAX_LOGIN", "Sender", "SenderError", "Senders", "SignedIn", "login_key"]

MAX_LOGIN = 255
# Behind a login's last "+" these are a wish of the one who submits (relay/controls.py).
WISHES = frozenset({"track", "no-track", "opens", "no-opens", "links", "no-links"})

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sender, and which of its devices it was; None: the sender's own password."""

    sender: Sender
    device: Device | None = None


class Senders:
    """Reads and changes senders. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._checks = Checks()
        self._accounts: Rows[int | str, Account] = Rows(self._read)
        self.devices = Devices(store, self._checks)
        self.api_keys = ApiKeys(store)
        self.sessions = Sessions(store)

    def close(self) -> None:
        """Lets the hashing threads go."""
        self._checks.close()

    async def authenticate(self, login: str, password: str) -> Sender | None:
        """The sender whose login and own password these are, if there is one and it is enabled.

        Raises PasswordsBusy.
        """
        account = await self._accounts.get(login_key(login))
        known = account.password_hash if account else None
        renew = partial(self._rehash, account.sender.id if account else 0)
        accepted = await self._checks.passes(password, known, renew)
        return _let_in(account, accepted)

    async def authenticate_device(
        self, login: str, password: str, *, own_password: bool = True
    ) -> SignedIn | None:
        """As a mail program signs in: with an app password, or the sender's own where that may be.

        Raises PasswordsBusy.
        """
        written = split_password(password)
        if written is None:
            sender = await self.authenticate(login, password) if own_password else None
            return SignedIn(sender) if sender else None
        account = await self._accounts.get(login_key(login))
        used = await self.devices.check(*written, account.sender.id if account else None)
        known = _let_in(account, used is not None)
        return SignedIn(known, used) if known else None

    async def of_login(self, login: str) -> Sender | None:
        """The enabled sender with this login, as of at most five seconds ago."""
        account = await self._accounts.get(login_key(login))
        return account.sender if account and account.sender.enabled else None

    async def current(self, sender_id: int, device: Device | None = None) -> Sender | None:
        """The sender as of at most five seconds ago; None when it is gone or disabled.

        None as well when the device that it signed in with is revoked.
        """
        account = await self._accounts.get(sender_id)
        if account is None or not account.sender.enabled:
            return None
        if device and not await self.devices.stands(device):
            return None
        return account.sender

    async def list(self) -> tuple[Sender, ...]:
        """All senders, disabled ones too, by login."""
        rows = await self._store.read(roster.find_senders())
        return tuple(account.sender for account in roster.read_accounts(rows))

    async def find(self, login: str) -> Sender | None:
        """The sender with this login in any case, disabled or not, as of now."""
        account = await self._read(login_key(login))
        return account.sender if account else None

    async def add(
        self,
        login: str,
        password: str,
        addresses: Iterable[str],
        *,
        opens: bool = True,
        clicks: bool = True,
        sticky: bool = True,
        per_recipient: bool = False,
        consent: Mode | None = None,
    ) -> Sender:
        """A new, enabled sender. Raises SenderError for a bad or taken login, bad addresses."""
        login, allowed = _checked_login(login), _checked_addresses(addresses)
        password_hash = await self._hash(password)
        return await self._insert(
            login,
            password_hash,
            allowed,
            opens=opens,
            clicks=clicks,
            sticky=sticky,
            per_recipient=per_recipient,
            consent=consent,
        )

    async def ensure(
        self,
        login: str,
        addresses: Iterable[str],
        *,
        opens: bool,
        clicks: bool,
        per_recipient: bool = False,
    ) -> Sender | None:
        """The enabled sender with this login, which somebody else vouches for.

        Where there is none it is made, with these addresses and toggles and without a password.
        """
        account = await self._accounts.get(login_key(login))
        if account is None:
            try:
                return await self._insert(
                    _checked_login(login),
                    None,
                    _checked_addresses(addresses),
                    opens=opens,
                    clicks=clicks,
                    sticky=True,
                    per_recipient=per_recipient,
                )
            except SenderError:  # made meanwhile, or no login at all
                account = await self._read(login_key(login))
        return account.sender if account and account.sender.enabled else None

    async def _insert(
        self,
        login: str,
        password_hash: str | None,
        allowed: tuple[str, ...],
        *,
        consent: Mode | None = None,
        **toggles: bool,
    ) -> Sender:
        row = {
            "login": login,
            "login_key": login_key(login),
            "password_hash": password_hash,
            "enabled": True,
            "created_at_ms": _now_ms(),
            "consent": consent,
            "notify": DEFAULT_NOTIFY,
            **toggles,
        }
        try:
            sender_id = await self._change(roster.insert_sender, row, allowed)
        except StoreConflict:
            raise SenderError(
                f"there is a sender {login!r} already; choose another login, or set its password"
            ) from None
        return Sender(
            sender_id,
            login,
            allowed,
            enabled=True,
            consent=consent,
            notify=DEFAULT_NOTIFY,
            language=None,
            **toggles,
        )

    async def set_password(self, sender_id: int, password: str) -> None:
        """A new password; ends the sender's sessions. Raises SenderError."""
        password_hash = await self._hash(password)

        def replace_password(connection: Connection) -> None:
            roster.change_sender(connection, sender_id, {"password_hash": password_hash})
            delete_sessions(connection, sender_id)

        await self._change(replace_password)

    async def set_addresses(self, sender_id: int, addresses: Iterable[str]) -> None:
        """Exactly these addresses from now on. Raises SenderError."""
        await self._change(roster.replace_addresses, sender_id, _checked_addresses(addresses))

    async def set_enabled(self, sender_id: int, enabled: bool) -> None:
        """A disabled sender can neither submit nor sign in. Raises SenderError."""
        await self._change(roster.change_sender, sender_id, {"enabled": enabled})

    async def set_admin(self, sender_id: int, is_admin: bool) -> None:
        """Whether it may look after the others. Raises SenderError."""
        await self._change(roster.change_sender, sender_id, {"is_admin": is_admin})

    async def set_tracking(
        self,
        sender_id: int,
        *,
        opens: bool | None = None,
        clicks: bool | None = None,
        sticky: bool | None = None,
        per_recipient: bool | None = None,
    ) -> Sender:
        """Sets the toggles that are given; the sender as it is then. Raises SenderError."""
        given = {
            "opens": opens,
            "clicks": clicks,
            "sticky": sticky,
            "per_recipient": per_recipient,
        }
        values = {name: value for name, value in given.items() if value is not None}

        def set_toggles(connection: Connection) -> Sender:
            before = _read_one(connection, sender_id)
            roster.change_sender(connection, sender_id, values)
            after = _read_one(connection, sender_id)
            drop_origins(connection, sender_id, _changed(before, after))
            return after

        return await self._change(set_toggles)

    async def stick(self, sender_id: int, choices: Sequence[Choice], *, message_id: int) -> None:
        """What a message said of itself is the sender's toggles from now on, and where they come
        from. Raises SenderError.
        """

        def set_and_note(connection: Connection) -> None:
            before = _read_one(connection, sender_id)
            news = [each for each in choices if getattr(before, each.toggle) is not each.on]
            roster.change_sender(connection, sender_id, {each.toggle: each.on for each in news})
            note_choices(connection, sender_id, news, message_id=message_id, now_ms=_now_ms())

        await self._change(set_and_note)

    async def unstick(self, sender_id: int, toggle: Toggle) -> None:
        """The toggle is again as it was before a message set it, if one did. Raises SenderError."""

        def set_back(connection: Connection) -> None:
            before = take_back(connection, sender_id, toggle)
            if before is not None:
                roster.change_sender(connection, sender_id, {toggle: before})

        await self._change(set_back)

    async def set_language(self, sender_id: int, code: str | None) -> None:
        """That of the pages (ISO 639); None: as the browser wants. Raises SenderError."""
        await self._change(roster.change_sender, sender_id, {"language": code})

    async def set_consent(self, sender_id: int, mode: Mode | None) -> None:
        """Whether recipients must agree; None: as the site has it. Raises SenderError."""
        await self._change(roster.change_sender, sender_id, {"consent": mode})

    async def set_notify(self, sender_id: int, notify: Notify) -> None:
        """Which believed hits the sender is notified of from now on. Raises SenderError."""
        await self._change(roster.change_sender, sender_id, {"notify": notify})

    async def remove(self, sender_id: int) -> None:
        """Forgets the sender with its sessions, messages and hits. Raises SenderError."""
        await self._change(roster.delete_sender, sender_id)

    async def open_session(self, sender_id: int, ttl: float, agent: str = "") -> str:
        """A new session of `ttl` seconds in the browser that says it is `agent`; its token, of
        which only a hash is kept."""
        return await self.sessions.open(sender_id, ttl, agent)

    async def session(self, token: str) -> Sender | None:
        """Whose session this is; None when it is over, unknown, or its sender disabled."""
        sender_id = await self.sessions.owner(token)
        return None if sender_id is None else await self.current(sender_id)

    async def close_session(self, token: str) -> None:
        """Ends a session; nothing happens if there is none."""
        await self.sessions.close(token)

    async def _read(self, key: int | str) -> Account | None:
        column = "id" if isinstance(key, int) else "login_key"
        rows = await self._store.read(roster.find_senders(**{column: key}))
        accounts = roster.read_accounts(rows)
        return accounts[0] if accounts else None

    async def _change(self, call: Callable[..., T], *args: object) -> T:
        try:
            return await self._store.write(lambda connection: call(connection, *args))
        finally:
            self._accounts.forget()

    async def _rehash(self, sender_id: int, password: str) -> None:
        try:
            values = {"password_hash": await self._checks.hash(password)}
            await self._change(roster.change_sender, sender_id, values)
        except (StoreError, SenderError, PasswordsBusy) as error:
            log.warning("password not rehashed", sender=sender_id, reason=str(error))

    async def _hash(self, password: str) -> str:
        if not password:
            raise SenderError("the password is empty; choose one")
        return await self._checks.hash(password)


def _let_in(account: Account | None, accepted: bool) -> Sender | None:
    metrics.SIGN_INS.labels("accepted" if accepted else "refused").inc()
    return account.sender if account and accepted and account.sender.enabled else None


def login_key(login: str) -> str:
    """What a login counts as, in whatever case and width it is typed.

    What is longer than any login is cut, since strangers write it: normalizing takes the square of
    its length.
    """
    known = login.strip()[: MAX_LOGIN + 1]
    return storable(unicodedata.normalize("NFKC", known).casefold())


def _checked_login(login: str) -> str:
    login = login.strip()
    if not login or not login.isprintable() or len(login) > MAX_LOGIN:
        raise SenderError(f"{login!r} is no login; use 1 to {MAX_LOGIN} printable characters")
    _, plus, word = login_key(login).rpartition("+")
    if plus and word in WISHES:
        raise SenderError(
            f"{login!r} ends with +{word}, which turns tracking on or off in a mail program; "
            "choose another login"
        )
    return login


def _checked_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    try:
        return normalise_all(addresses)
    except AddressRefused as error:
        raise SenderError(str(error)) from None


def _read_one(connection: Connection, sender_id: int) -> Sender:
    """Raises SenderError when there is none with this id."""
    rows = connection.execute(roster.find_senders(id=sender_id)).all()
    if not rows:
        raise SenderError(f"there is no sender {sender_id}; it may have been removed meanwhile")
    return roster.read_accounts(rows)[0].sender


def _changed(before: Sender, after: Sender) -> list[Toggle]:
    toggles: tuple[Toggle, ...] = ("opens", "clicks")
    return [toggle for toggle in toggles if getattr(before, toggle) is not getattr(after, toggle)]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
