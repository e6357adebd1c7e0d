"""`letterbell init`: a config to start from, with fresh secrets, for its owner's eyes only."""

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

import click

from relay.token_keys import SECRET_OCTETS, write_token_key

CONFIG = """\
# Letterbell's settings: what must be set, and a fresh key. All other settings, with their defaults
# and a line of prose each, are in config.example.toml of the source. `letterbell check` tells what
# is wrong.

# The real mail server, which gets every mail.
[upstream]
host = "smtp.example.com"
port = 587
tls = "starttls"
#user = "you@example.com"
#password = "…"

# public_url stands in every tracked mail: the outside must reach address and port by it.
[http]
address = "127.0.0.1"
port = 8080
public_url = "http://localhost:8080"

# Signs the pixels and links. Whoever has it can forge them; without it, links already sent stop.
# `letterbell keys rotate` puts a new one before it.
[tokens]
keys = ["{key}"]
"""

NEXT = """\
Wrote {path}.
Next:
  1. edit {path}: your mail server under [upstream], public_url under [http]
  2. letterbell check{option}
  3. letterbell sender add you@example.com{option}
  4. letterbell serve{option}
Then send by SMTP through 127.0.0.1, port 1587, with that login."""


@click.command()
@click.argument("folder", metavar="[DIR]", default=Path(), type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a config with fresh secrets into DIR (default: here)."""
    path = folder / "letterbell.toml"
    key = write_token_key(1, secrets.token_bytes(SECRET_OCTETS), datetime.now(UTC).date())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{path} is there already, and init never overwrites") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(key=key))
    option = "" if path == Path("letterbell.toml") else f" --config {path}"
    click.echo(NEXT.format(path=path, option=option))
