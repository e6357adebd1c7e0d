"""`letterbell consent`: what recipients have decided of being tracked, by hand and by CSV.

Works on the store, running or not. A running relay sees a change within five seconds; for hits it
holds at once.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TextIO, TypeVar

import click

from collector.consent import Kind, check_address
from collector.consent_csv import CsvError, Line, read_lines, write_head, write_line
from collector.consents import Consents, Decision, RefusalStands
from collector.schema import HIT_KINDS
from collector.senders import Sender, Senders, login_key
from collector.tokens import MessageLinks, Tokens
from relay.commands.options import with_settings
from relay.commands.roster import find_sender, show_table, use_store_and_senders
from relay.settings import Settings

PAGE = 1_000
TOLD = 20  # problems that are told at most

T = TypeVar("T")

with_login = click.argument("login")
with_address = click.argument("address")
with_only = click.option(
    "--only", type=click.Choice(HIT_KINDS), help="Opens or clicks alone; else it is for both."
)


def use_consents(settings: Settings, action: Callable[[Consents, Senders], Awaitable[T]]) -> T:
    """Runs the action on the store, its result."""
    mode = settings.tracking.consent
    return use_store_and_senders(
        settings, lambda store, senders: action(Consents(store, mode), senders)
    )


@click.group()
def consent() -> None:
    """Who may be tracked: what recipients have agreed to or refused (docs/consent.md)."""


@consent.command("list")
@with_login
@click.argument("address", required=False)
@with_settings
def list_consents(settings: Settings, login: str, address: str | None) -> None:
    """List what holds towards the sender LOGIN; of ADDRESS, all that was ever decided."""

    async def show(consents: Consents, senders: Senders) -> None:
        found = await find_sender(senders, login)
        if address is not None:
            rows = list(map(_row, await consents.history(found.id, address)))
        else:
            rows = [_row(each) async for each in _all(consents, found, held=True)]
        show_table([("ADDRESS", "KIND", "DECISION", "AT", "HOW", "TEXT"), *rows])

    use_consents(settings, show)


@consent.command()
@with_login
@with_address
@with_only
@click.option("--text-version", metavar="TEXT", help="Which words were agreed to, for proof.")
@with_settings
def grant(
    settings: Settings, login: str, address: str, only: Kind | None, text_version: str | None
) -> None:
    """Note that ADDRESS has agreed to be tracked by LOGIN."""
    _decide(settings, login, address, only, granted=True, text_version=text_version)


@consent.command()
@with_login
@with_address
@with_only
@with_settings
def refuse(settings: Settings, login: str, address: str, only: Kind | None) -> None:
    """Note that ADDRESS has refused to be tracked by LOGIN."""
    _decide(settings, login, address, only, granted=False)


@consent.command()
@with_login
@with_address
@with_settings
def link(settings: Settings, login: str, address: str) -> None:
    """Print a notice page of ADDRESS's own, where they can agree to LOGIN's tracking or refuse it.

    Send it to nobody else: whoever opens it decides in their name.
    """

    async def find(consents: Consents, senders: Senders) -> tuple[int, int] | None:
        return await consents.newest_mail((await find_sender(senders, login)).id, address)

    found = use_consents(settings, find)
    if found is None:
        raise click.ClickException(
            f"no mail of {login} to {address} is on record; send one that is to be tracked"
        )
    tokens = Tokens(settings.tokens.parsed)
    click.echo(MessageLinks(tokens, settings.http.public_url, *found).notice())


@consent.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@with_settings
def import_consents(settings: Settings, file: TextIO) -> None:
    """Take over the decisions in a CSV FILE ("-": standard input), all of them or none."""
    try:
        lines = read_lines(file, time.time_ns() // 1_000_000)
    except UnicodeDecodeError:
        raise click.ClickException("the file is not in UTF-8; save it so") from None
    except CsvError as error:
        raise _problems(error.problems) from None

    async def take_over(consents: Consents, senders: Senders) -> int:
        known = _with_senders(lines, await senders.list())
        try:
            return await consents.take_over(known)
        except RefusalStands as stands:
            against = [(lines[place], known[place]) for place in stands.places]
            raise _problems(
                [
                    f"line {line.number}: {_say_stands(line.login, it.address)}"
                    for line, it in against
                ]
            ) from None

    news = use_consents(settings, take_over)
    click.echo(f"Took over {news} of {len(lines)} decisions; the others are known already.")


@consent.command()
@click.argument("login", required=False)
@with_settings
def export(settings: Settings, login: str | None) -> None:
    """Print all decisions as CSV, those towards LOGIN or towards everybody."""

    async def write(consents: Consents, senders: Senders) -> int:
        chosen = [await find_sender(senders, login)] if login else await senders.list()
        erased = 0
        click.echo(write_head(), nl=False)
        for sender in chosen:
            async for each in _all(consents, sender, held=False):
                if each.address is None:
                    erased += 1
                else:
                    click.echo(write_line(sender.login, each), nl=False)
        return erased

    if erased := use_consents(settings, write):
        click.echo(f"{erased} decisions are left out: their addresses were erased.", err=True)


def _decide(
    settings: Settings,
    login: str,
    address: str,
    only: Kind | None,
    *,
    granted: bool,
    text_version: str | None = None,
) -> None:
    kinds = (only,) if only else HIT_KINDS
    try:
        address = check_address(address)
    except ValueError as error:
        raise click.ClickException(str(error)) from None

    async def decide(consents: Consents, senders: Senders) -> bool:
        found = await find_sender(senders, login)
        try:
            return await consents.decide(
                found.id,
                address,
                dict.fromkeys(kinds, granted),
                how="command",
                text_version=text_version,
            )
        except RefusalStands:
            raise click.ClickException(_say_stands(login, address)) from None

    changed = use_consents(settings, decide)
    word = "has agreed" if granted else "has refused"
    click.echo(f"Noted: {address} {word}." if changed else f"{address} {word} already.")


async def _all(consents: Consents, sender: Sender, *, held: bool) -> AsyncIterator[Decision]:
    after = 0
    while page := await consents.list(sender.id, after=after, limit=PAGE, held=held):
        for each in page:
            yield each
        after = page[-1].id


def _with_senders(lines: Sequence[Line], senders: Iterable[Sender]) -> list[Decision]:
    ids = {login_key(each.login): each.id for each in senders}
    unknown = [each for each in lines if login_key(each.login) not in ids]
    if unknown:
        mend = "`letterbell sender list` shows those there are"
        raise _problems(
            [f"line {each.number}: there is no sender {each.login!r}; {mend}" for each in unknown]
        )
    return [replace(each.decision, sender_id=ids[login_key(each.login)]) for each in lines]


def _say_stands(login: str, address: str | None) -> str:
    return (
        f"{address} has refused on the notice page, and can take that back there alone; "
        f"`letterbell consent link {login} {address}` prints the page's address"
    )


def _problems(problems: Sequence[str]) -> click.ClickException:
    distinct = list(dict.fromkeys(problems))
    more = [f"… and {len(distinct) - TOLD} more"] if len(distinct) > TOLD else []
    return click.ClickException("\n".join(["nothing is taken over:", *distinct[:TOLD], *more]))


def _row(each: Decision) -> tuple[str, ...]:
    at = datetime.fromtimestamp(each.at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    decision = "granted" if each.granted else "refused"
    address = each.address or "(erased)"
    return (address, each.kind, decision, at, each.how, each.text_version or "")
