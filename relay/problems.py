"""What is wrong with the settings, told to a person: the key, the value, the mend.

A secret's value is never told, nor an unknown key's (it may be a misspelt secret).
"""

import difflib
import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from relay.settings import PREFIX, SECRETS, Settings

Location = tuple[int | str, ...]

BIND_MENDS = {
    errno.EADDRINUSE: "something listens there already (Letterbell?): stop it or change the port",
    errno.EACCES: "ports under 1024 are for root or CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and how a person mends it."""

    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what}: {self.mend}"


class ConfigError(Exception):
    """The settings cannot be used. `path` is the file they came from, if they came from one."""

    def __init__(self, path: Path | None, *problems: Problem) -> None:
        self.path = path
        self.problems = problems
        where = "" if path is None else f"{path}: "
        first, *more = (str(problem) for problem in problems)
        many = f"{len(problems)} problems"
        super().__init__("\n  ".join([where + many, first, *more]) if more else where + first)


def bind_mend(error: OSError) -> str:
    """Why an address cannot be listened on, and what to do."""
    return BIND_MENDS.get(error.errno or 0, error.strerror or str(error))


def problems_in(error: ValidationError) -> list[Problem]:
    """What pydantic found, one problem for each wrong key, in the order of the settings."""
    return [_problem(details) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails) -> Problem:
    location = details["loc"]
    name = _name(location)
    match details["type"]:
        case "missing":
            listed = any(isinstance(part, int) for part in location)  # has no variable of its own
            by_variable = "" if listed else f" or by {_variable(location)}"
            return Problem(f"{name} is missing", f"set it in the file{by_variable}")
        case "extra_forbidden":
            return Problem(f"{name} is an unknown key", _nearest(location))
        case "model_type":
            mend = "should be a table"
        case "value_error" if not location:  # a rule between tables names them itself
            what, _, mend = str(details["ctx"]["error"]).partition(": ")
            return Problem(what, mend)
        case "value_error":
            mend = str(details["ctx"]["error"])
        case _:
            mend = details["msg"].removeprefix("Input ").removeprefix("Value ")
    return Problem(name + _shown(location, details["input"]), mend)


def _name(location: Location) -> str:
    """`smtp.listen[0].port`, or the environment's variable where the value came from there."""
    variable = _variable(location)
    if variable in os.environ:
        return variable
    if any(name.startswith(f"{variable}__") for name in os.environ):
        return f"{variable}__…"
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _variable(location: Location) -> str:
    return PREFIX + "__".join(str(part) for part in location).upper()


def _shown(location: Location, value: object) -> str:
    secret = _names(location) in SECRETS or len(location) < 2
    return "" if secret or not isinstance(value, str | int | float) else f" = {value!r:.80}"


def _nearest(location: Location) -> str:
    """The nearest right key, or all of them."""
    *table, wrong = location
    known = _keys(table)
    near = difflib.get_close_matches(str(wrong), known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"the keys here are {', '.join(known)}"


def _keys(table: Sequence[int | str]) -> list[str]:
    """All keys of the table at a location, with those that name a secret's file."""
    model: type[BaseModel] = Settings
    for part in table:
        if isinstance(part, str):
            model = _table_in(model.model_fields[part].annotation)
    files = [f"{key}_file" for *path, key in SECRETS if tuple(path) == _names(table)]
    return [*model.model_fields, *files]


def _names(location: Sequence[int | str]) -> tuple[str, ...]:
    """The location without its places in lists."""
    return tuple(part for part in location if isinstance(part, str))


def _table_in(annotation: object) -> type[BaseModel]:
    """The table's class in `Table` or `tuple[Table, ...]`."""
    candidates: Iterable[object] = (annotation, *get_args(annotation))
    return next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
