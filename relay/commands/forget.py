"""`letterbell forget`: nothing of one person is left, in no table, no file and no spooled mail.

Works on the store, running or not. Mail that is still on its way to them is in our custody, and
nothing else may end that: the command refuses, and says what would.
"""

from collections import Counter
from pathlib import Path

import click

from collector import sqlite
from collector.errors import StoreUnavailable
from collector.export import find_logins
from collector.forgetting import forget as forget_rows
from collector.person import Person
from collector.store import Store
from relay.commands.options import with_settings
from relay.commands.people import with_person
from relay.commands.queue import do
from relay.commands.roster import use_store
from relay.orders import Order
from relay.settings import Settings
from relay.spool import SpoolError
from relay.spooled import find_entries, find_files, is_alone


@click.command()
@with_person
@click.option(
    "--remove-queued",
    is_flag=True,
    help="Give up mail that is queued to them alone; its sender is not told.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
def forget(settings: Settings, person: Person, remove_queued: bool, yes: bool) -> None:
    """Forget the person at ADDRESS: messages to them alone, their hits, their address elsewhere."""
    if not yes:
        click.confirm(
            f"Erase all that is kept about {person.address}? Nothing undoes it.", abort=True
        )
    _refuse_senders(settings, person)
    try:
        if remove_queued:
            _give_up_queued(settings, person)
        _refuse_spooled(settings, person)
    except (SpoolError, OSError) as error:
        raise click.ClickException(str(error)) from None
    done = use_store(settings, lambda store: forget_rows(store, person))
    _tell(person, done)
    _purge(settings, person)


def _refuse_senders(settings: Settings, person: Person) -> None:
    async def find(store: Store) -> list[str]:
        return await find_logins(store, person)

    if logins := use_store(settings, find):
        removals = ", ".join(f"`letterbell sender remove {login}`" for login in logins)
        raise click.ClickException(
            f"{person.address} is a sender's own address: {removals} ends the account with its "
            "mail; or take the address from it by `letterbell sender set`"
        )


def _give_up_queued(settings: Settings, person: Person) -> None:
    found = find_entries(settings.spool, person)
    alone = tuple(entry.id for entry in found if is_alone(entry, person))
    if alone:
        results = do(settings, Order("remove", alone, silent=True))
        removed = sum(result == "done" for result in results.values())
        click.echo(f"Gave up {removed} of {len(alone)} mails that were queued to them alone.")


def _refuse_spooled(settings: Settings, person: Person) -> None:
    queued = {f"{entry.id:016x}" for entry in find_entries(settings.spool, person)}
    files = find_files(settings.spool, person)
    queued |= {path.name for path in files if _is_queued(path)}
    others = [str(path) for path in files if not _is_queued(path)]
    problems = []
    if queued:
        problems.append(
            f"mail with this address is still on its way: {', '.join(sorted(queued))}; wait until "
            "it has left, or give it up by `letterbell queue remove` (--remove-queued does it with "
            "what is to them alone)"
        )
    if others:
        problems.append(f"look at {', '.join(others)} and remove what is not needed")
    if problems:
        raise click.ClickException("nothing is forgotten yet: " + "; ".join(problems))


def _is_queued(path: Path) -> bool:
    """Whether it is a message's file, by where it is: xx/…xx."""
    return path.name.endswith(path.parent.name) and len(path.parent.name) == 2


def _tell(person: Person, done: Counter[str]) -> None:
    if not done:
        click.echo(f"Nothing is kept about {person.address}.")
        return
    click.echo(
        f"Forgot {person.address}: {done['erased']} messages erased, "
        f"the address blanked in {done['blanked']} rows more."
    )


def _purge(settings: Settings, person: Person) -> None:
    """What is deleted goes out of the files as well, where these are ours."""
    store = settings.store.file
    if store is None:
        click.echo(
            "The server keeps deleted rows in its files until VACUUM and the WAL have gone over "
            "them, and in its backups: docs/store.md.",
            err=True,
        )
        return
    files = [store.with_name(store.name + suffix) for suffix in ("", "-wal", "-shm")]
    try:
        is_gone = sqlite.purge(store, lambda: any(map(person.is_in_file, files)))
    except (StoreUnavailable, OSError) as error:
        raise click.ClickException(
            f"the rows are gone, but the file may still hold the address ({error}): "
            "give the command again"
        ) from None
    if not is_gone:
        click.echo(
            f"{store} holds these letters still: in a longer address, or in mail of just now.",
            err=True,
        )
