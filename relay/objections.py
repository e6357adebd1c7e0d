"""What recipients object to, carried into a plan. Pure.

A refusal beats every wish of the sender's. Whoever objects leaves the copy that the others share:
recipients are parted by what may be tracked of them, so that one shared mail becomes four copies at
most, and those of whom nothing may be tracked get one with nothing of ours in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from collector.consent import Decisions, Kind, Objected, Objection
from relay.envelope import Recipient
from relay.policy import Plan, PlannedCopy, too_many

_WORDS: dict[frozenset[Objection], str] = {
    frozenset({"refused"}): "refused it",
    frozenset({"no consent"}): "not agreed to it",
    frozenset({"refused", "no consent"}): "refused it or not agreed to it",
}


def heed(planned: Plan, decisions: Decisions, size: int) -> Plan:
    """The plan for a message of `size` octets, with nobody tracked against their will."""
    if decisions.let_all:
        return planned
    objected = tuple(_find(planned.copies, decisions))
    if not objected:
        return planned
    copies = _part(planned.copies, objected)
    if not any(copy.opens or copy.clicks for copy in copies):
        return untrack(planned, _say(copies[0].recipients, objected), objected)
    if reason := too_many(len(copies), size):
        return untrack(planned, f"some recipients object, and it is {reason}", objected)
    return replace(planned, copies=copies, objected=objected)


def untrack(planned: Plan, reason: str, objected: tuple[Objected, ...] = ()) -> Plan:
    """One copy for everybody, with nothing of ours in it."""
    everybody = sorted(
        (each for copy in planned.copies for each in copy.recipients), key=lambda each: each.ordinal
    )
    copy = replace(
        planned.copies[0],
        recipients=tuple(everybody),
        recipient=0,
        opens=False,
        clicks=False,
        reason=reason,
    )
    return replace(planned, copies=(copy,), objected=objected, shared_reason=None)


def _find(copies: Sequence[PlannedCopy], decisions: Decisions) -> Iterator[Objected]:
    for copy in copies:
        kinds: list[tuple[Kind, bool]] = [("open", copy.opens), ("click", copy.clicks)]
        for recipient in copy.recipients:
            for kind, wanted in kinds:
                against = decisions.objection(recipient.text, kind) if wanted else None
                if against:
                    yield Objected(recipient.ordinal, kind, against)


def _part(copies: Sequence[PlannedCopy], objected: Sequence[Objected]) -> tuple[PlannedCopy, ...]:
    against = {(each.recipient, each.kind) for each in objected}
    parted: dict[PlannedCopy, list[Recipient]] = {}
    for copy in copies:
        for recipient in copy.recipients:
            opens = copy.opens and (recipient.ordinal, "open") not in against
            clicks = copy.clicks and (recipient.ordinal, "click") not in against
            tracked = opens or clicks
            alike = replace(
                copy,
                recipients=(),
                opens=opens,
                clicks=clicks,
                recipient=copy.recipient if tracked else 0,
                reason=None if tracked else "objected",
            )
            parted.setdefault(alike, []).append(recipient)
    return tuple(replace(alike, recipients=tuple(each)) for alike, each in parted.items())


def _say(recipients: Sequence[Recipient], objected: Sequence[Objected]) -> str:
    who = "its recipient has" if len(recipients) == 1 else "its recipients have"
    return f"{who} {_WORDS[frozenset(each.objection for each in objected)]}"
