"""What recipients have agreed to or refused, for programs: read, and noted by them.

What a program notes is the sender's word for it, so it never takes back what a recipient has
refused on the notice page.
"""

from collections.abc import AsyncIterator, Sequence

from collector.api.call import Call
from collector.api.models import Consent, ConsentChange, ConsentPage, ConsentQuery, Nothing
from collector.api.problems import Problem
from collector.api.values import write_time
from collector.consent import Kind, check_address
from collector.consents import Decision, RefusalStands
from collector.keys import CONSENTS
from collector.schema import HIT_KINDS

CHUNK = 500  # decisions of an export that are in memory at a time
ALL = "consents"


async def list_consents(call: Call[ConsentQuery, None]) -> ConsentPage:
    """GET /consents: a page."""
    after = call.open_cursor(call.query.cursor, ALL)
    found = await _read(call, after, call.query.limit + 1)
    shown = found[: call.query.limit]
    last = shown[-1].id if shown else after
    return ConsentPage(
        consents=[_tell(each) for each in shown],
        next=call.seal_cursor(last, ALL),
        more=len(found) > len(shown),
    )


async def export_consents(call: Call[ConsentQuery, None]) -> AsyncIterator[Sequence[Consent]]:
    """GET /consents as CSV or NDJSON: all of them, some at a time."""
    after = call.open_cursor(call.query.cursor, ALL)
    while found := await _read(call, after, CHUNK):
        yield [_tell(each) for each in found]
        after = found[-1].id


async def note_consent(call: Call[Nothing, ConsentChange]) -> ConsentPage:
    """POST /consents: notes what a recipient has decided; the answer is all they ever have."""
    change = call.body
    try:
        address = check_address(change.address)
    except ValueError as error:
        raise Problem(422, f"address: {error}") from None
    kinds: tuple[Kind, ...] = (change.kind,) if change.kind else HIT_KINDS
    try:
        await call.app[CONSENTS].decide(
            call.sender.id,
            address,
            dict.fromkeys(kinds, change.granted),
            how="api",
            text_version=change.text_version,
        )
    except RefusalStands as stands:
        raise Problem(422, f"address: {stands}") from None
    history = await call.app[CONSENTS].history(call.sender.id, address)
    return ConsentPage(
        consents=[_tell(each) for each in history],
        next=call.seal_cursor(history[-1].id, ALL),
        more=False,
    )


async def _read(call: Call[ConsentQuery, None], after: int, limit: int) -> list[Decision]:
    consents = call.app[CONSENTS]
    if call.query.address:
        history = await consents.history(call.sender.id, call.query.address)
        return [each for each in history if each.id > after][:limit]
    held = not call.query.past
    return await consents.list(call.sender.id, after=after, limit=limit, held=held)


def _tell(decision: Decision) -> Consent:
    return Consent(
        address=decision.address,
        kind=decision.kind,
        granted=decision.granted,
        at=write_time(decision.at_ms),
        how=decision.how,
        text_version=decision.text_version,
    )
