"""The command line: what a person runs, and how errors are told to them.

A person's mistake ends in one clear line (or one for each problem) and an exit code: 2 for a wrong
command line or config, 1 for what could not be done. A traceback is a bug of ours.
"""

from typing import Any

import click

from collector.errors import StoreError
from relay.commands.check import check
from relay.commands.consent import consent
from relay.commands.demo import demo
from relay.commands.dkim import dkim
from relay.commands.erasing import erase, stop
from relay.commands.explain import explain
from relay.commands.export import export
from relay.commands.forget import forget
from relay.commands.init import init
from relay.commands.keys import keys
from relay.commands.links import links
from relay.commands.queue import queue
from relay.commands.rejudge import rejudge
from relay.commands.sender import sender
from relay.commands.serve import serve
from relay.commands.store import store
from relay.problems import ConfigError


class BadConfig(click.ClickException):
    """As click's own for a bad command line."""

    exit_code = 2


class Letterbell(click.Group):
    """Turns what the parts raise for people into clear ends."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise BadConfig(str(error)) from None
        except StoreError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Letterbell)
@click.version_option(package_name="letterbell", prog_name="letterbell")
def main() -> None:
    """An SMTP relay that tells you when your mail is read."""


COMMANDS = (
    *(init, check, serve, demo),
    *(sender, consent, queue, explain),
    *(stop, erase, export, forget),
    *(rejudge, keys, links, dkim),
    store,
)
for command in COMMANDS:
    main.add_command(command)
