"""`letterbell serve`: runs the relay and the collector until told to stop."""

import click

from relay import log
from relay.commands.loop import run
from relay.commands.options import with_settings
from relay.serve import serve as run_site
from relay.settings import Settings


@click.command()
@with_settings
def serve(settings: Settings) -> None:
    """Run the relay and the collector until SIGTERM or SIGINT."""
    log.configure(level=settings.log.level, form=settings.log.format)
    run(run_site(settings))
