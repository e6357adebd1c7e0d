"""`letterbell explain`: what the relay would change in a mail, and what not, by which rule.

The same rewriter and the same tokens as in the relay, under a key that is thrown away.
"""

import json
import secrets
import time
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import click

from collector.tokens import Key, MessageLinks, Tokens, mint_message_id
from relay.log import escape
from rewriter import Rewritten, Tracking, Untouched, rewrite


@click.command()
@click.argument("mail", metavar="FILE.eml", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the changed mail here."
)
@click.option("--opens/--no-opens", default=True, help="Put the pixel in.")
@click.option("--clicks/--no-clicks", default=True, help="Wrap the links.")
@click.option(
    "--public-url",
    default="https://t.example.com",
    show_default=True,
    help="Where the relay's pixels and links would lead.",
)
def explain(
    mail: BinaryIO, as_json: bool, output: Path | None, opens: bool, clicks: bool, public_url: str
) -> None:
    """Show what the relay would change in FILE.eml ("-": standard input)."""
    raw = mail.read()
    tracking = Tracking(
        opens=opens, clicks=clicks, own_hosts=frozenset({urlsplit(public_url).hostname or ""})
    )
    result = rewrite(raw, tracking=tracking, links=_example_links(public_url))
    click.echo(json.dumps(_summary(result), indent=2) if as_json else _table(result))
    if output is not None:
        try:
            output.write_bytes(result.message if isinstance(result, Rewritten) else raw)
        except OSError as error:
            raise click.ClickException(f"cannot write {output}: {error.strerror}") from None


def _example_links(public_url: str) -> MessageLinks:
    tokens = Tokens([Key(id=0, secret=secrets.token_bytes(32))])
    message_id = mint_message_id(time.time_ns() // 1_000_000, secrets.randbits(21))
    return MessageLinks(tokens, public_url, message_id)


def _summary(result: Rewritten | Untouched) -> dict[str, object]:
    links = result.links if isinstance(result, Rewritten) else ()
    return {
        "changed": isinstance(result, Rewritten),
        "reason": result.reason if isinstance(result, Untouched) else None,
        "pixel": isinstance(result, Rewritten) and result.pixel,
        "links": [
            {"ordinal": link.ordinal, "target": link.target.decode("ascii"), "label": link.label}
            for link in links
        ],
        "skipped": [{"value": each.value, "rule": each.rule} for each in result.skipped],
    }


def _table(result: Rewritten | Untouched) -> str:
    if isinstance(result, Rewritten):
        lines = [
            (
                f"{len(result.links)} links would be wrapped, "
                f"{'the pixel' if result.pixel else 'no pixel'} put in."
            )
        ]
        lines += [
            f"  wrapped  {link.target.decode('ascii')}  ({link.label or 'no label'})"
            for link in result.links
        ]
    else:
        lines = [f"Nothing would be changed: {result.reason}."]
    lines += [f"  left     {each.value}  ({each.rule})" for each in result.skipped]
    return "\n".join(escape(line) for line in lines)
