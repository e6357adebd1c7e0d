"""Reads the settings: one TOML file, the environment over it, secrets from files of their own
or from systemd's credentials.

`load` answers with settings that are right in every part, or raises a `ConfigError`. Paths in
the file are relative to the file's folder, those in the environment to the working directory.
"""

import os
import stat
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from relay.problems import ConfigError, Problem, problems_in
from relay.settings import DEFAULT_STORE, POSTGRESQL, PREFIX, SECRETS, SQLITE, Settings

__all__ = ["ConfigError", "Problem", "Settings", "find", "load"]

SEARCH = (Path("letterbell.toml"), Path("/etc/letterbell/letterbell.toml"))

# The settings that name a file.
PATHS = (
    ("smtp", "certificate"),
    ("smtp", "key"),
    ("upstream", "ca_file"),
    ("upstream", "route", "ca_file"),
    ("dkim", "key", "file"),
    ("delivery", "spool"),
    ("verdict", "data"),
    *((*path, f"{key}_file") for *path, key in SECRETS),
)

Tables = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a secret stands: `file` is the config, or its own where it is `alone` in it.

    Without a file it is somewhere that we cannot write to, which `name` says.
    """

    name: str
    file: Path | None = None
    alone: bool = False


def find(option: Path | None = None) -> Path:
    """The config file: the option, else $LETTERBELL_CONFIG, else the first of SEARCH there is."""
    if option is not None:
        return option
    if named := os.environ.get(f"{PREFIX}CONFIG"):
        return Path(named)
    for path in SEARCH:
        if path.exists():
            return path
    looked = ", ".join(["--config", f"${PREFIX}CONFIG", *map(str, SEARCH)])
    raise ConfigError(
        None, Problem(f"no config file (looked at {looked})", "`letterbell init` writes one")
    )


def load(path: Path) -> Settings:
    """The settings of the file at `path`, with the environment over it. Raises ConfigError."""
    tables = _read(path)
    if any(_is_secret(key, table) for *path, key in SECRETS for _, table in _tables(tables, path)):
        _refuse_readable(f"{path} holds secrets and", path)
    _anchor(tables, path.parent)
    environment = Environment(Settings)()
    merged = _with_credentials(_merged(_with_secrets(tables), _with_secrets(environment)))
    _place(merged, path.parent)
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise ConfigError(path, *problems_in(error)) from None


def find_secret(path: Path, table: str, key: str) -> Source | None:
    """Where the secret of a setting stands that `load` would take. Raises ConfigError."""
    variable = f"{PREFIX}{table}__{key}".upper()
    environment = Environment(Settings)().get(table, {})
    if key in environment:
        return Source(f"the environment variable {variable}")
    if named := environment.get(f"{key}_file"):
        return Source(f"{variable}_FILE", Path(str(named)), alone=True)
    tables = _read(path)
    _anchor(tables, path.parent)
    for _, found in _tables(tables, (table,)):
        if key in found:
            return Source(f"{path}", path)
        if named := found.get(f"{key}_file"):
            return Source(f"{table}.{key}_file", Path(str(named)), alone=True)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is not None and Path(folder, f"{table}.{key}").exists():
        return Source(f"systemd's credential {table}.{key}")
    return None


class Environment(EnvSettingsSource):
    """LETTERBELL_TABLE__KEY; a list is JSON, or words between commas."""

    def __call__(self) -> Tables:
        """All variables that are ours; a table that we do not know comes back empty."""
        ours = (name.removeprefix(PREFIX) for name in os.environ if name.startswith(PREFIX))
        named: Tables = {name.partition("__")[0].lower(): {} for name in ours if "__" in name}
        return named | super().__call__()

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list as JSON, else by its commas."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return [word.strip() for word in str(value).split(",")]


def _read(path: Path) -> Tables:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = Problem("there is no such file", "`letterbell init` writes one")
    except OSError as error:
        problem = Problem("cannot be read", str(error.strerror))
    except UnicodeDecodeError:
        problem = Problem("is not UTF-8", "save it as UTF-8 text")
    except tomllib.TOMLDecodeError as error:
        problem = Problem("is not TOML", str(error))
    raise ConfigError(path, problem)


def _tables(tables: Tables, path: Sequence[str], where: str = "") -> Iterator[tuple[str, Tables]]:
    """All tables at the path, also those of a list, each with where it is: `upstream.route[0]`.

    Nothing is there where something else than a table is, as validation tells.
    """
    name, *rest = path
    found = tables.get(name)
    for number, table in enumerate(found if isinstance(found, list) else [found]):
        if isinstance(table, dict):
            here = f"{where}{name}[{number}]" if isinstance(found, list) else where + name
            if rest:
                yield from _tables(table, rest, f"{here}.")
            else:
                yield here, table


def _anchor(tables: Tables, folder: Path) -> None:
    """Puts every path in the tables behind the folder."""
    for *path, key in PATHS:
        for _, table in _tables(tables, path):
            if isinstance(value := table.get(key), str):
                table[key] = str(folder / value)
    for _, store in _tables(tables, ("store",)):
        if isinstance(url := store.get("url"), str) and url.startswith(SQLITE):
            store["url"] = SQLITE + str(folder / url.removeprefix(SQLITE))


def _place(tables: Tables, folder: Path) -> None:
    """What the settings name nowhere is in the folder: the store, or a spool that has none beside
    it."""
    store, delivery = tables["store"], tables["delivery"]
    if isinstance(store, dict) and isinstance(delivery, dict):
        url = store.setdefault("url", SQLITE + str(folder / DEFAULT_STORE.removeprefix(SQLITE)))
        if isinstance(url, str) and url.startswith(POSTGRESQL):
            delivery.setdefault("spool", folder / "spool")


def _is_secret(key: str, table: Tables) -> bool:
    """Whether a secret stands there; SQLite's URL is none."""
    return key in table and not str(table[key]).startswith(SQLITE)


def _with_secrets(tables: Tables) -> Tables:
    """The tables with the content of the files that `…_file` keys name."""
    for *path, key in SECRETS:
        for where, table in _tables(tables, path):
            if f"{key}_file" not in table:
                continue
            if key in table:
                mend = f"keep one of {key} and {key}_file"
                raise ConfigError(None, Problem(f"{where}.{key} is set twice", mend))
            secret = _read_secret(f"{where}.{key}_file", Path(str(table.pop(f"{key}_file"))))
            table[key] = _parted(key, secret)
    return tables


def _with_credentials(tables: Tables) -> Tables:
    """The tables with the secrets that stand nowhere else: systemd's credentials of their names."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        return tables
    for *path, key in SECRETS:
        for where, table in _tables(tables, path):
            file = Path(folder, f"{where}.{key}")
            if key not in table and file.exists():
                table[key] = _parted(key, _read_secret(f"the credential {file.name}", file))
    return tables


def _parted(key: str, secret: str) -> str | list[str]:
    """A secret as its setting wants it: several keys stand in a file with space between them."""
    return secret.split() if key == "keys" else secret


def _read_secret(setting: str, path: Path) -> str:
    """The file's text without its last newline."""
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(None, Problem(f"{setting} cannot be read", str(error))) from None
    _refuse_readable(f"{setting} holds a secret and", path)
    if not secret:
        raise ConfigError(None, Problem(f"{setting} is empty", f"write the secret to {path}"))
    return secret


def _refuse_readable(what: str, path: Path) -> None:
    """Secrets are for the owner and the group (a service runs in one of its own), nobody else."""
    if path.stat().st_mode & stat.S_IRWXO:
        raise ConfigError(None, Problem(f"{what} is open to everyone", f"chmod o= {path}"))


def _merged(below: Tables, above: Tables) -> Tables:
    """Both layers, key by key. All tables are there, so that a missing key is told, not a table."""
    merged: Tables = {name: {} for name in Settings.model_fields} | below
    for name, table in above.items():
        under = merged.get(name)
        both = isinstance(table, dict) and isinstance(under, dict)
        merged[name] = under | table if both else table
    return merged
