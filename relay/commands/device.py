"""`letterbell sender device`: app passwords, one for each mail program or app of a sender's."""

from collections.abc import Sequence
from datetime import datetime

import click

from collector.devices import Device
from collector.senders import Senders
from relay.commands.options import with_settings
from relay.commands.roster import find_sender, show_table, use_senders
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

    async def make(senders: Senders) -> str:
        return await senders.devices.add((await find_sender(senders, login)).id, name)

    password = use_senders(settings, make)
    click.echo(f"Added the device {name} of {login}.")
    click.echo(f"App password, shown this once: {password}")


@device.command("list")
@with_login
@with_settings
def list_devices(settings: Settings, login: str) -> None:
    """List LOGIN's devices: when each was added, and when it last signed in."""

    async def find(senders: Senders) -> Sequence[Device]:
        return await senders.devices.list((await find_sender(senders, login)).id)

    found = use_senders(settings, find)
    rows = [(each.name, _when(each.created_at_ms), _when(each.last_used_at_ms)) for each in found]
    show_table([("NAME", "ADDED", "LAST USED"), *rows])


@device.command()
@with_login
@with_name
@with_settings
def revoke(settings: Settings, login: str, name: str) -> None:
    """Take LOGIN's device NAME its password: a running relay lets it in for 5 s more at most."""

    async def take(senders: Senders) -> None:
        await senders.devices.revoke((await find_sender(senders, login)).id, name)

    use_senders(settings, take)
    click.echo(f"Revoked the device {name} of {login}.")


def _when(at_ms: int | None) -> str:
    """To the hour it is noted, in this machine's time it is shown."""
    if at_ms is None:
        return "never"
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
