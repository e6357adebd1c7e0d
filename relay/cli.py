"""The command line: what a person runs, and how errors are told to them.

A person's mistake ends in one clear line (or one for each problem) and an exit code: 2 for a wrong
command line or config, 1 for what could not be done. A traceback is a bug of ours.
"""

from typing import Any

import click

from collector.errors import StoreError
from relay.commands.check import check
from relay.commands.demo import demo
from relay.commands.explain import explain
from relay.commands.init import init
from relay.commands.sender import sender
from relay.commands.serve import serve
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


for command in (init, check, serve, sender, explain, demo):
    main.add_command(command)
