"""From the outcomes of all recipients to the one reply that DATA gets. Pure.

Upstream's own code and words go to the client wherever all fared alike, so that a person sees the
real reason at once. A mix cannot be told in one reply: it goes into our custody.
"""

from collections.abc import Sequence

from relay.envelope import Deferred, Delivered, Outcome, Refused, Reply, Unreached

_NAMED = 3  # recipients that a reply names at most


def settle(outcomes: Sequence[Outcome]) -> Reply | None:
    """250 where all are delivered, upstream's refusal where all are refused, else None."""
    if all(isinstance(outcome, Delivered) for outcome in outcomes):
        return Reply(250, b"2.0.0 " + (outcomes[0].text or b"Ok"))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    if len(refused) == len(outcomes):
        return Reply(refused[0].code, _words("5.0.0", refused))
    return None


def defer(outcomes: Sequence[Outcome]) -> Reply:
    """451: the client keeps the mail. Some may have it already, where there are several copies."""
    deferred = [outcome for outcome in outcomes if isinstance(outcome, Deferred)]
    if not deferred:
        return Reply(451, b"4.3.0 The message cannot be kept just now; try again later")
    return Reply(451, _words("4.0.0", deferred))


def is_unreached(outcomes: Sequence[Outcome]) -> bool:
    """Whether upstream as a whole is away."""
    return all(isinstance(outcome, Unreached) for outcome in outcomes)


def _words(default: str, failed: Sequence[Deferred] | Sequence[Refused]) -> bytes:
    first = failed[0]
    enhanced = (first.enhanced or default).encode("ascii")
    if len(failed) == 1:
        return enhanced + b" " + first.text
    names = b", ".join(b"<%b>" % outcome.recipient for outcome in failed[:_NAMED])
    more = b" and %d more" % (len(failed) - _NAMED) if len(failed) > _NAMED else b""
    return b"%b %b%b: %b" % (enhanced, names, more, first.text)
