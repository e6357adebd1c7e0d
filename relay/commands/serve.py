"""`letterbell serve`: runs the relay and the collector until told to stop."""

import os
from functools import partial
from pathlib import Path

import click

from relay import log
from relay.activation import ActivationError, inherited
from relay.commands.loop import run
from relay.commands.options import with_config
from relay.config import load
from relay.descriptors import raise_limit
from relay.memory import return_large_blocks
from relay.serve import serve as run_site


@click.command()
@with_config
def serve(config: Path) -> None:
    """Run the relay and the collector until SIGTERM or SIGINT; SIGHUP reads what may change while
    they run again: the certificate, [delivery]'s times."""
    settings = load(config)
    told = settings.log
    log.configure(level=told.level, form=told.format, addresses=told.addresses)
    raise_limit()
    return_large_blocks()
    try:
        sockets = inherited(os.environ)
    except ActivationError as error:
        raise click.ClickException(f"a socket that was handed over: {error}") from None
    run(run_site(settings, sockets, reread=partial(load, config)))
