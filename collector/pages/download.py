"""One mail as a file, with all of its hits: JSON for programs, CSV for spreadsheets."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from collector.api.exports import send, send_file
from collector.api.negotiation import CSV, JSON
from collector.export import find_sent, hits_of_sent
from collector.keys import STORE
from collector.pages.wording import say_rule
from collector.senders import Sender
from collector.verdict import BELIEVED

Item = dict[str, Any]


class Event(BaseModel):
    """A line of the table: that the mail was sent, what came of that, or a hit."""

    at: str | None
    event: str  # "sent", a state, "open", "click" or "stopped"
    recipient: str | None = None  # whose copy; none where it is shared
    link: str | None = None  # where it leads
    verdict: str | None = None
    counted: bool | None = None
    why: str | None = None
    network: str | None = None
    agent: str | None = None
    said: str | None = None  # the mail server's own words


async def send_json(request: web.Request, sender: Sender, message_id: int) -> web.StreamResponse:
    """The mail as one object: an item of `sent` in docs/export.schema.json. 404 where there is none
    of this sender's."""
    mail = await _find(request, sender, message_id)
    hits = hits_of_sent(request.app[STORE], sender.id, message_id)
    return await send_file(request, _write(mail, hits), JSON, _name(mail, "json"))


async def send_csv(request: web.Request, sender: Sender, message_id: int) -> web.StreamResponse:
    """The mail as a table of what happened, in that order. 404 where there is none of this
    sender's."""
    mail = await _find(request, sender, message_id)
    hits = hits_of_sent(request.app[STORE], sender.id, message_id)
    return await send(request, _events(mail, hits), CSV, Event, name=_name(mail, "csv"))


async def _find(request: web.Request, sender: Sender, message_id: int) -> Item:
    mail = await find_sent(request.app[STORE], sender.id, message_id)
    if mail is None:
        raise web.HTTPNotFound
    return mail


def _name(mail: Item, ending: str) -> str:
    return f"letterbell-{mail['sent'][:10]}-{mail['id']}.{ending}"


async def _write(mail: Item, chunks: AsyncIterator[Sequence[Item]]) -> AsyncIterator[str]:
    head = json.dumps(mail, indent=2, ensure_ascii=False).removesuffix("\n}")
    before = f'{head},\n  "hits": ['
    async for hits in chunks:
        lines = ",".join(f"\n    {json.dumps(hit, ensure_ascii=False)}" for hit in hits)
        yield f"{before}{lines}"
        before = ","
    yield "\n  ]\n}\n" if before == "," else f"{before}]\n}}\n"


async def _events(
    mail: Item, chunks: AsyncIterator[Sequence[Item]]
) -> AsyncIterator[Sequence[Event]]:
    targets = {link["link"]: link["target"] for link in mail["links"]}
    yield [Event(at=mail["sent"], event="sent"), *_outcomes(mail)]
    async for hits in chunks:
        yield [_event(hit, targets) for hit in hits]
    if mail["stopped"]:
        yield [Event(at=mail["stopped"], event="stopped")]


def _outcomes(mail: Item) -> list[Event]:
    if mail["outcomes"]:
        return [
            Event(
                at=mail["delivered"] if each["state"] == "delivered" else None,
                event=each["state"],
                recipient=each["recipient"],
                said=each["said"],
            )
            for each in mail["outcomes"]
        ]
    return [Event(at=mail["delivered"], event=mail["state"], said=mail["said"])]


def _event(hit: Item, targets: dict[int, str]) -> Event:
    return Event(
        at=hit["at"],
        event=hit["kind"],
        recipient=hit["recipient"],
        link=targets.get(hit["link"]),
        verdict=hit["verdict"],
        counted=hit["verdict"] in BELIEVED,
        why=say_rule(hit["rule"]),
        network=hit["network"],
        agent=hit["agent"],
    )
