"""`letterbell demo`: the whole of it on this machine alone, to look at and to try."""

import click

from relay import log
from relay.commands.loop import run
from relay.demo import run_demo


@click.command()
@click.option("--smtp-port", default=1587, show_default=True, help="Where mail programs send to.")
@click.option("--http-port", default=8025, show_default=True, help="Where the page is.")
def demo(smtp_port: int, http_port: int) -> None:
    """Run everything on loopback, with a page that shows both ends of a mail."""
    log.configure(level="warning", form="console")
    run(run_demo(smtp_port=smtp_port, http_port=http_port, echo=click.echo))
