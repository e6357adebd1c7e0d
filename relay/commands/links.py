"""`letterbell links`: what is to become of links when Letterbell is gone."""

import asyncio
from functools import partial

import click

from collector.linkmap import FORMS, Caddy, Nginx, minted_links
from collector.store import Store
from relay.commands.options import with_settings
from relay.settings import Settings


@click.group()
def links() -> None:
    """The links in mail that was sent."""


@links.command()
@click.option(
    "--form",
    type=click.Choice(list(FORMS)),
    required=True,
    help="The web server that is to answer: nginx, by a file to include, or Caddy, by a whole "
    "configuration in JSON.",
)
@with_settings
def export(settings: Settings, form: str) -> None:
    """Print a map of all links to where they lead, so that they outlive Letterbell.

    It tells what you have sent links to: keep it as you keep the database.
    """
    written = FORMS[form](settings.http.public_url)
    told, left_out = asyncio.run(_export(settings, written))
    click.echo(f"{told} links exported.", err=True)
    if left_out:
        click.echo(
            f"{left_out} links are left out, as nginx takes no word of more than 4,000 characters "
            "in its configuration: Caddy takes them.",
            err=True,
        )


async def _export(settings: Settings, form: Nginx | Caddy) -> tuple[int, int]:
    """How many links were told, and how many left out."""
    told = left_out = 0
    say = partial(click.echo, nl=False)
    store = await Store.open(settings.store.open_url)
    try:
        say(form.head())
        async for link in minted_links(store, settings.tokens.parsed, settings.http.public_url):
            line = form.link(link)
            if line is None:
                left_out += 1
            else:
                say(line)
                told += 1
        say(form.tail())
    finally:
        await store.close()
    return told, left_out
