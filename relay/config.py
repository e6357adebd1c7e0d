"""Reads the settings: one TOML file, the environment over it, secrets from files of their own
or from systemd's credentials.

`load` answers with settings that are right in every part, or raises a `ConfigError`. Paths in
the file are relative to the file's folder, those in the environment to the working directory.
"""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from relay.problems import ConfigError, Problem, problems_in
from relay.settings import DEFAULT_STORE, PREFIX, SECRETS, SQLITE, Settings

__all__ = ["ConfigError", "Problem", "Settings", "find", "load"]

SEARCH = (Path("letterbell.toml"), Path("/etc/letterbell/letterbell.toml"))

# The settings that name a file.
PATHS = (
    ("smtp", "certificate"),
    ("smtp", "key"),
    ("upstream", "ca_file"),
    *((table, f"{key}_file") for table, key in SECRETS),
)

Tables = dict[str, Any]


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
    if any(key in _table(tables, name) for name, key in SECRETS):
        _refuse_readable(f"{path} holds secrets and", path)
    _anchor(tables, path.parent)
    environment = Environment(Settings)()
    merged = _merged(_with_secrets(tables), _with_secrets(environment))
    try:
        return Settings(**_with_credentials(merged))
    except ValidationError as error:
        raise ConfigError(path, *problems_in(error)) from None


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


def _table(tables: Tables, name: str) -> Tables:
    """The table of that name, an empty one if there is none (or no table, as validation tells)."""
    table = tables.get(name)
    return table if isinstance(table, dict) else {}


def _anchor(tables: Tables, folder: Path) -> None:
    """Puts every path in the tables, and the store's default, behind the folder."""
    for name, key in PATHS:
        table = _table(tables, name)
        if isinstance(value := table.get(key), str):
            table[key] = str(folder / value)
    store = tables.setdefault("store", {})
    if isinstance(store, dict):
        url = store.get("url", DEFAULT_STORE)
        if isinstance(url, str) and url.startswith(SQLITE):
            store["url"] = SQLITE + str(folder / url.removeprefix(SQLITE))


def _with_secrets(tables: Tables) -> Tables:
    """The tables with the content of the files that `…_file` keys name."""
    for name, key in SECRETS:
        table = _table(tables, name)
        if f"{key}_file" not in table:
            continue
        if key in table:
            mend = f"keep one of {key} and {key}_file"
            raise ConfigError(None, Problem(f"{name}.{key} is set twice", mend))
        secret = _read_secret(f"{name}.{key}_file", Path(str(table.pop(f"{key}_file"))))
        table[key] = _parted(key, secret)
    return tables


def _with_credentials(tables: Tables) -> Tables:
    """The tables with the secrets that stand nowhere else: systemd's credentials of their names."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        return tables
    for name, key in SECRETS:
        table = _table(tables, name)
        path = Path(folder, f"{name}.{key}")
        if key not in table and path.exists():
            table[key] = _parted(key, _read_secret(f"the credential {path.name}", path))
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
        merged[name] = _table(merged, name) | table if isinstance(table, dict) else table
    return merged
