"""What the commands on the store share: it is opened for one of them, errors in a line."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import click

from collector.senders import Sender, SenderError, Senders
from collector.store import Store
from relay.settings import Settings

T = TypeVar("T")


def use_store(settings: Settings, action: Callable[[Store], Awaitable[T]]) -> T:
    """Runs the action on the store, its result."""

    async def run() -> T:
        store = await Store.open(settings.store.open_url)
        try:
            return await action(store)
        finally:
            await store.close()

    return asyncio.run(run())


def use_senders(settings: Settings, action: Callable[[Senders], Awaitable[T]]) -> T:
    """Runs the action on the store's senders, its result."""
    return use_store_and_senders(settings, lambda _, senders: action(senders))


def use_store_and_senders(
    settings: Settings, action: Callable[[Store, Senders], Awaitable[T]]
) -> T:
    """As `use_senders`, for an action on more than those."""

    async def run(store: Store) -> T:
        senders = Senders(store)
        try:
            return await action(store, senders)
        finally:
            senders.close()

    try:
        return use_store(settings, run)
    except SenderError as error:
        raise click.ClickException(str(error)) from None


def use_sender(
    settings: Settings, login: str, action: Callable[[Senders, Sender], Awaitable[T]]
) -> T:
    """Runs the action on the sender with this login, its result."""

    async def find_and_run(senders: Senders) -> T:
        return await action(senders, await find_sender(senders, login))

    return use_senders(settings, find_and_run)


async def find_sender(senders: Senders, login: str) -> Sender:
    """The sender with this login, or an error that names the mend."""
    found = await senders.find(login)
    if found is None:
        raise click.ClickException(f"there is no sender {login!r}; `letterbell sender list`")
    return found


def show_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints the rows, of which the first is the head, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def spell_time(at_ms: int | None) -> str:
    """When a pass was made or last used; that is noted to the hour, and told in local time."""
    if at_ms is None:
        return "never"
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
