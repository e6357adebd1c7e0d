"""`letterbell check`: everything that can be known to be wrong before mail comes, with its mend."""

import asyncio
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid

import click

from relay.commands.findings import CHECKS, Finding
from relay.commands.options import with_settings
from relay.content import Content
from relay.envelope import Copy, Recipient
from relay.settings import Settings
from relay.settlement import defer, settle
from relay.upstreams import Upstreams

COLOURS = {"ok": "green", "note": "blue", "warning": "yellow", "problem": "red"}


@click.command()
@click.option("--send", "recipient", metavar="ADDRESS", help="Also send a test mail upstream.")
@with_settings
@click.pass_context
def check(context: click.Context, settings: Settings, recipient: str | None) -> None:
    """Look for all that is wrong; exit 2 if anything is."""
    problems = asyncio.run(_check(settings, recipient))
    if problems:
        click.echo(f"{problems} problem{'s' if problems > 1 else ''}.", err=True)
        context.exit(2)


async def _check(settings: Settings, recipient: str | None) -> int:
    """Tells every finding as it comes; the number of problems."""
    problems = 0
    for each in CHECKS:
        async for finding in each(settings):
            _tell(finding)
            problems += finding.level == "problem"
    if recipient is not None:
        finding = await _send(settings, recipient)
        _tell(finding)
        problems += finding.level == "problem"
    return problems


def _tell(finding: Finding) -> None:
    click.echo(click.style(finding.level.ljust(8), COLOURS[finding.level]) + " " + finding.text)


async def _send(settings: Settings, recipient: str) -> Finding:
    """Submits a mail as a relayed one would be, from upstream's own user if that is an address."""
    if not recipient.isascii() or not recipient.isprintable() or set(recipient) & set(" <>"):
        return Finding("problem", f"--send: {recipient!r} is no address to send a test mail to")
    user = settings.upstream.user or ""
    author = user if "@" in user else recipient
    upstreams = Upstreams(settings.upstream.routes(settings.hostname))
    try:
        outcomes = await upstreams.lane(author.encode("ascii")).send(
            Copy(
                mail_from=author.encode("ascii"),
                parameters={},
                recipients=(Recipient(recipient.encode("ascii"), {}),),
                content=Content.of(_test_mail(author, recipient)),
            )
        )
    finally:
        upstreams.close()
    reply = settle(outcomes) or defer(outcomes)
    words = f"{reply.code} {reply.text.decode('ascii', 'replace')}"
    return Finding(
        "ok" if reply.code == 250 else "problem",
        f"--send: to {recipient} from {author}: upstream said {words}",
    )


def _test_mail(author: str, recipient: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = author
    mail["To"] = recipient
    mail["Subject"] = "A test mail of Letterbell"
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = make_msgid(domain=author.rpartition("@")[2])
    mail.set_content("`letterbell check --send` sent this through your mail server. It works.\n")
    return mail.as_bytes()
