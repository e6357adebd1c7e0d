"""`letterbell explain`: what the relay would do to mails, part by part and link by link.

The relay's own steps, under a key that is thrown away, so that nothing written here can be a hit.
One mail is told in full; of many, read one at a time, the numbers are.
"""

import json
import logging
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from pydantic import ValidationError

from collector.own import OwnLinks
from collector.tokens import Key, MessageLinks, Tokens
from relay.commands.explanation import Explainer, Explanation
from relay.commands.mails import STANDARD_INPUT, Unread, find_mails, name_of, read_mail
from relay.commands.report import report
from relay.commands.tally import Tally
from relay.config import load
from relay.log import escape
from relay.settings import HttpSettings, Settings, SmtpSettings, TrackingSettings

PUBLIC_URL = "https://t.example.com"


def _check_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    """By the rule for the setting of that name."""
    try:
        return None if url is None else HttpSettings(public_url=url).public_url
    except ValidationError as error:
        raise click.BadParameter(f"{url!r} {error.errors()[0]['ctx']['error']}") from None


def _load(_: click.Context, __: click.Parameter, path: Path | None) -> Settings | None:
    return None if path is None else load(path)


@click.command()
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, readable=False, allow_dash=True, path_type=Path),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: of many mails, one a line.")
@click.option("--details", is_flag=True, help="Of many mails, tell each in full as well.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the mail as it would leave here.",
)
@click.option(
    "--config",
    "settings",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_load,
    help="Take the public URL, [tracking] and the keys of links already sent from a "
    "letterbell.toml. Options go over it.",
)
@click.option("--opens/--no-opens", default=None, help="Put the pixel in. [default: opens]")
@click.option("--clicks/--no-clicks", default=None, help="Wrap the links. [default: clicks]")
@click.option(
    "--text-links/--no-text-links",
    default=None,
    help="Wrap addresses in plain text, too. [default: no-text-links]",
)
@click.option(
    "--wrap-url-text/--no-wrap-url-text",
    default=None,
    help="Wrap links whose text is another site's address, too. [default: no-wrap-url-text]",
)
@click.option(
    "--public-url",
    metavar="URL",
    callback=_check_url,
    help=f"Where pixels and links lead. [default: {PUBLIC_URL}]",
)
@click.pass_context
def explain(
    context: click.Context,
    /,
    paths: Sequence[Path],
    as_json: bool,
    details: bool,
    output: Path | None,
    settings: Settings | None,
    public_url: str | None,
    **toggles: bool | None,
) -> None:
    """Show what the relay would do to mails, and by which rule.

    A PATH is a file, a folder of mails, or "-" for standard input. One mail is told in full, of
    several the numbers.
    """
    # BeautifulSoup warns of letters that it cannot tell; they are shown as U+FFFD.
    logging.getLogger("bs4.dammit").setLevel(logging.ERROR)
    _never_fail_to_print()
    explainer = _explainer(settings, public_url, toggles)
    max_size = (settings.smtp if settings else SmtpSettings()).max_size
    if paths.count(STANDARD_INPUT) > 1:
        raise click.UsageError('standard input can be read once: give "-" once')
    if len(paths) == 1 and not paths[0].is_dir():
        _explain_one(explainer, paths[0], max_size, as_json=as_json, output=output)
    elif output is not None:
        raise click.UsageError('--output is for one mail: give one file, or "-"')
    else:
        tally = _explain_many(explainer, paths, max_size, as_json=as_json, details=details)
        context.exit(1 if tally.unread else 0)


def _explainer(
    settings: Settings | None, public_url: str | None, toggles: dict[str, bool | None]
) -> Explainer:
    """What stands in the config file, with the options over it."""
    url = public_url or (settings.http.public_url if settings else PUBLIC_URL)
    given = {name: value for name, value in toggles.items() if value is not None}
    table = (settings.tracking if settings else TrackingSettings()).model_copy(update=given)
    tracking = replace(table.parsed, own_hosts=frozenset({urlsplit(url).hostname or ""}))
    own = None
    if settings and table.detrack_quotes:
        own = OwnLinks(Tokens(settings.tokens.parsed), url)
    return Explainer(tracking, _example_links(url), own)


def _example_links(public_url: str) -> MessageLinks:
    tokens = Tokens([Key(id=0, secret=secrets.token_bytes(32))])
    return MessageLinks(tokens, public_url, message_id=0)


def _explain_one(
    explainer: Explainer, path: Path, max_size: int, *, as_json: bool, output: Path | None
) -> None:
    try:
        raw = read_mail(path, max_size)
    except Unread as unread:
        raise click.ClickException(escape(str(unread))) from None
    explanation = explainer.explain(raw)
    _tell_failure(path, explanation)
    if as_json:
        click.echo(json.dumps(_as_json(path, explanation), indent=2))
    else:
        click.echo("\n".join(report(name_of(path), explanation)))
    if output is not None:
        outgoing = explanation.outgoing
        try:
            # A file with the system's own line ends gets them back.
            output.write_bytes(outgoing if b"\r" in raw else outgoing.replace(b"\r\n", b"\n"))
        except OSError as error:
            raise click.ClickException(f"cannot write {output}: {error.strerror}") from None


def _explain_many(
    explainer: Explainer, paths: Sequence[Path], max_size: int, *, as_json: bool, details: bool
) -> Tally:
    tally = Tally()
    in_full = as_json or details
    has_bar = sys.stderr.isatty() and not (in_full and sys.stdout.isatty())

    def skip(unread: Unread) -> None:
        tally.unread += 1
        # The bar's own line gives way.
        click.echo(("\r\x1b[K" if has_bar else "") + escape(str(unread)), err=True)

    with _mails(paths, skip, has_bar=has_bar) as mails:
        for path in mails:
            try:
                explanation = explainer.explain(read_mail(path, max_size))
            except Unread as unread:
                skip(unread)
                continue
            _tell_failure(path, explanation)
            tally.add(explanation)
            if as_json:
                click.echo(json.dumps(_as_json(path, explanation)))
            elif details:
                click.echo("\n".join(report(name_of(path), explanation)) + "\n")
    if not as_json:
        click.echo("\n".join(tally.lines()))
    return tally


@contextmanager
def _mails(
    paths: Sequence[Path], skip: Callable[[Unread], None], *, has_bar: bool
) -> Iterator[Iterator[Path]]:
    """All mails in turn, with a bar on standard error that tells how far it is."""
    found = find_mails(paths, skip)
    if not has_bar:
        yield found
        return
    count = sum(1 for _ in find_mails(paths, lambda _: None))
    with click.progressbar(
        found, length=count, label="mails", show_pos=True, file=sys.stderr
    ) as bar:
        yield iter(bar)


def _as_json(path: Path, explanation: Explanation) -> dict[str, Any]:
    return explanation.as_json(click.format_filename(path))


def _tell_failure(path: Path, explanation: Explanation) -> None:
    error = explanation.failure
    if error is not None:
        words = f"{name_of(path)}: the rewriter failed: {type(error).__name__}: {error}"
        click.echo(escape(words), err=True)


def _never_fail_to_print() -> None:
    """A mail's letters that the terminal's charset lacks are written as escapes."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
