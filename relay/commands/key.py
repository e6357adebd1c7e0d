"""`letterbell sender key`: keys to the JSON API, one for each program of a sender's."""

import click

from relay.commands.device import with_login, with_name
from relay.commands.options import with_settings
from relay.commands.roster import show_table, spell_time, use_sender
from relay.settings import Settings


@click.group()
def key() -> None:
    """API keys: one for each program, each revocable on its own."""


@key.command()
@with_login
@with_name
@click.option("--write", is_flag=True, help="It may change things, too; else it only reads.")
@with_settings
def add(settings: Settings, login: str, name: str, write: bool) -> None:
    """Make an API key for LOGIN's program NAME and print it, this once."""
    scope = "write" if write else "read"
    made = use_sender(
        settings, login, lambda senders, sender: senders.api_keys.add(sender.id, name, scope)
    )
    click.echo(f"Added the key {name} of {login}, to {'read and write' if write else 'read'}.")
    click.echo(f"API key, shown this once: {made}")


@key.command("list")
@with_login
@with_settings
def list_keys(settings: Settings, login: str) -> None:
    """List LOGIN's keys: what each may do, when it was added, and when it was last used."""
    rows = [("NAME", "SCOPE", "ADDED", "LAST USED")]
    found = use_sender(settings, login, lambda senders, sender: senders.api_keys.list(sender.id))
    for each in found:
        times = spell_time(each.created_at_ms), spell_time(each.last_used_at_ms)
        rows.append((each.name, each.scope, *times))
    show_table(rows)


@key.command()
@with_login
@with_name
@with_settings
def revoke(settings: Settings, login: str, name: str) -> None:
    """End LOGIN's key NAME: a running collector takes it for 5 s more at most."""
    use_sender(settings, login, lambda senders, sender: senders.api_keys.revoke(sender.id, name))
    click.echo(f"Revoked the key {name} of {login}.")
