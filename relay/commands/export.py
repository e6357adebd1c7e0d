"""`letterbell export`: all that is kept about one person, as JSON on standard output."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import click

from collector.export import PARTS, moment
from collector.person import Person
from collector.store import Store
from relay.commands.options import with_settings
from relay.commands.people import with_person
from relay.commands.queue import describe
from relay.commands.roster import use_store
from relay.settings import Settings
from relay.spooled import find_entries


@click.command()
@with_person
@with_settings
def export(settings: Settings, person: Person) -> None:
    """Print all that is kept about the person at ADDRESS, as JSON (docs/export.schema.json)."""
    use_store(settings, lambda store: _print(settings, store, person))


async def _print(settings: Settings, store: Store, person: Person) -> None:
    """Item by item, so that no more than one is in memory."""
    head = {"address": person.address, "exported": moment(time.time_ns() // 1_000_000)}
    click.echo(json.dumps(head, ensure_ascii=False)[:-1], nl=False)
    for name, part in PARTS.items():
        await _print_part(name, part(store, person))
    await _print_part("queued", _queued(settings, person))
    click.echo("}")


async def _print_part(name: str, items: AsyncIterator[dict[str, Any]]) -> None:
    click.echo(f',\n"{name}": [', nl=False)
    between = "\n"
    async for item in items:
        click.echo(between + json.dumps(item, ensure_ascii=False), nl=False)
        between = ",\n"
    click.echo("]", nl=False)


async def _queued(settings: Settings, person: Person) -> AsyncIterator[dict[str, Any]]:
    """Mail to or from them that is in our custody."""
    try:
        entries = find_entries(settings.spool, person)
    except OSError as error:
        raise click.ClickException(
            f"the spool {settings.spool} cannot be read ({error.strerror}): "
            "run this as the relay's user"
        ) from None
    for entry in entries:
        told = describe(entry)
        theirs = [each for each in told["recipients"] if person.is_at(each["address"])]
        yield {name: told[name] for name in ("id", "received", "state")} | {"recipients": theirs}
