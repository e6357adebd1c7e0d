"""`letterbell store`: where what is known of mail and hits is kept, as a whole."""

import asyncio
from pathlib import Path

import click

from collector.copying import copy_store, count_rows
from collector.databases import find_database
from collector.postgres import Postgres
from collector.sqlite import SQLite
from relay.commands.roster import show_table


@click.group()
def store() -> None:
    """The store as a whole."""


@store.command()
@click.argument("sqlite_url", metavar="SQLITE_URL")
@click.argument("postgres_url", metavar="POSTGRES_URL")
def copy(sqlite_url: str, postgres_url: str) -> None:
    """Copy a store from its SQLite file into an empty PostgreSQL database.

    Stop the relay first. What broke off goes on when the command is given again. Leave a password
    out of POSTGRES_URL, since others see it there: ~/.pgpass and PGPASSWORD are looked at.
    """
    source, target = find_database(sqlite_url), find_database(postgres_url)
    if not isinstance(source, SQLite) or not isinstance(target, Postgres):
        raise click.UsageError("it copies from sqlite:///PATH to postgresql://USER@HOST/NAME")
    with click.progressbar(length=count_rows(source), label="Copying rows") as bar:
        counts = asyncio.run(copy_store(source, target, bar.update))
    show_table([("TABLE", "ROWS"), *((name, str(count)) for name, count in counts.items())])
    click.echo(
        f"All rows of {source.path} are in {target.where}, counted in both. Now set store.url to "
        f"it, with its password, and delivery.spool to {_spool(source.path)}, where mail may wait; "
        "then start the relay. The file is as it was."
    )


def _spool(path: Path) -> str:
    return f'"{path.parent / "spool"}" (unless you have set it)'
