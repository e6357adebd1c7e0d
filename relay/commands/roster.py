"""What the commands about senders share: the store opened for one of them, errors in a line."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click

from collector.senders import Sender, SenderError, Senders
from collector.store import Store
from relay.settings import Settings

T = TypeVar("T")


def use_senders(settings: Settings, action: Callable[[Senders], Awaitable[T]]) -> T:
    """Runs the action on the store, its result."""

    async def run() -> T:
        store = await Store.open(settings.store.url)
        senders = Senders(store)
        try:
            return await action(senders)
        finally:
            senders.close()
            await store.close()

    try:
        return asyncio.run(run())
    except SenderError as error:
        raise click.ClickException(str(error)) from None


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
