"""`letterbell rejudge`: today's rules and lists over the hits that are kept."""

import asyncio
from datetime import datetime

import click

from collector.rejudge import Rejudged
from collector.rejudge import rejudge as rejudge_hits
from collector.signs import Signs, UnusableSigns, read_signs
from collector.store import Store
from relay.commands.options import with_settings
from relay.commands.roster import show_table
from relay.settings import Settings


@click.command()
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Only hits on mail sent since that day, as in 2026-11-30.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@with_settings
def rejudge(settings: Settings, since: datetime | None, dry_run: bool) -> None:
    """Judge the stored hits by the rules and lists of today, also while the relay runs.

    What is not kept of a hit (its method, its whole address) is not judged anew.
    """
    try:
        signs = read_signs(settings.verdict.data)
    except UnusableSigns as unusable:
        raise click.ClickException(f"verdict.data: {unusable}") from None
    since_ms = int(since.astimezone().timestamp() * 1000) if since else 0
    told = asyncio.run(_rejudge(settings.store.open_url, signs, since_ms, dry_run=dry_run))
    _tell(told, dry_run=dry_run)


async def _rejudge(url: str, signs: Signs, since_ms: int, *, dry_run: bool) -> Rejudged:
    store = await Store.open(url)
    try:
        return await rejudge_hits(store, signs, sent_since_ms=since_ms, dry_run=dry_run)
    finally:
        await store.close()


def _tell(told: Rejudged, *, dry_run: bool) -> None:
    changed = dict.fromkeys(told.hits, 0)
    for (before, _), count in told.changed.items():
        changed[before] += count
    if told.hits:
        rows = [
            (rule, *map(str, (count, count - changed[rule], changed[rule], told.unjudged[rule])))
            for rule, count in told.hits.most_common()
        ]
        show_table([("RULE", "HITS", "KEPT", "CHANGED", "NOT JUDGED"), *rows])
    for (before, after), count in told.changed.most_common():
        click.echo(f"{count} of {before} {'would be' if dry_run else 'are now'} {after}")
    total, moved, unknown = told.hits.total(), told.changed.total(), told.unjudged.total()
    click.echo(
        f"{total} hits: {moved} {'would change' if dry_run else 'changed'}, {total - moved} kept, "
        f"of which {unknown} could not be judged."
    )
