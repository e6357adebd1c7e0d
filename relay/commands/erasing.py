"""`letterbell stop` and `letterbell erase`: one message, as its sender may do on its page."""

from collections.abc import Awaitable, Callable

import click

from collector.erasing import erase as erase_message
from collector.erasing import find_owner
from collector.erasing import stop as stop_message
from collector.store import Store
from relay.commands.options import with_settings
from relay.commands.roster import use_store
from relay.settings import Settings

MAX_HEX = 16  # digits of an id; as the page's address has it, it is decimal and longer


def read_message_id(_: click.Context, __: click.Parameter, text: str) -> int:
    """An id as the log and the pages say it, or as it stands in a page's address."""
    try:
        number = int(text) if len(text) > MAX_HEX else int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise click.BadParameter(f"{text!r} is no message's id: the log and its page show it")
    return number


with_message_id = click.argument("message_id", metavar="ID", callback=read_message_id)


@click.command()
@with_message_id
@with_settings
def stop(settings: Settings, message_id: int) -> None:
    """Record nothing more of a message. Its links go on working."""
    _do(settings, stop_message, message_id)
    click.echo(f"Stopped the tracking of {message_id:x}.")


@click.command()
@with_message_id
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
def erase(settings: Settings, message_id: int, yes: bool) -> None:
    """Erase a message and its hits. Its links go on working."""
    if not yes:
        click.confirm(f"Erase {message_id:x} with all its hits? Nothing undoes it.", abort=True)
    _do(settings, erase_message, message_id)
    click.echo(f"Erased {message_id:x}.")


def _do(
    settings: Settings, work: Callable[[Store, int, int], Awaitable[bool]], message_id: int
) -> None:
    """In its owner's name, so that a command reaches no further than a page."""

    async def run(store: Store) -> bool:
        owner = await find_owner(store, message_id)
        return owner is not None and await work(store, owner, message_id)

    if not use_store(settings, run):
        raise click.ClickException(f"there is no message {message_id:x} (any more)")
