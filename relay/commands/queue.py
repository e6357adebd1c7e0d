"""`letterbell queue`: the mail in our custody, while the relay runs or not.

What is listed is read from the spool; what is to be changed is asked of the running relay, which
answers within seconds. Where none runs, it is done here, and seen at its next start.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from relay.commands.options import with_settings
from relay.commands.roster import show_table
from relay.custody import REMOVED
from relay.envelope import Outcome, Refused
from relay.orders import Kind, Order, Orders, Result
from relay.sealing import Seal
from relay.settings import Settings
from relay.spool import Locked, Spool, SpoolError, read_entries
from relay.spoolfile import Entry, Got, Held, Released, Told

ANSWER_SECONDS = 10.0
WORK_SECONDS = 600.0  # for what has begun; reports on thousands of messages take their time
LOOK_SECONDS = 0.1


def read_id(text: str) -> int:
    """A message's id, as `queued as` and `queue list` say it."""
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number < 2**64:
        raise click.BadParameter(f"{text!r} is no message's id: `letterbell queue list` shows them")
    return number


def with_ids(command: Callable[..., Any]) -> Callable[..., Any]:
    """ID…, or --all."""
    ids = click.argument("ids", metavar="ID...", nargs=-1, type=read_id)
    everything = click.option("--all", "everything", is_flag=True, help="All that are queued.")
    return ids(everything(command))


with_json = click.option("--json", "as_json", is_flag=True, help="JSON, one message a line.")


@click.group()
def queue() -> None:
    """Mail that waits to be sent: what it waits for, and what to do with it."""


@queue.command("list")
@with_json
@with_settings
def list_(settings: Settings, as_json: bool) -> None:
    """All that is queued, oldest first."""
    entries = sorted(_entries(settings), key=lambda entry: entry.received_at_ms)
    if as_json:
        for entry in entries:
            click.echo(json.dumps(describe(entry)))
        return
    if not entries:
        click.echo("The queue is empty.")
        return
    head = ("ID", "AGE", "SIZE", "FROM", "TO", "STATE", "LAST WORD")
    show_table([head, *map(_row, entries)])


@queue.command()
@click.argument("message_id", metavar="ID", type=read_id)
@with_json
@with_settings
def show(settings: Settings, message_id: int, as_json: bool) -> None:
    """One message: who is still to get it, and what was said of each."""
    found = [entry for entry in _entries(settings) if entry.id == message_id]
    if not found:
        raise click.ClickException(f"{message_id:x} is not queued (any more)")
    told = describe(found[0])
    if as_json:
        click.echo(json.dumps(told))
        return
    for name in ("id", "sender", "from", "received", "size", "state", "attempts", "next", "held"):
        if told[name] is not None:
            click.echo(f"{name + ':':<10}{told[name]}")
    for recipient in told["recipients"]:
        click.echo(f"<{recipient['address']}> {recipient['state']}")
        if recipient["said"]:
            by = f" (by {recipient['host']})" if recipient["host"] else ""
            click.echo(f"    {recipient['said']}{by}")


@queue.command()
@with_ids
@with_settings
def retry(settings: Settings, ids: Sequence[int], everything: bool) -> None:
    """Has them tried at once, held ones as well."""
    _order(settings, "retry", ids, everything=everything)


@queue.command()
@with_ids
@with_settings
def hold(settings: Settings, ids: Sequence[int], everything: bool) -> None:
    """Has them wait until they are retried. They do not expire meanwhile."""
    _order(settings, "hold", ids, everything=everything)


@queue.command()
@with_ids
@click.option("--silent", is_flag=True, help="Do not tell their senders.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
def remove(
    settings: Settings, ids: Sequence[int], everything: bool, silent: bool, yes: bool
) -> None:
    """Gives them up: nobody else gets them. Their senders get a report."""
    if not yes:
        which = "all queued messages" if everything else f"{len(ids)} of the queued messages"
        told = "are not told" if silent else "get a report"
        click.confirm(f"Give up {which}? Their senders {told}.", abort=True)
    _order(settings, "remove", ids, everything=everything, silent=silent)


def describe(entry: Entry) -> dict[str, Any]:
    """A message as `--json` tells it: docs/queue.schema.json."""
    state = entry.state
    waits = "held" if state.held is not None else "trying" if state.trying else "waiting"
    return {
        "id": f"{entry.id:x}",
        "sender": entry.login,
        "from": entry.mail_from.decode("utf-8", "replace"),
        "received": _moment(entry.received_at_ms),
        "size": entry.size,
        "state": waits,
        "attempts": state.attempts,
        "next": _moment(state.next_ms) if waits == "waiting" else None,
        "held": state.held,
        "recipients": [
            _describe_recipient(entry, recipient.ordinal, recipient.address)
            for recipient in entry.recipients
        ],
    }


def _describe_recipient(entry: Entry, ordinal: int, address: bytes) -> dict[str, Any]:
    latest = entry.state.latest.get(ordinal)
    refused = isinstance(latest, Refused) or ordinal in entry.state.told
    settled = "refused" if refused else "delivered"
    return {
        "address": address.decode("utf-8", "replace"),
        "state": "queued" if ordinal in entry.state.pending else settled,
        "said": _said(latest) if latest else None,
        "host": (latest.host or None) if latest else None,
    }


def _said(outcome: Outcome) -> str:
    words = (str(outcome.code), outcome.enhanced, outcome.text.decode("ascii", "replace"))
    return " ".join(word for word in words if word)


def _row(entry: Entry) -> tuple[str, ...]:
    told = describe(entry)
    pending = [each for each in told["recipients"] if each["state"] == "queued"]
    first = (pending or told["recipients"])[0]
    more = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
    now = time.time_ns() // 1_000_000
    state = told["state"]
    if state == "waiting":
        state = f"in {_span(entry.state.next_ms - now)}" if entry.state.next_ms > now else "due"
    return (
        told["id"],
        _span(now - entry.received_at_ms),
        _octets(entry.size),
        told["from"] or "<>",
        first["address"] + more,
        state,
        (told["held"] or first["said"] or "-")[:60],
    )


def _span(ms: int) -> str:
    seconds = max(0, ms // 1000)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _octets(size: int) -> str:
    return f"{size / 1024:.0f} KiB" if size < 10 * 1024**2 else f"{size / 1024**2:.0f} MiB"


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _entries(settings: Settings) -> list[Entry]:
    try:
        return list(read_entries(settings.spool))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise click.ClickException(
            f"the spool {settings.spool} cannot be read ({error.strerror}): "
            "run this as the relay's user"
        ) from None


def _order(
    settings: Settings,
    kind: Kind,
    ids: Sequence[int],
    *,
    everything: bool,
    silent: bool = False,
) -> None:
    if bool(ids) == everything:
        raise click.UsageError("name messages by their ID, or give --all")
    wanted = tuple(entry.id for entry in _entries(settings)) if everything else tuple(ids)
    order = Order(kind, wanted, silent)
    try:
        results = do(settings, order) if wanted else {}
    except (SpoolError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _tell(kind, results)


def _tell(kind: Kind, results: dict[int, Result]) -> None:
    done = [number for number, result in results.items() if result == "done"]
    words = {"retry": "tried at once", "hold": "held", "remove": "removed"}[kind]
    click.echo(f"{len(done)} of {len(results)} {words}.")
    whys = {
        "busy": "is being sent just now: try again",
        "unknown": "is not queued (any more)",
        "failed": "waits for the disk: see the alarms in the relay's log",
    }
    for number, result in results.items():
        if result != "done":
            click.echo(f"{number:x} {whys[result]}", err=True)
    if len(done) < len(results):
        raise SystemExit(1)


def do(settings: Settings, order: Order) -> dict[int, Result]:
    """By the running relay; here, where none runs. Raises SpoolError, OSError."""
    folder: Path = settings.spool
    if not folder.exists():  # made by the relay alone, as its own user
        return dict.fromkeys(order.ids, "unknown")
    seal = Seal(settings.tokens.parsed)
    try:
        spool = Spool.open(folder, min_free=0, sealer=seal)
    except Locked:
        return _ask(Orders(folder), order)
    try:
        return asyncio.run(_do_here(spool, order))
    finally:
        spool.close()


def _ask(orders: Orders, order: Order) -> dict[int, Result]:
    name = orders.place(order)
    start = time.monotonic()
    while (results := orders.answer(name)) is None:
        waited = time.monotonic() - start
        if waited > ANSWER_SECONDS and orders.withdraw(name):
            raise click.ClickException("the relay does not answer: see its log")
        if waited > WORK_SECONDS:
            raise click.ClickException("the relay began it and has not ended: see its log")
        time.sleep(LOOK_SECONDS)
    return results


async def _do_here(spool: Spool, order: Order) -> dict[int, Result]:
    works: dict[Kind, Callable[[Spool, int], Awaitable[None]]] = {
        "retry": _retry,
        "hold": _hold,
        "remove": partial(_remove, silent=order.silent),
    }
    results: dict[int, Result] = {}
    for number in order.ids:
        if number not in spool.entries:
            results[number] = "unknown"
            continue
        await works[order.kind](spool, number)
        results[number] = "done"
    return results


async def _retry(spool: Spool, number: int) -> None:
    now = time.time_ns() // 1_000_000
    await spool.note(number, Released(now, now))


async def _hold(spool: Spool, number: int) -> None:
    await spool.note(number, Held("by the operator", time.time_ns() // 1_000_000))


async def _remove(spool: Spool, number: int, *, silent: bool) -> None:
    """Refused by us; the report, if there is to be one, is written at the next start."""
    now = time.time_ns() // 1_000_000
    entry = spool.entries[number]
    refused = tuple(
        Refused(
            recipient=each.address, code=554, enhanced="5.3.0", text=REMOVED, ordinal=each.ordinal
        )
        for each in entry.recipients
        if each.ordinal in entry.state.pending
    )
    await spool.note(number, Released(now, now))
    entry = await spool.note(number, Got(refused, now, now))
    if silent:
        await spool.note(number, Told(tuple(entry.state.owed), "failed", now))
        await spool.done(number)
