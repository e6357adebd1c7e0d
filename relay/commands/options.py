"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from relay.config import find, load
from relay.settings import Settings


def _load(_: click.Context, __: click.Parameter, path: Path | None) -> Settings:
    return load(find(path))


_HELP = (
    "The config file. Else $LETTERBELL_CONFIG, ./letterbell.toml or "
    "/etc/letterbell/letterbell.toml."
)


def _find(_: click.Context, __: click.Parameter, path: Path | None) -> Path:
    return find(path)


def with_config(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`; the command gets the file's `config`, for who reads it more than once."""
    return click.option("--config", type=click.Path(path_type=Path), callback=_find, help=_HELP)(
        command
    )


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`; the command gets the loaded `settings`."""
    return click.option(
        "--config",
        "settings",
        type=click.Path(path_type=Path),
        callback=_load,
        help=_HELP,
    )(command)
