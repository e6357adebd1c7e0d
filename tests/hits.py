"""Hits, made and stored as a test likes them."""

from functools import partial

from collector.hits import Hit, JudgedHit, store_hits
from collector.keeping import DEFAULT, Keeping
from collector.store import Store
from collector.verdict import Verdict

PERSON = Verdict("person", "browser", 1.0)


def make_hit(message_id: int, at_ms: int = 5_000, **changes: object) -> Hit:
    """An open of the shared copy, by nobody in particular."""
    values: dict[str, object] = {
        "kind": "open",
        "message_id": message_id,
        "recipient": 0,
        "link": None,
        "at_ms": at_ms,
        "method": "GET",
        "agent": "",
        "purpose": "",
        "address": None,
    }
    return Hit(**{**values, **changes})  # type: ignore[arg-type]


async def add_hits(
    store: Store, *hits: Hit, verdict: Verdict = PERSON, keeping: Keeping = DEFAULT
) -> list[JudgedHit]:
    """Those that were stored, all of them judged like that."""
    judged = partial(store_hits, hits=hits, judge=lambda *_: verdict, keeping=keeping)
    return (await store.write(judged)).judged
