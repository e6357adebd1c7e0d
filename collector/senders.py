"""Senders: who may submit mail and sign in, the addresses they may send as, their toggles.

Invariants. An unknown login costs as much as a wrong password. Of a checked password, nothing is
remembered but a hash under a key that dies with this process. Rows are remembered for five
seconds, so what the command line changes shows soon; what is changed here shows at once. While
the store is away, a sender who is known stays known, so mail goes on.
"""

import asyncio
import secrets
import time
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from collector import metrics, roster
from collector.addresses import AddressRefused, normalise_all
from collector.errors import StoreConflict, StoreError, StoreUnavailable
from collector.passwords import Passwords, PasswordsBusy
from collector.roster import Account, Sender, SenderError
from collector.store import Store, storable

__all__ = ["MAX_LOGIN", "Sender", "SenderError", "Senders", "login_key"]

VERIFIED_SECONDS = 60.0
ROW_SECONDS = 5.0
MAX_REMEMBERED = 10_000
MAX_LOGIN = 255
# Behind a login's last "+" these are a wish of the one who submits (relay/controls.py).
WISHES = frozenset({"track", "no-track", "opens", "no-opens", "links", "no-links"})

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
log = structlog.get_logger()


class Senders:
    """Reads and changes senders. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._passwords = Passwords()
        self._secret = secrets.token_bytes(32)
        self._accounts: dict[int | str, tuple[float, Account]] = {}
        self._generation = 0
        self._verified: dict[bytes, float] = {}
        self._checks: dict[bytes, asyncio.Task[bool]] = {}

    def close(self) -> None:
        """Lets the hashing threads go."""
        self._passwords.close()

    async def authenticate(self, login: str, password: str) -> Sender | None:
        """The sender whose login and password these are, if there is one and it is enabled.

        Raises PasswordsBusy.
        """
        account = await self._account(login_key(login))
        accepted = await self._check(account, password)
        metrics.SIGN_INS.labels("accepted" if accepted else "refused").inc()
        return account.sender if account and accepted and account.sender.enabled else None

    async def current(self, sender_id: int) -> Sender | None:
        """The sender as of at most five seconds ago; None when it is gone or disabled."""
        account = await self._account(sender_id)
        return account.sender if account and account.sender.enabled else None

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
    ) -> Sender:
        """A new, enabled sender. Raises SenderError for a bad or taken login, bad addresses."""
        login = _checked_login(login)
        allowed = _checked_addresses(addresses)
        row = {
            "login": login,
            "login_key": login_key(login),
            "password_hash": await self._hash(password),
            "opens": opens,
            "clicks": clicks,
            "sticky": sticky,
            "enabled": True,
            "created_at_ms": _now_ms(),
        }
        try:
            sender_id = await self._change(roster.insert_sender, row, allowed)
        except StoreConflict:
            raise SenderError(
                f"there is a sender {login!r} already; choose another login, or set its password"
            ) from None
        return Sender(sender_id, login, allowed, opens, clicks, sticky, enabled=True)

    async def set_password(self, sender_id: int, password: str) -> None:
        """A new password; ends the sender's sessions. Raises SenderError."""
        password_hash = await self._hash(password)

        def replace_password(connection: Connection) -> None:
            roster.change_sender(connection, sender_id, {"password_hash": password_hash})
            roster.delete_sessions(connection, sender_id)

        await self._change(replace_password)

    async def set_addresses(self, sender_id: int, addresses: Iterable[str]) -> None:
        """Exactly these addresses from now on. Raises SenderError."""
        await self._change(roster.replace_addresses, sender_id, _checked_addresses(addresses))

    async def set_enabled(self, sender_id: int, enabled: bool) -> None:
        """A disabled sender can neither submit nor sign in. Raises SenderError."""
        await self._change(roster.change_sender, sender_id, {"enabled": enabled})

    async def set_tracking(
        self,
        sender_id: int,
        *,
        opens: bool | None = None,
        clicks: bool | None = None,
        sticky: bool | None = None,
    ) -> Sender:
        """Sets the toggles that are given; the sender as it is then. Raises SenderError."""
        given = {"opens": opens, "clicks": clicks, "sticky": sticky}
        values = {name: value for name, value in given.items() if value is not None}

        def set_toggles(connection: Connection) -> Account:
            roster.change_sender(connection, sender_id, values)
            query = roster.find_senders(id=sender_id)
            return roster.read_accounts(connection.execute(query).all())[0]

        return (await self._change(set_toggles)).sender

    async def remove(self, sender_id: int) -> None:
        """Forgets the sender with its sessions, messages and hits. Raises SenderError."""
        await self._change(roster.delete_sender, sender_id)

    async def open_session(self, sender_id: int, ttl: float) -> str:
        """A new session of `ttl` seconds; its token, of which only a hash is kept."""
        token = secrets.token_urlsafe(32)
        now_ms = _now_ms()
        insert = partial(
            roster.insert_session,
            token_hash=_token_hash(token),
            sender_id=sender_id,
            now_ms=now_ms,
            expires_at_ms=now_ms + int(ttl * 1000),
        )
        try:
            await self._store.write(insert)
        except StoreConflict:
            raise SenderError(f"there is no sender {sender_id}") from None
        return token

    async def session(self, token: str) -> Sender | None:
        """Whose session this is; None when it is over, unknown, or its sender disabled."""
        rows = await self._store.read(roster.find_session(_token_hash(token), _now_ms()))
        return await self.current(rows[0].sender_id) if rows else None

    async def close_session(self, token: str) -> None:
        """Ends a session; nothing happens if there is none."""
        await self._store.write(partial(roster.delete_session, token_hash=_token_hash(token)))

    async def _account(self, key: int | str) -> Account | None:
        """By id or login key; remembered, and while the store is away remembered for longer."""
        read_at, account = self._accounts.get(key, (0.0, None))
        if account and time.monotonic() - read_at < ROW_SECONDS:
            return account
        generation = self._generation
        try:
            found = await self._read(key)
        except StoreUnavailable:
            if account is None:
                raise
            return account
        if found is None:
            self._accounts.pop(key, None)
        elif generation == self._generation:  # nothing was changed here meanwhile
            _remember(self._accounts, key, (time.monotonic(), found))
        return found

    async def _read(self, key: int | str) -> Account | None:
        column = "id" if isinstance(key, int) else "login_key"
        rows = await self._store.read(roster.find_senders(**{column: key}))
        accounts = roster.read_accounts(rows)
        return accounts[0] if accounts else None

    async def _change(self, call: Callable[..., T], *args: object) -> T:
        try:
            return await self._store.write(lambda connection: call(connection, *args))
        finally:
            self._generation += 1
            self._accounts.clear()

    async def _check(self, account: Account | None, password: str) -> bool:
        """Whether it is the account's password; equal questions at one time are asked once."""
        known = account.password_hash if account else None
        proof = self._proof(known, password)
        if self._verified.get(proof, 0.0) > time.monotonic():
            return True
        check = self._checks.get(proof)
        if check is None:
            check = asyncio.create_task(self._verify(account, password, proof))
            self._checks[proof] = check
            check.add_done_callback(lambda _: self._checks.pop(proof, None))
        return await asyncio.shield(check)

    async def _verify(self, account: Account | None, password: str, proof: bytes) -> bool:
        if account is None:
            return await self._passwords.matches(password, None)
        if not await self._passwords.matches(password, account.password_hash):
            return False
        _remember(self._verified, proof, time.monotonic() + VERIFIED_SECONDS)
        if self._passwords.outdated(account.password_hash):
            await self._rehash(account.sender.id, password)
        return True

    async def _rehash(self, sender_id: int, password: str) -> None:
        try:
            values = {"password_hash": await self._passwords.hash(password)}
            await self._change(roster.change_sender, sender_id, values)
        except (StoreError, SenderError, PasswordsBusy) as error:
            log.warning("password not rehashed", sender=sender_id, reason=str(error))

    async def _hash(self, password: str) -> str:
        if not password:
            raise SenderError("the password is empty; choose one")
        return await self._passwords.hash(password)

    def _proof(self, known: str | None, password: str) -> bytes:
        asked = f"{known}\0{password}".encode("utf-8", "surrogatepass")
        return blake2b(asked, key=self._secret).digest()


def _remember(memory: dict[K, V], key: K, value: V) -> None:
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[key] = value


def login_key(login: str) -> str:
    """What a login counts as, in whatever case and width it is typed."""
    return storable(unicodedata.normalize("NFKC", login.strip()).casefold())


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


def _token_hash(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "replace"), digest_size=32).digest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
