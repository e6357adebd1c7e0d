"""A mail's recipients: what is known of each, and how they are spoken of.

Never more than is known: who shares a copy with others is one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from collector.consent import LET_ALL, Decisions, Kind, Objection
from collector.counts import ReaderRow, Seen
from collector.pages.speech import say, say_number
from collector.pages.wording import say_objections, say_state, say_times
from collector.stats import MessageDetail, MessageRow

NAMED = 3  # people that are named at most where room is short


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done with a recipient's own copy: in words, and when first and last.

    `last_ms` is there only where it differs from the first.
    """

    words: str
    first_ms: int | None = None
    last_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RecipientView:
    """One recipient: what the mail server made of it, and what was done with the copy.

    `state` and `words` are "" where all fared alike. `done` is empty of whoever shares a copy.
    `ordinal` is 0 where no hits are known to be of that copy.
    """

    address: str
    state: str
    words: str
    done: tuple[Deed, ...]
    hit: bool
    ordinal: int = 0


def people(row: MessageRow) -> dict[int, str]:
    """Every address once, by the ordinal that it was first named with."""
    found: dict[tuple[str, str], int] = {}
    for ordinal, address in enumerate(row.recipients, 1):
        name, _, domain = address.rpartition("@")
        found.setdefault((name, domain.lower()), ordinal)
    return {ordinal: row.recipients[ordinal - 1] for ordinal in found.values()}


def tracked(row: MessageRow, kind: Kind) -> dict[int, str]:
    """Those among them whose opens or clicks are tracked."""
    objected = {each.recipient for each in row.objected if each.kind == kind}
    return {ordinal: name for ordinal, name in people(row).items() if ordinal not in objected}


def say_who(row: MessageRow, kind: Kind, known: Sequence[int]) -> str:
    """Whose believed hits these likely were; `known` are the ordinals that they tell."""
    if len(people(row)) == 1:
        return say("likely a person")
    everybody = tracked(row, kind)
    names = [everybody[ordinal] for ordinal in known if ordinal in everybody]
    if len(everybody) == 1:
        names = list(everybody.values())
    if not names:
        return say_number(
            "likely one of %(number)s recipient",
            "likely one of %(number)s recipients",
            len(everybody),
        )
    more = say_number("%(number)s more", "%(number)s more", len(names) - NAMED)
    *others, last = names if len(names) <= NAMED else [*names[:NAMED], more]
    if not others:
        return say("likely %(who)s", who=last)
    return say("likely %(names)s and %(last)s", names=", ".join(others), last=last)


def say_copy(row: MessageRow, kind: Kind, recipient: int) -> str:
    """Whose copy a hit was of; "" where there is one recipient alone."""
    everybody = people(row)
    if len(everybody) == 1:
        return ""
    sharing = tracked(row, kind)
    if name := everybody.get(recipient) or (len(sharing) == 1 and next(iter(sharing.values()))):
        return say("Copy of %(who)s", who=name)
    return say_number("One of %(number)s recipient", "One of %(number)s recipients", len(sharing))


def view_all(detail: MessageDetail, decisions: Decisions = LET_ALL) -> tuple[RecipientView, ...]:
    """Each recipient, where something is known of each; else none. `decisions` are those of now."""
    row, everybody = detail.row, people(detail.row)
    told_apart = row.per_recipient and len(everybody) > 1
    since = _find_since(row, decisions)
    if not (told_apart or detail.outcomes or row.objected or since):
        return ()
    outcomes = {each.recipient: each for each in detail.outcomes}
    readers = {each.recipient: each for each in detail.readers}
    views = []
    for ordinal, address in everybody.items():
        outcome = outcomes.get(ordinal)
        reader = readers.get(ordinal, ReaderRow(ordinal))
        before = {each.kind: each.objection for each in row.objected if each.recipient == ordinal}
        deeds = _deeds(reader) if told_apart else ()
        if told_apart and not deeds and _kinds(row) - before.keys():
            deeds = (_waiting(reader, has_aged=detail.has_aged),)
        objections = (
            say_objections(before),
            say_objections(since.get(ordinal, {}), since=True),
        )
        views.append(
            RecipientView(
                address,
                say_state(outcome.state)[0] if outcome else "",
                outcome.words if outcome else "",
                (*deeds, *(Deed(words) for words in objections if words)),
                told_apart and bool(reader.opens.count or reader.clicks.count),
                ordinal
                if told_apart and bool(reader.opens.raw_count + reader.clicks.raw_count)
                else 0,
            )
        )
    return tuple(views)


def _deeds(reader: ReaderRow) -> tuple[Deed, ...]:
    opens, clicks = reader.opens, reader.clicks
    deeds = []
    if opens.count:
        words = say("opened %(times)s", times=say_times(opens.count))
        deeds.append(Deed(words, opens.first_ms, _last(opens)))
    if clicks.count:
        words = say("link followed %(times)s", times=say_times(clicks.count))
        deeds.append(Deed(words, clicks.first_ms, _last(clicks)))
    return tuple(deeds)


def _waiting(reader: ReaderRow, *, has_aged: bool) -> Deed:
    raw = reader.opens.raw_count + reader.clicks.raw_count
    none = say("not kept") if has_aged else say("not yet")
    if not raw:
        return Deed(none)
    return Deed(say("%(none)s; %(times)s by machines", none=none, times=say_times(raw)))


def _last(seen: Seen) -> int | None:
    return None if seen.last_ms == seen.first_ms else seen.last_ms


def say_silence(row: MessageRow, decisions: Decisions) -> str:
    """Why nothing more is heard of those who share a copy; "" where nobody objects by now."""
    if row.per_recipient or len(people(row)) == 1 or not _find_since(row, decisions):
        return ""
    return say("They share one copy: what one of them refuses is recorded of nobody.")


def _find_since(row: MessageRow, decisions: Decisions) -> dict[int, dict[Kind, Objection]]:
    """What recipients object to by now, of what was tracked when the mail was sent."""
    found: dict[int, dict[Kind, Objection]] = {}
    for kind in sorted(_kinds(row), reverse=True):
        for ordinal, address in tracked(row, kind).items():
            if against := decisions.objection(address, kind):
                found.setdefault(ordinal, {})[kind] = against
    return found


def _kinds(row: MessageRow) -> set[Kind]:
    toggles: dict[Kind, bool] = {"open": row.opens, "click": row.clicks}
    return {kind for kind, is_on in toggles.items() if is_on}
