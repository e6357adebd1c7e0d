"""`letterbell keys`: what signs the links and pixels, and a new one in its place."""

import secrets
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import click
import tomlkit
from tomlkit.exceptions import TOMLKitError

from relay.commands.options import with_config
from relay.commands.roster import show_table
from relay.config import Source, find_secret, load
from relay.replacement import replace_text
from relay.token_keys import SECRET_OCTETS, TokenKey, next_id, read_token_key, write_token_key

with_file = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with nothing but the keys, where that is a credential of systemd's.",
)

TAKEN_UP = """\
Key {new} signs as soon as the relay has read it: send it SIGHUP (systemctl reload letterbell).
The keys before it ({old}) stay, and are read: links already sent go on working."""

PASTE = """\
The keys are in {name}, which cannot be written from here. Put this one before the others,
which have to stay, with space between them, and restart the relay:

{key}"""


@click.group()
def keys() -> None:
    """The keys that sign links and pixels: the first one signs, all are read."""


@keys.command("list")
@with_file
@with_config
def list_keys(config: Path, file: Path | None) -> None:
    """The keys' ids and ages, never their secrets."""
    found = _read_file(file)[1] if file else load(config).tokens.dated
    rows = [
        (
            str(each.key.id),
            each.made.isoformat() if each.made else "unknown",
            _age(each.made),
            "reads" if number else "signs, reads",
        )
        for number, each in enumerate(found)
    ]
    show_table([("ID", "MADE", "AGE", "USE"), *rows])


@keys.command()
@with_file
@with_config
def rotate(config: Path, file: Path | None) -> None:
    """Make a key that signs from now on. The old ones stay, or links already sent would stop."""
    if file:
        source: Source | None = Source(str(file), file, alone=True)
        found: Sequence[TokenKey] = _read_file(file)[1]
    else:
        found = load(config).tokens.dated
        source = find_secret(config, "tokens", "keys")
    ids = [each.key.id for each in found]
    number = next_id(ids[0], ids)
    if number is None:
        raise click.ClickException("all 256 ids are taken: take the oldest key out first")
    new = write_token_key(number, secrets.token_bytes(SECRET_OCTETS), _today())
    if source is None or source.file is None:
        name = source.name if source else "a place that is not known"
        click.echo(PASTE.format(name=name, key=new))
        return
    try:
        if source.alone:
            text = f"{new}\n{_read_file(source.file)[0]}"
        else:
            text = _with_key(source.file, new)
        replace_text(source.file, text)
    except OSError as error:
        raise click.ClickException(
            f"{source.file} cannot be written ({error.strerror}), and is as it was: "
            "do it as the user whose file it is"
        ) from None
    click.echo(f"Wrote a new key into {source.file}.")
    click.echo(TAKEN_UP.format(new=number, old=", ".join(map(str, ids))))


def _with_key(config: Path, new: str) -> str:
    """The config's text with one more key, and every other character as it was."""
    text = config.read_bytes().decode("utf-8")  # its line ends as they are
    before = tomllib.loads(text.replace("\r\n", "\n"))
    wanted = {**before, "tokens": {**before["tokens"], "keys": [new, *before["tokens"]["keys"]]}}
    try:
        document = tomlkit.parse(text)
        document["tokens"]["keys"].insert(0, new)
        changed = tomlkit.dumps(document)
        if tomllib.loads(changed.replace("\r\n", "\n")) == wanted:
            return changed
    except (TOMLKitError, tomllib.TOMLDecodeError):
        pass
    raise click.ClickException(
        f"{config} cannot be edited safely, and is as it was: put this key before the others in "
        f"[tokens] keys, and send the relay SIGHUP:\n\n{new}"
    )


def _read_file(path: Path) -> tuple[str, list[TokenKey]]:
    """The text of a file of keys, and those in it."""
    try:
        text = path.read_bytes().decode("utf-8")
        found = [read_token_key(each) for each in text.split()]
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # not UTF-8 either
        raise click.ClickException(f"{path}: a key {error}") from None
    if not found:
        raise click.ClickException(f"{path} has no key in it: `letterbell init` makes one")
    return text, found


def _age(made: date | None) -> str:
    if made is None:
        return "unknown"
    days = max(0, (_today() - made).days)
    return f"{days} day{'' if days == 1 else 's'}"


def _today() -> date:
    return datetime.now(UTC).date()
