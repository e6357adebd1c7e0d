"""`letterbell sender device`: app passwords, one for each mail program or app of a sender's."""

import click

from relay.commands.options import with_settings
from relay.commands.roster import show_table, spell_time, use_sender
from relay.settings import Settings

with_login = click.argument("login")
with_name = click.argument("name")


@click.group()
def device() -> None:
    """App passwords: one for each mail program or app, each revocable on its own."""


@device.command()
@with_login
@with_name
@with_settings
def add(settings: Settings, login: str, name: str) -> None:
    """Make an app password for LOGIN's device NAME and print it, this once."""
    password = use_sender(
        settings, login, lambda senders, sender: senders.devices.add(sender.id, name)
    )
    click.echo(f"Added the device {name} of {login}.")
    click.echo(f"App password, shown this once: {password}")


@device.command("list")
@with_login
@with_settings
def list_devices(settings: Settings, login: str) -> None:
    """List LOGIN's devices: when each was added, and when it last signed in."""
    found = use_sender(settings, login, lambda senders, sender: senders.devices.list(sender.id))
    rows = [
        (each.name, spell_time(each.created_at_ms), spell_time(each.last_used_at_ms))
        for each in found
    ]
    show_table([("NAME", "ADDED", "LAST USED"), *rows])


@device.command()
@with_login
@with_name
@with_settings
def revoke(settings: Settings, login: str, name: str) -> None:
    """Take LOGIN's device NAME its password: a running relay lets it in for 5 s more at most."""
    use_sender(settings, login, lambda senders, sender: senders.devices.revoke(sender.id, name))
    click.echo(f"Revoked the device {name} of {login}.")
