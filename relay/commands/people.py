"""What the commands about one person share: ADDRESS."""

from collections.abc import Callable
from typing import Any

import click

from collector.person import Person


def _read(_: click.Context, __: click.Parameter, text: str) -> Person:
    try:
        return Person(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def with_person(command: Callable[..., Any]) -> Callable[..., Any]:
    """ADDRESS; the command gets the `person`."""
    return click.argument("person", metavar="ADDRESS", callback=_read)(command)
