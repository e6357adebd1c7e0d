"""`letterbell dkim`: keys to sign mail with, and what to publish of them."""

import os
from pathlib import Path

import click
from pydantic import ValidationError

from relay.problems import problems_in
from relay.settings import DkimKeySettings
from relay.signing_key import SigningKey, make_key, to_pem


@click.group()
def dkim() -> None:
    """Keys that mail is signed with (DKIM)."""


@dkim.command()
@click.argument("domain")
@click.argument("selector")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--ed25519", is_flag=True, help="Not RSA: smaller, but not every verifier knows it.")
def key(domain: str, selector: str, file: Path, ed25519: bool) -> None:
    """Make a key for the From addresses of DOMAIN, write it to FILE, and print its DNS record.

    SELECTOR tells it from the domain's other keys: any word, like "letterbell2026".
    """
    try:
        asked = DkimKeySettings(domain=domain, selector=selector, file=file)
    except ValidationError as error:
        raise click.UsageError("\n".join(map(str, problems_in(error)))) from None
    made = SigningKey(asked.domain, selector, make_key(rsa=not ed25519))
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        mend = "another key is signed with, perhaps; name another file"
        raise click.ClickException(f"{file} is there already: {mend}") from None
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(to_pem(made.private))
    click.echo(f"The key is in {file}. Publish this TXT record, then `letterbell check`:\n")
    click.echo(made.zone_entry)
    click.echo("\nand name the key in the config:\n")
    click.echo(f'[[dkim.key]]\ndomain = "{asked.domain}"\nselector = "{selector}"\nfile = "{file}"')
