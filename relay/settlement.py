"""From the outcomes of all recipients to the one reply that DATA gets. Pure.

All or nothing, until there is a spool to split custody with: a mixed result was sent to nobody
(transaction.py), and the client keeps the message. Upstream's own code and words go to the client,
so that a person sees the real reason at once.
"""

from collections.abc import Sequence

from relay.envelope import Deferred, Outcome, Refused, Reply

_NAMED = 3  # recipients that a reply names at most


def settle(outcomes: Sequence[Outcome]) -> Reply:
    """250 when all are delivered, 451 when any is deferred, else upstream's refusal."""
    deferred = [outcome for outcome in outcomes if isinstance(outcome, Deferred)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    if deferred:
        return Reply(451, _words("4.0.0", deferred, len(outcomes)))
    if refused:
        return Reply(refused[0].code, _words("5.0.0", refused, len(outcomes)))
    return Reply(250, b"2.0.0 " + (outcomes[0].text or b"Ok"))


def _words(default: str, failed: Sequence[Deferred] | Sequence[Refused], recipients: int) -> bytes:
    first = failed[0]
    enhanced = (first.enhanced or default).encode("ascii")
    if recipients == 1:
        return enhanced + b" " + first.text
    names = b", ".join(b"<%b>" % outcome.recipient for outcome in failed[:_NAMED])
    more = b" and %d more" % (len(failed) - _NAMED) if len(failed) > _NAMED else b""
    return b"%b %b%b: %b (nothing was sent to anyone)" % (enhanced, names, more, first.text)
