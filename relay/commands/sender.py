"""`letterbell sender`: the people and apps that may send. Works on the store, running or not.

A running relay sees a change within five seconds.
"""

import secrets
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import click

from collector.consent import MODES, Mode
from collector.folding import NOTIFY, Notify
from collector.senders import Senders
from relay.commands.device import device
from relay.commands.key import key
from relay.commands.options import with_settings
from relay.commands.roster import find_sender, show_table, use_senders
from relay.settings import Settings

SITE: Final = "site"


def with_password(command: Callable[..., Any]) -> Callable[..., Any]:
    """The two ways to give a password beside typing it."""
    stdin = click.option(
        "--password-stdin", "from_stdin", is_flag=True, help="Read the password from one line."
    )
    generate = click.option(
        "--generate", is_flag=True, help="Make a password and print it, this once."
    )
    return stdin(generate(command))


def with_toggle(name: str, about: str) -> Callable[..., Any]:
    """`--NAME/--no-NAME`, None where neither is given."""
    return click.option(f"--{name}/--no-{name}", default=None, help=about)


with_login = click.argument("login")
with_addresses = click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="May send as this address, or with *@DOMAIN as all of a domain; can be repeated.",
)
with_opens = with_toggle("opens", "Track when mails are opened.")
with_clicks = with_toggle("clicks", "Track when links are clicked.")
with_copies = click.option(
    "--per-recipient/--shared",
    "per_recipient",
    default=None,
    help="Each recipient gets a copy of their own, so that hits tell who.",
)
with_consent = click.option(
    "--consent",
    type=click.Choice([*MODES, SITE]),
    help="Whether recipients must agree (docs/consent.md); `site`: as tracking.consent says.",
)
with_notify = click.option(
    "--notify",
    type=click.Choice(NOTIFY),
    help="Which believed hits ring the bell of their pages: none, each copy's first ones, all.",
)
with_sticky = with_toggle("sticky", "A mail's own choice becomes the default of the next.")


@click.group()
def sender() -> None:
    """Who may send: logins, passwords, addresses, toggles."""


sender.add_command(device)
sender.add_command(key)


@sender.command()
@with_login
@with_addresses
@with_opens
@with_clicks
@with_copies
@with_consent
@with_password
@with_settings
def add(
    settings: Settings,
    login: str,
    addresses: Sequence[str],
    opens: bool | None,
    clicks: bool | None,
    per_recipient: bool | None,
    consent: Mode | Literal["site"] | None,
    from_stdin: bool,
    generate: bool,
) -> None:
    """Add a sender. Without --address, LOGIN is the address to send as."""
    password = _choose_password(from_stdin, generate)
    tracking = settings.tracking
    added = use_senders(
        settings,
        lambda senders: senders.add(
            login,
            password,
            addresses or (login,),
            opens=tracking.opens if opens is None else opens,
            clicks=tracking.clicks if clicks is None else clicks,
            per_recipient=tracking.per_recipient if per_recipient is None else per_recipient,
            consent=None if consent == SITE else consent,
        ),
    )
    click.echo(f"Added {added.login}, who may send as {', '.join(added.addresses)}.")
    _show_generated(password, generate)


@sender.command("list")
@with_settings
def list_senders(settings: Settings) -> None:
    """List all senders."""
    titles = (
        "LOGIN",
        "OPENS",
        "CLICKS",
        "STICKY",
        "COPIES",
        "CONSENT",
        "NOTIFY",
        "STATE",
        "ADDRESSES",
    )
    rows: list[tuple[str, ...]] = [titles]
    for each in use_senders(settings, Senders.list):
        toggles = ("on" if toggle else "off" for toggle in (each.opens, each.clicks, each.sticky))
        copies = "per-recipient" if each.per_recipient else "shared"
        state = "enabled" if each.enabled else "disabled"
        consent = each.consent or SITE
        addresses = " ".join(each.addresses)
        rows.append((each.login, *toggles, copies, consent, each.notify, state, addresses))
    show_table(rows)


@sender.command("set")
@with_login
@with_addresses
@with_opens
@with_clicks
@with_copies
@with_sticky
@with_consent
@with_notify
@click.option("--enable/--disable", "enabled", default=None, help="May send and sign in at all.")
@with_settings
def set_sender(
    settings: Settings,
    login: str,
    addresses: Sequence[str],
    enabled: bool | None,
    consent: Mode | Literal["site"] | None,
    notify: Notify | None,
    **toggles: bool | None,
) -> None:
    """Change a sender: what is given is set, all else stays. --address replaces all addresses."""
    if not addresses and all(
        each is None for each in (enabled, consent, notify, *toggles.values())
    ):
        raise click.UsageError("nothing to set: give at least one option")

    async def change(senders: Senders) -> None:
        found = await find_sender(senders, login)
        if addresses:
            await senders.set_addresses(found.id, addresses)
        if enabled is not None:
            await senders.set_enabled(found.id, enabled)
        if consent is not None:
            await senders.set_consent(found.id, None if consent == SITE else consent)
        if notify is not None:
            await senders.set_notify(found.id, notify)
        await senders.set_tracking(found.id, **toggles)

    use_senders(settings, change)
    click.echo(f"Changed {login}.")


@sender.command()
@with_login
@with_password
@with_settings
def passwd(settings: Settings, login: str, from_stdin: bool, generate: bool) -> None:
    """Set a sender's password; ends the sessions signed in with the old one."""
    password = _choose_password(from_stdin, generate)

    async def change(senders: Senders) -> None:
        await senders.set_password((await find_sender(senders, login)).id, password)

    use_senders(settings, change)
    click.echo(f"Changed the password of {login}.")
    _show_generated(password, generate)


@sender.command()
@with_login
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
def remove(settings: Settings, login: str, yes: bool) -> None:
    """Remove a sender with all that was recorded of their mail. `set --disable` keeps it."""
    if not yes:
        click.confirm(f"Remove {login}, their messages and all hits?", abort=True)

    async def forget(senders: Senders) -> None:
        await senders.remove((await find_sender(senders, login)).id)

    use_senders(settings, forget)
    click.echo(f"Removed {login}.")


def _choose_password(from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise click.UsageError("--password-stdin and --generate exclude each other")
    if generate:
        return secrets.token_urlsafe(18)
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    if not password:
        raise click.ClickException("the password is empty")
    return password


def _show_generated(password: str, generated: bool) -> None:
    if generated:
        click.echo(f"Password, shown this once: {password}")
