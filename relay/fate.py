"""What the record says of a message in our custody, from what has become of it. Pure."""

from collector.store import Outcome as Recorded
from collector.store import State as Word
from relay.envelope import Delivered, Outcome
from relay.spoolfile import Entry

QUEUED = "It is queued, and will be tried again"


def recorded(entry: Entry, at_ms: int) -> Recorded:
    """Its state as a whole, and each recipient's where they differ."""
    each = [
        (recipient.ordinal, *_of_one(entry, recipient.ordinal)) for recipient in entry.recipients
    ]
    words = {word for _, word, _ in each}
    order: tuple[Word, ...] = ("queued", "delivered", "refused")
    whole = next(word for word in order if word in words)
    reply = next(said for _, word, said in each if word == whole)
    alike = len({(word, said) for _, word, said in each}) == 1
    return Recorded(at_ms=at_ms, state=whole, reply=reply, outcomes=None if alike else tuple(each))


def _of_one(entry: Entry, ordinal: int) -> tuple[Word, str]:
    state = entry.state
    latest = state.latest.get(ordinal)
    said = QUEUED if latest is None else _said(latest)
    if ordinal in state.pending:
        return "queued", said
    return "delivered" if isinstance(latest, Delivered) else "refused", said


def _said(outcome: Outcome) -> str:
    words = (str(outcome.code), outcome.enhanced, outcome.text.decode("ascii", "replace"))
    return " ".join(word for word in words if word)
